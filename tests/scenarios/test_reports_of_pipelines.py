"""`-o markdown` and `-o github` of commands that only look; texts of others forge nothing in them."""

import json
import re
from pathlib import Path

import pytest

from tests.scenarios.binding import make_binding
from tests.support.stage import ROLE_ARN, Stage
from tests.unit.cli.test_reports import check_forged

EVIL = "@org/team [x](https://evil.example) <img src=x> `y` | z #12 ::error::a"


@pytest.fixture
def bound(stage: Stage, namespace: str) -> str:
    """A binding that works, and an annotation that names a role which is none."""
    make_binding(stage, namespace, "app")
    stage.make_account(namespace, "evil", annotations={ROLE_ARN: f"arn:aws:iam::111122223333:role/x {EVIL}"})
    return namespace


def test_commands_that_look(stage: Stage, bound: str) -> None:
    place = ("-n", bound, "-c", stage.cluster)
    one = stage.irsa("verify", "app", *place, "-o", "markdown")
    assert one.out.startswith("## ✅ irsa verify: 1 verified"), one.out
    assert "**ok** `exchange: " in one.out
    many = stage.irsa("verify", "--all", *place, "-o", "markdown")
    assert many.code == 5
    assert f"`{bound}/evil`" in many.out
    assert many.out.count("1 verified") == 2, many.out
    doctor = stage.irsa("doctor", *place, "-o", "markdown")
    assert re.search(rf"### problem: `{bound}/evil`", doctor.out), doctor.out
    audit = stage.irsa("audit", "-c", stage.cluster, "--service-account", f"{bound}/evil", "-o", "markdown")
    for ran in (one, many, doctor, audit):
        check_forged(ran.out)
        assert len(ran.out) < 65_001
    for arguments in (("verify", "--all", *place), ("doctor", *place), ("audit", "-c", stage.cluster)):
        said = stage.irsa(*arguments, "-o", "github").out.splitlines()
        assert said[-1].startswith(f"::notice title=irsa {arguments[0]}::")
        assert all(re.match(r"::(error|warning|notice) [^:]*::.", line) for line in said)


def test_files(stage: Stage, tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Sid": "x"}
    policy = tmp_path / "a,b: `c`.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), encoding="utf-8")
    said = stage.irsa("lint", str(policy), "-o", "github")
    assert said.code == 5
    assert re.match(
        rf"::error file={re.escape(str(tmp_path))}/a%2Cb%3A `c`.json,line=1,col=\d+,title=", said.out
    )
    shown = stage.irsa("lint", str(policy), "-o", "markdown", "--summary-file", str(tmp_path / "s")).out
    check_forged(shown)
    assert "the corrected trust policy" in shown or "evidence and fix" in shown
    assert (tmp_path / "s").read_text(encoding="utf-8") == shown
