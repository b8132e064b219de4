"""A complete binding whose annotation somebody removes or changes: no command takes its role for half made.

What they say names who manages the ServiceAccount, and each command that they propose ends it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover_cluster import iam_of
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

CREATE = "create-sa app -n default --attach-policy-arn $S3"
ELSEWHERE = "--state-dir elsewhere"
"""Another machine, which has no journals."""
RECOVER = f"recover --min-age 0s {ELSEWHERE}"
ARGO = {"argocd.argoproj.io/tracking-id": "apps:/ServiceAccount:default/app"}
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/app"
THEIRS = "arn:aws:iam::111122223333:role/theirs"
EC2 = """{"Version": "2012-10-17", "Statement":
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}"""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider and a role of somebody else's."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    stage.iam().create_role(RoleName="theirs", AssumeRolePolicyDocument=EC2)
    return stage


def annotated(stage: Stage, **annotations: str | None) -> None:
    """What a tool does that manages the ServiceAccount; None removes."""
    assert stage.kube.patch(ACCOUNT, {"metadata": {"annotations": annotations}}).status == 200


def removed(stage: Stage) -> None:
    annotated(stage, **{ROLE_ARN: None}, **ARGO)


def changed(stage: Stage) -> None:
    annotated(stage, **{ROLE_ARN: THEIRS}, **ARGO)


def chart(stage: Stage) -> None:
    """A chart's ServiceAccount."""
    stage.make_account("default", "app", labels={"app.kubernetes.io/managed-by": "Helm"})


def bound(stage: Stage, by: str = "chart") -> str:
    """A complete binding; the ServiceAccount is irsa's, or a chart's."""
    if by == "chart":
        chart(stage)
    return str(stage.run(f"{CREATE} -o json").item["role"]["arn"])


def made_again(stage: Stage) -> None:
    """A chart is uninstalled and installed again."""
    assert stage.kube.delete(ACCOUNT).status == 200
    chart(stage)


def roles(stage: Stage) -> list[str]:
    return [role["arn"] for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"]]


def follow(stage: Stage, command: str) -> None:
    """Run what is proposed, on another machine."""
    ran = stage.irsa(*shlex.split(command, comments=True)[1:], *ELSEWHERE.split())
    assert ran.code == 0, ran.err


Undo = Callable[[Stage], None]
cases = pytest.mark.parametrize(("by", "undo"), [("irsa", changed), ("chart", removed)])


def binding(stage: Stage, role: str) -> Json:
    """The binding of irsa's role, as get-sa has it."""
    (item,) = [
        item for item in stage.run("get-sa app -n default -o json").items if item["role"]["arn"] == role
    ]
    return dict(item)


@cases
def test_no_command_takes_it_for_half_made(small: Stage, by: str, undo: Undo) -> None:
    role = bound(small, by)
    undo(small)
    (item,) = small.run(f"{RECOVER} -o json").items
    (spared,) = item["leftAlone"]
    assert item["objects"] == []
    assert "Argo CD manages the ServiceAccount" in spared["why"]
    assert (ROLE_ARN if undo is removed else THEIRS) in spared["why"]
    small.run(f"{RECOVER} --all --yes", changes="")
    small.run(f"{RECOVER} {item['transaction']} --yes", code=4, changes="")
    shown = binding(small, role)
    assert (shown["status"], shown["serviceAccount"]["exists"]) == ("annotation-changed", True)
    assert "Argo CD manages the ServiceAccount" in shown["reason"]
    doctor = small.irsa("doctor", "app", "-n", "default", "-c", "demo", "-o", "json")
    problems = {found["id"]: found for found in doctor.item["findings"] if found["verdict"] == "problem"}
    assert "role-incomplete" not in problems
    if undo is removed:
        problem = problems["annotation-removed"]
        assert "lost its role; Argo CD manages it" in problem["text"]
        # The mark is still there, so the annotation alone makes the binding irsa's again.
        assert f"annotate serviceaccount app --overwrite {ROLE_ARN}={role}" in problem["fix"]
        assert not problem["fix"].startswith("#")
        said = ["lost its annotation", "irsa create-sa app -n default"]
        small.run("describe-sa app -n default", code=4, says=said)


@cases
def test_each_proposed_command_ends_it(small: Stage, by: str, undo: Undo) -> None:
    role, complete = bound(small, by), small.world()
    undo(small)
    follow(small, binding(small, role)["next"][0])
    annotated(small, **dict.fromkeys(ARGO))
    assert small.world() == complete
    assert binding(small, role)["status"] == "ok"
    undo(small)
    follow(small, binding(small, role)["next"][1])
    assert roles(small) == []


def test_a_mark_of_an_earlier_role_does_not_make_a_new_one_complete(small: Stage) -> None:
    """The role is deleted by hand, the annotation by a tool, and the next run is killed."""
    role = bound(small)
    annotated(small, **{ROLE_ARN: None})
    name = role.rpartition("/")[2]
    small.iam().detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    small.iam().delete_role(RoleName=name)
    small.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=small.kill))
    small.run(CREATE, code=-9)
    small.sandbox.settle()
    assert binding(small, role)["status"] == "incomplete"
    small.run(f"{RECOVER} --all --yes")
    assert roles(small) == []
    small.run(f"{CREATE} {ELSEWHERE}")
    assert binding(small, role)["status"] == "ok"


def test_a_role_whose_service_account_was_recreated_is_kept(small: Stage) -> None:
    """No mark tells any more that the run had finished."""
    name = bound(small).rpartition("/")[2]
    (made,) = [role for role in iam_of(small).roles.values() if role.name == name]
    made.create_date -= timedelta(days=1)
    made_again(small)
    small.run(f"{RECOVER} --all --yes", changes="")
    (item,) = small.run(f"{RECOVER} -o json").items
    (spared,) = item["leftAlone"]
    assert "was created after it, and not by its run; Helm manages it" in spared["why"]
    (command,) = spared["next"]
    follow(small, command)
    assert roles(small) == []


def test_the_same_create_sa_binds_a_recreated_service_account(small: Stage) -> None:
    bound(small)
    made_again(small)
    small.run(f"{CREATE} {ELSEWHERE}")
    assert small.role_of("default", "app")["attached"] == [READ_ONLY]
