"""`irsa doctor` without a name: what it could not look for is told, and many are seen to at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.aws import bindings as aws
from irsa_cli.sandbox import Rule, Sandbox
from irsa_cli.usecases.doctor import diagnose
from irsa_cli.usecases.doctor.diagnose import ASKED
from tests.scenarios.breaking import NAME, STS, Binding
from tests.scenarios.breaks import associate
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.doctoring import problems, run_doctor
from tests.scenarios.test_doctor_evidence import add_pod
from tests.scenarios.uncreating import no_pod, uncreated
from tests.support.stage import EVERYTHING, ROLE_ARN, Json, Stage

Output = pytest.CaptureFixture[str]
IN_THE_CLUSTER = [
    Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces", "events")),
    Rule(("create",), ("pods",)),
    Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",)),
    Rule(("list",), ("networkpolicies",), groups=("networking.k8s.io",)),
]
SECONDS = 20
"""How long a read waits for another one that is to be made at the same time; not at all where it is."""


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's API is enough: what is refused is AWS's, or by a rule that both know."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def may_not(binding: Binding, *actions: str) -> str:
    """An administrator who may not call these."""
    deny = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    policy = {**EVERYTHING, "Statement": [EVERYTHING["Statement"], deny]}
    binding.stage.sandbox.add_user("half", policy=policy)
    binding.stage._grant("half", IN_THE_CLUSTER)
    return "half"


def all_of(binding: Binding, capsys: Output, user: str = "admin") -> Json:
    return run_doctor(binding.stage, capsys, "-n", binding.namespace, user=user)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("eks:ListPodIdentityAssociations", "the list of EKS Pod Identity associations"),
        ("iam:ListRoles", "the list of IAM roles"),
    ],
)
def test_whom_nobody_could_look_for_is_not_called_right(
    action: str, text: str, binding: Binding, capsys: Output
) -> None:
    binding.new_pod()
    whole = all_of(binding, capsys)
    assert (whole["metadata"]["exitCode"], whole["metadata"]["complete"], whole["metadata"]["notes"]) == (
        0,
        True,
        [],
    )
    user = may_not(binding, action)
    half = all_of(binding, capsys, user)
    assert problems(half) == []
    assert (half["metadata"]["exitCode"], half["metadata"]["complete"]) == (1, False)
    (note,) = half["metadata"]["notes"]
    assert text in note
    assert action in note
    ran = binding.stage.irsa("doctor", "-n", binding.namespace, "-c", binding.stage.cluster, user=user)
    assert f"No problem was found, but {text} is not known (exit 1)." in ran.out


def test_a_problem_goes_before_what_could_not_be_looked_for(binding: Binding, capsys: Output) -> None:
    binding.values(aud="other")
    half = all_of(binding, capsys, may_not(binding, "eks:ListPodIdentityAssociations"))
    assert (half["metadata"]["exitCode"], half["metadata"]["complete"]) == (5, False)


def test_of_one_by_name_the_document_says_so_too(binding: Binding, capsys: Output) -> None:
    binding.new_pod()
    arguments = (NAME, "-n", binding.namespace)
    user = may_not(binding, "iam:GetRole")
    assert run_doctor(binding.stage, capsys, *arguments)["metadata"]["complete"]
    assert not run_doctor(binding.stage, capsys, *arguments, user=user)["metadata"]["complete"]


def test_events_that_are_hidden_do_not_tell_that_nobody_waits(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}")
    uncreated(binding, "web")
    seen = all_of(binding, capsys)
    assert [item["serviceAccount"]["name"] for item in seen["items"][1:]] == [NAME]
    user = binding.stage.restricted(
        (("get", "list"), ("serviceaccounts", "pods", "namespaces")), (("create",), ("pods",))
    )
    half = all_of(binding, capsys, user)
    assert (half["items"][1:], half["metadata"]["exitCode"], half["metadata"]["complete"]) == ([], 1, False)
    (note,) = half["metadata"]["notes"]
    assert "events" in note


@pytest.mark.parametrize("read", ["association", "role"])
def test_what_each_needs_is_read_at_the_same_time(
    read: str, binding: Binding, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    binding.annotate(None)
    binding.values(sub="system:serviceaccount:front:web")  # Else its role is read, too.
    associate(binding)
    binding.stage.make_account(binding.namespace, "second")
    principal = {"Service": "pods.eks.amazonaws.com"}
    actions = ["sts:AssumeRole", "sts:TagSession"]
    role = binding.make_role("second", {"Effect": "Allow", "Principal": principal, "Action": actions})
    binding.aws("eks").create_pod_identity_association(
        clusterName=binding.stage.cluster,
        namespace=binding.namespace,
        serviceAccount="second",
        roleArn=role,
    )
    met = threading.Barrier(2, timeout=SECONDS)
    monkeypatch.setattr(aws, read, together(met, getattr(aws, read)))
    document = all_of(binding, capsys)
    assert document["errors"] == []
    assert sorted(item["serviceAccount"]["name"] for item in document["items"][1:]) == [NAME, "second"]


def test_pods_on_the_node_s_role_that_a_pattern_allows_are_told(binding: Binding, capsys: Output) -> None:
    binding.new_pod()
    binding.exchange()
    binding.conditions(StringLike={"sub": f"system:serviceaccount:{binding.namespace}:*", "aud": STS})
    binding.stage.make_account(binding.namespace, "plain")
    assert [item["serviceAccount"]["name"] for item in all_of(binding, capsys)["items"][1:]] == [NAME]
    add_pod(binding, "plain-0", "plain")
    whole = all_of(binding, capsys)
    hints = {item["serviceAccount"]["name"]: item["findings"] for item in whole["items"][1:]}
    assert [found["id"] for found in hints["plain"] if found["hint"]] == ["annotation-missing"]
    assert (problems(whole), whole["metadata"]["exitCode"]) == ([], 0)
    ran = binding.stage.irsa("doctor", "-n", binding.namespace, "-c", binding.stage.cluster)
    assert (
        f"No problem was found. There are hints for {binding.namespace}/plain: run irsa doctor NAME."
        in ran.out
    )
    one = run_doctor(binding.stage, capsys, "plain", "-n", binding.namespace)
    assert problems(one) == ["annotation-missing"]


def populate(binding: Binding, count: int) -> None:
    """ServiceAccounts with a role and a running pod each."""
    iam, namespace = binding.aws("iam"), binding.namespace
    for number in range(count):
        name = f"app-{number}"
        document = json.dumps({"Version": "2012-10-17", "Statement": [binding.statement]})
        document = document.replace(binding.subject, f"system:serviceaccount:{namespace}:{name}")
        role = iam.create_role(RoleName=f"{namespace}-{name}", AssumeRolePolicyDocument=document)["Role"]
        iam.attach_role_policy(
            RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        )
        binding.stage.make_account(namespace, name, annotations={ROLE_ARN: role["Arn"]})
        add_pod(binding, f"{name}-0", name)


def test_of_more_than_cloudtrail_is_asked_about_that_is_said(binding: Binding, capsys: Output) -> None:
    binding.new_pod()
    populate(binding, ASKED)
    binding.stage.sandbox.calls.clear()
    whole = all_of(binding, capsys)
    operations = [call.operation for call in binding.stage.sandbox.calls]
    assert "LookupEvents" not in operations
    assert "GetRole" not in operations
    assert operations.count("GetAccountAuthorizationDetails") < 5
    assert (problems(whole), whole["metadata"]["exitCode"], whole["metadata"]["complete"]) == ([], 1, False)
    (note,) = whole["metadata"]["notes"]
    assert f"queries CloudTrail for {ASKED} ServiceAccounts at most" in note
    assert len(whole["items"]) == ASKED + 2
    assert len(json.dumps(whole["items"][1:])) < (ASKED + 1) * 4000
    ran = binding.stage.irsa("doctor", "-n", binding.namespace, "-c", binding.stage.cluster)
    assert "No problem was found, but the history of STS calls is not known (exit 1)." in ran.out


def test_roles_that_are_read_together_are_judged_as_those_that_are_read_one_by_one(
    binding: Binding, capsys: Output
) -> None:
    binding.new_pod()
    populate(binding, ASKED)
    binding.values(aud="other")
    together = all_of(binding, capsys)
    alone = run_doctor(
        binding.stage,
        capsys,
        "-n",
        binding.namespace,
        user=may_not(binding, "iam:GetAccountAuthorizationDetails"),
    )
    assert _said(together) == _said(alone)
    assert _said(together)[NAME] == ["trust-audience"]


def _said(document: Json) -> dict[str, list[str]]:
    return {
        item["serviceAccount"]["name"]: [it["id"] for it in item["findings"] if it["verdict"] == "problem"]
        for item in document["items"][1:]
    }


def test_of_several_the_judgement_is_that_of_one_by_name(
    binding: Binding, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    binding.new_pod()
    populate(binding, 2)
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    monkeypatch.setattr(
        diagnose, "datetime", type("Clock", (datetime,), {"now": classmethod(lambda *_: later)})
    )
    binding.exchange()
    whole = {item["serviceAccount"]["name"]: item["verdict"] for item in all_of(binding, capsys)["items"][1:]}
    for name, verdict in whole.items():
        one = run_doctor(binding.stage, capsys, name, "-n", binding.namespace)
        assert one["items"][0]["verdict"] == verdict
    assert all_of(binding, capsys)["metadata"]["exitCode"] == 1
    assert whole == {NAME: "ok", "app-0": "unknown", "app-1": "unknown"}


def together(met: threading.Barrier, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, when another one is under way as well."""

    def wait(*arguments: Any) -> Any:
        met.wait()
        return work(*arguments)

    return wait
