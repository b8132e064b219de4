"""`-o markdown` and `-o github` of commands that only look; texts of others forge nothing in them."""

import re
from pathlib import Path

from tests.scenarios.binding import make_binding
from tests.support.rows import arguments_of
from tests.support.stage import ROLE_ARN, Ran, Stage
from tests.unit.cli.test_reports import check_forged

EVIL = "@org/team [x](https://evil.example) <img src=x> `y` | z #12 ::error::a"


def shown(stage: Stage, line: str) -> Ran:
    """What is printed as markdown, in which nothing is forged."""
    ran = stage.irsa(*arguments_of(stage, f"{line} -o markdown"))
    check_forged(ran.out)
    assert len(ran.out) < 65_001
    return ran


def test_commands_that_look(stage: Stage, namespace: str) -> None:
    """Of a binding that works, and an annotation that names a role which is none."""
    make_binding(stage, namespace, "app")
    arn = f"arn:aws:iam::111122223333:role/x {EVIL}"
    stage.make_account(namespace, "evil", annotations={ROLE_ARN: arn})
    one, many = shown(stage, "verify app -n $ns"), shown(stage, "verify --all -n $ns")
    assert one.out.startswith("## ✅ irsa verify: 1 verified"), one.out
    assert "**ok** `exchange: " in one.out
    assert (many.code, many.out.count("1 verified")) == (5, 2)
    assert f"`{namespace}/evil`" in many.out
    assert f"### problem: `{namespace}/evil`" in shown(stage, "doctor -n $ns").out
    shown(stage, "audit --service-account $ns/evil")
    for line in ("verify --all -n $ns", "doctor -n $ns", "audit"):
        said = stage.irsa(*arguments_of(stage, f"{line} -o github")).out.splitlines()
        assert said[-1].startswith(f"::notice title=irsa {line.split()[0]}::")
        assert all(re.match(r"::(error|warning|notice) [^:]*::.", text) for text in said)


def test_files(stage: Stage, tmp_path: Path) -> None:
    policy, summary = tmp_path / "a,b: `c`.json", tmp_path / "s"
    statement = '{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Sid": "x"}'
    policy.write_text(f'{{"Version": "2012-10-17", "Statement": [{statement}]}}', encoding="utf-8")
    said = stage.irsa("lint", str(policy), "-o", "github")
    assert said.code == 5
    place = rf"::error file={re.escape(str(tmp_path))}/a%2Cb%3A `c`.json,line=1,col=\d+,title="
    assert re.match(place, said.out)
    told = shown(stage, f"lint '{policy}' --summary-file {summary}").out
    assert "the corrected trust policy" in told or "evidence and fix" in told
    assert summary.read_text(encoding="utf-8") == told
