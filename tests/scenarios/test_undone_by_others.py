"""A complete binding whose annotation somebody removes or changes: no command takes its role for half made.

What they say names who manages the ServiceAccount, and each command that they propose ends it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover_cluster import iam_of
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

NAMESPACE, NAME = "default", "app"
WISH = ("--attach-policy-arn", READ_ONLY)
ELSEWHERE = ("--state-dir", "elsewhere")
"""Another machine, which has no journals."""
ARGO = {"argocd.argoproj.io/tracking-id": "apps:/ServiceAccount:default/app"}
ACCOUNT = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}"
THEIRS = "arn:aws:iam::111122223333:role/theirs"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    return stage


def of(stage: Stage) -> tuple[str, ...]:
    return (NAME, "-n", NAMESPACE, "-c", stage.cluster)


def annotated(stage: Stage, **annotations: str | None) -> None:
    """What a tool does that manages the ServiceAccount; None removes."""
    assert stage.kube.patch(ACCOUNT, {"metadata": {"annotations": annotations}}).status == 200


def removed(stage: Stage) -> None:
    annotated(stage, **{ROLE_ARN: None}, **ARGO)


def changed(stage: Stage) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    if "theirs" not in stage.aws_world()["roles"]:
        stage.iam().create_role(RoleName="theirs", AssumeRolePolicyDocument=document)
    annotated(stage, **{ROLE_ARN: THEIRS}, **ARGO)


def bound(stage: Stage, by: str) -> str:
    """A complete binding; the ServiceAccount is irsa's, or a chart's."""
    if by == "chart":
        stage.make_account(NAMESPACE, NAME, labels={"app.kubernetes.io/managed-by": "Helm"})
    ran = stage.irsa("create-sa", *of(stage), *WISH, "-o", "json")
    assert ran.code == 0, ran.err
    arn: str = ran.item["role"]["arn"]
    return arn


def recover(stage: Stage, *arguments: str) -> Ran:
    return stage.irsa("recover", "-c", stage.cluster, *ELSEWHERE, *arguments)


def roles(stage: Stage) -> list[str]:
    return [role["arn"] for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"]]


Undo = Callable[[Stage], None]
undoings = pytest.mark.parametrize("undo", [removed, changed], ids=lambda item: item.__name__)
makers = pytest.mark.parametrize("by", ["irsa", "chart"])


def binding(stage: Stage, role: str) -> Json:
    """The binding of irsa's role, as get-sa has it."""
    items = stage.irsa("get-sa", *of(stage), "-o", "json").items
    (item,) = [item for item in items if item["role"]["arn"] == role]
    found: Json = item
    return found


@makers
@undoings
def test_no_recovery_deletes_it(small: Stage, by: str, undo: Undo) -> None:
    role = bound(small, by)
    undo(small)
    before = small.world()
    listed = recover(small, "--min-age", "0s", "-o", "json")
    (item,) = listed.items
    assert item["objects"] == []
    (spared,) = item["leftAlone"]
    assert "Argo CD manages the ServiceAccount" in spared["why"]
    assert ROLE_ARN in spared["why"] or THEIRS in spared["why"]
    assert recover(small, "--all", "--yes", "--min-age", "0s").code == 0
    named = recover(small, item["transaction"], "--yes", "--min-age", "0s")
    assert named.code == 4, named.err
    assert small.world() == before
    assert roles(small) == [role]


@makers
@undoings
def test_all_say_what_happened(small: Stage, by: str, undo: Undo) -> None:
    role = bound(small, by)
    undo(small)
    item = binding(small, role)
    assert (item["status"], item["serviceAccount"]["exists"]) == ("annotation-changed", True)
    assert "Argo CD manages the ServiceAccount" in item["reason"]
    doctor = small.irsa("doctor", *of(small), "-o", "json")
    problems = {found["id"]: found for found in doctor.item["findings"] if found["verdict"] == "problem"}
    assert "role-incomplete" not in problems
    if undo is removed:
        found = problems["annotation-removed"]
        assert "lost its role; Argo CD manages it" in found["text"]
        # The mark is still there, so the annotation alone makes the binding irsa's again.
        assert f"annotate serviceaccount {NAME} --overwrite {ROLE_ARN}={role}" in found["fix"]
        assert not found["fix"].startswith("#")
        described = small.irsa("describe-sa", *of(small))
        assert described.code == 4
        assert "lost its annotation" in described.err
        assert f"irsa create-sa {NAME} -n {NAMESPACE}" in described.err


@makers
@undoings
def test_each_proposed_command_ends_it(small: Stage, by: str, undo: Undo) -> None:
    for number in range(2):
        role = bound(small, by if number == 0 else "irsa")
        complete = small.world()
        undo(small)
        command = binding(small, role)["next"][number]
        ran = small.irsa(*shlex.split(command, comments=True)[1:], *ELSEWHERE)
        assert ran.code == 0, ran.err
        if number:
            assert roles(small) == []
            continue
        annotated(small, **dict.fromkeys(ARGO))
        after = small.world()
        assert after["roles"] == {
            **complete["roles"],
            **{k: v for k, v in after["roles"].items() if k == "theirs"},
        }
        assert after["kubernetes"]["serviceaccounts"] == complete["kubernetes"]["serviceaccounts"]
        assert binding(small, role)["status"] == "ok"


@makers
def test_the_same_create_sa_annotates_it_again(small: Stage, by: str) -> None:
    bound(small, by)
    complete = small.world()
    annotated(small, **{ROLE_ARN: None})
    ran = small.irsa("create-sa", *of(small), *WISH, *ELSEWHERE, "-o", "json")
    assert ran.code == 0, ran.err
    assert [change["kind"] for change in ran.item["changes"]] == ["ServiceAccount"]
    assert small.world() == complete


def test_a_mark_of_an_earlier_role_does_not_make_a_new_one_complete(small: Stage) -> None:
    """The role is deleted by hand, the annotation by a tool, and the next run is killed."""
    role = bound(small, "chart")
    annotated(small, **{ROLE_ARN: None})
    name = role.rpartition("/")[2]
    small.iam().detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    small.iam().delete_role(RoleName=name)
    small.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=small.kill))
    assert small.irsa("create-sa", *of(small), *WISH).code == -9
    small.sandbox.settle()
    assert binding(small, role)["status"] == "incomplete"
    assert recover(small, "--all", "--yes", "--min-age", "0s").code == 0
    assert roles(small) == []
    assert small.irsa("create-sa", *of(small), *WISH, *ELSEWHERE).code == 0
    assert binding(small, role)["status"] == "ok"


def test_a_role_whose_service_account_was_recreated_is_kept(small: Stage) -> None:
    """A chart is uninstalled and installed again: no mark tells any more that the run had finished."""
    name = bound(small, "chart").rpartition("/")[2]
    (made,) = [role for role in iam_of(small).roles.values() if role.name == name]
    made.create_date -= timedelta(days=1)
    assert small.kube.delete(ACCOUNT).status == 200
    small.make_account(NAMESPACE, NAME, labels={"app.kubernetes.io/managed-by": "Helm"})
    before = small.world()
    assert recover(small, "--all", "--yes", "--min-age", "0s").code == 0
    assert small.world() == before
    (item,) = recover(small, "--min-age", "0s", "-o", "json").items
    (spared,) = item["leftAlone"]
    assert "was created after it, and not by its run; Helm manages it" in spared["why"]
    (command,) = spared["next"]
    ran = small.irsa(*shlex.split(command, comments=True)[1:], *ELSEWHERE)
    assert ran.code == 0, ran.err
    assert roles(small) == []


def test_the_same_create_sa_binds_a_recreated_service_account(small: Stage) -> None:
    bound(small, "chart")
    assert small.kube.delete(ACCOUNT).status == 200
    small.make_account(NAMESPACE, NAME, labels={"app.kubernetes.io/managed-by": "Helm"})
    assert small.irsa("create-sa", *of(small), *WISH, *ELSEWHERE).code == 0
    assert small.role_of(NAMESPACE, NAME)["attached"] == [READ_ONLY]
