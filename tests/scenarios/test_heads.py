"""The head of plans, questions and reports: place, caller and time; in pipelines no call is made for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.sts import assume
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_confirming import at_terminal
from tests.support.acts import wish
from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import EVERYTHING, READ_ONLY, Stage

PLACE = "demo · eu-west-1 · account 111122223333"
TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
HEAD = re.compile(rf"^{PLACE} · {TIME}$", re.MULTILINE)
DEPLOYER = "arn:aws:iam::111122223333:role/deployer"
OTHER = "222222222222"
BY_DEPLOYER = re.compile(rf"^{PLACE} · role/deployer/[\w-]+ · {TIME}$", re.MULTILINE)
SESSION = re.compile(r"arn:aws:sts::111122223333:assumed-role/deployer/[\w-]+")
NEW_RUN = "create-sa app -n backend --attach-policy-arn $S3 --dry-run"
NEW = ("-n", "backend", "-c", "demo", "--attach-policy-arn", READ_ONLY)


def make_role(stage: Stage, name: str, account: str = "111122223333") -> str:
    """A role that the cluster's account may assume, and that may do everything."""
    iam = administrator(stage.sandbox, "iam", account, stage.region)
    by = trust({"AWS": "arn:aws:iam::111122223333:root"})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=by)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    return arn


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with its provider, a namespace, and a role to assume."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace("backend")
    make_role(stage, "deployer")
    return stage


@pytest.fixture
def profile(small: Stage) -> dict[str, str]:
    """The environment with a profile of the role, which the AWS SDK assumes."""
    config = small.folder / "config"
    lines = ["[profile deployer]", f"role_arn = {DEPLOYER}", "credential_source = Environment"]
    config.write_text("\n".join([*lines, "region = eu-west-1"]), encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(config)}


@pytest.mark.parametrize("way", [f"--assume-role {DEPLOYER}", "--profile deployer"])
def test_the_role_of_the_run_is_in_its_head_without_a_call(
    small: Stage, profile: dict[str, Any], way: str
) -> None:
    line = f"disassociate-oidc --dry-run {way}"
    small.sandbox.calls.clear()
    assert BY_DEPLOYER.search(small.run(line, **profile).err)
    operations = [call.operation for call in small.sandbox.calls]
    assert (operations.count("AssumeRole"), "GetCallerIdentity" in operations) == (1, False)
    assert SESSION.fullmatch(small.run(f"{line} -o json", **profile).metadata["caller"])
    report = small.run(f"{line} -o markdown", **profile).out
    assert re.search(rf" · caller `role/deployer/[\w-]+` · time `{TIME}` · exit code 0\n", report)


def test_a_run_by_keys_asks_nobody_who_it_is(small: Stage) -> None:
    small.sandbox.calls.clear()
    assert HEAD.search(small.run(NEW_RUN).err)
    assert "GetCallerIdentity" not in [call.operation for call in small.sandbox.calls]
    assert small.run("get-sa -o json").metadata["caller"] is None
    audited = small.irsa("audit", "-c", "demo", "-o", "json")
    assert audited.metadata["caller"] == "arn:aws:iam::111122223333:user/admin"


@pytest.mark.parametrize("slow", [False, True])
def test_at_a_terminal_the_caller_is_asked_for_and_not_waited_for(small: Stage, slow: bool) -> None:
    if slow:
        hang = Fault("sts", "GetCallerIdentity", "hang", seconds=60, times=None)
        small.sandbox.faults.add(hang)
    with at_terminal(small, ("create-sa", "app", *NEW, "--dry-run")) as terminal:
        terminal.read(rf"{PLACE}{'' if slow else ' · user/admin'} · {TIME}")
        assert terminal.end() == 0


def test_another_caller_in_the_account_of_the_roles_is_named(small: Stage) -> None:
    keeper = make_role(small, "keeper", OTHER)
    line = f"associate-oidc --dry-run --role-account {OTHER} --role-assume-role {keeper}"
    there = rf"^{PLACE} · roles in account {OTHER} as role/keeper/irsa · {TIME}$"
    ran = small.run(line)
    assert re.search(there, ran.err, re.MULTILINE), ran.err


def test_roles_that_are_assumed_for_others_are_not_the_caller(
    small: Stage, profile: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**small.env(), **profile}.items():
        monkeypatch.setenv(name, value)
    session = AwsSession(profile="deployer", region="eu-west-1")
    assert session.known_caller == ""
    session.client("eks").list_clusters()
    assert SESSION.fullmatch(session.known_caller)
    moved = session.moved_to("us-east-1")
    for each in (session, moved):
        assume(each.client("sts"), make_role(small, f"reader-{each.region}"))
    assert SESSION.fullmatch(session.known_caller)
    assert moved.known_caller == session.known_caller


def test_saved_plans_are_shown_with_their_place_and_time(small: Stage) -> None:
    small.run(f"{NEW_RUN} --out plan.json")
    shown = small.irsa("show", "plan.json")
    assert re.search(rf"^Plan of irsa create-sa, saved 20.*\n{PLACE}$", shown.err, re.MULTILINE), shown.err
    report = small.irsa("show", "plan.json", "-o", "markdown").out
    assert re.search(rf"cluster `demo` · region `eu-west-1` · account `111122223333` · time `{TIME}`", report)
    applied = small.irsa("apply", "plan.json")
    assert HEAD.search(applied.err), applied.err


def test_a_recovery_by_its_journal_is_shown_and_asked_about_with_its_place(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "reset-after", run=small.kill))
    assert small.irsa("create-sa", "app", *NEW).code == -9
    small.sandbox.settle()
    transaction = small.irsa("recover", "-o", "json").items[0]["transaction"]
    for which in (transaction, "--all"):
        planned = small.irsa("recover", which, "--dry-run")
        assert len(HEAD.findall(planned.err)) == 1, planned.err
    with at_terminal(small, ("recover", "--all", "-q")) as terminal:
        asked = terminal.read(r"Do this\? \[y/N\]: ").string
    assert len(re.findall(rf"{PLACE} · (?:user/admin · )?{TIME}", asked)) == 1, asked


def test_a_deletion_of_files_is_asked_about_with_its_head(small: Stage) -> None:
    wish(small, "{metadata: {name: app, namespace: backend}, attachPolicyARNs: [$S3]}")
    small.run("apply -f f.yaml")
    with at_terminal(small, ("delete", "-f", "f.yaml", "-q")) as terminal:
        terminal.read(rf"{PLACE} · user/admin · {TIME}\s+irsa deletes[^?]+\? \[y/N\]: ")
