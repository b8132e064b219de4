"""`irsa doctor` without a name: what it could not look for is told, and many are seen to at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from irsa_cli.aws import bindings as aws
from irsa_cli.sandbox import Rule
from irsa_cli.usecases.doctor import diagnose as diagnosing
from irsa_cli.usecases.doctor.diagnose import ASKED
from tests.scenarios.alone import stage_alone as stage_alone
from tests.scenarios.breaking import NAME, Binding
from tests.scenarios.breaks import IN_FRONT, SERVICE, annotated, associate, condition, each, values
from tests.scenarios.doctoring import Diagnosis, diagnose, examine
from tests.scenarios.uncreating import add_pod, no_account, no_pod, uncreated
from tests.support.documents import statement
from tests.support.stage import EVERYTHING, ROLE_ARN

IN_THE_CLUSTER = [
    Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces", "events")),
    Rule(("create",), ("pods",)),
    Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",)),
    Rule(("list",), ("networkpolicies",), groups=("networking.k8s.io",)),
]


def may_not(binding: Binding, action: str) -> str:
    """An administrator who may not call this."""
    statements = [EVERYTHING["Statement"], statement(f"Deny {action} on *")]
    binding.stage.sandbox.add_user("half", policy={**EVERYTHING, "Statement": statements})
    binding.stage._grant("half", IN_THE_CLUSTER)
    return "half"


def all_of(binding: Binding, user: str = "admin") -> Diagnosis:
    """The namespace's ServiceAccounts, all of which the pods' role was seen of."""
    return examine(binding.stage, "-n", binding.namespace, user=user)


def end(diagnosis: Diagnosis) -> tuple[list[str], int, bool]:
    """The problems of the cluster, the exit code, and whether all was looked at."""
    return diagnosis.problems, diagnosis.code, diagnosis.document["metadata"]["complete"]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("eks:ListPodIdentityAssociations", "the list of EKS Pod Identity associations"),
        ("iam:ListRoles", "the list of IAM roles"),
    ],
)
def test_whom_nobody_could_look_for_is_not_called_right(action: str, text: str, binding: Binding) -> None:
    whole = all_of(binding)
    assert (end(whole), whole.notes) == (([], 0, True), [])
    user = may_not(binding, action)
    half = all_of(binding, user)
    assert end(half) == ([], 1, False)
    (note,) = half.notes
    assert text in note
    assert action in note
    said = f"No problem was found, but {text} is not known (exit 1)."
    binding.stage.run("doctor -n $ns", code=1, says=said, user=user)
    values(aud="other")(binding)  # A problem goes before it.
    assert end(all_of(binding, user))[1:] == (5, False)


def test_of_one_by_name_the_document_says_so_too(binding: Binding) -> None:
    assert end(diagnose(binding))[2]
    assert not end(diagnose(binding, user=may_not(binding, "iam:GetRole")))[2]


def test_events_that_are_hidden_do_not_tell_that_nobody_waits(binding: Binding) -> None:
    each(no_pod, no_account)(binding)
    uncreated(binding, "web")
    assert list(all_of(binding).accounts) == [NAME]
    user = binding.stage.restricted(
        (("get", "list"), ("serviceaccounts", "pods", "namespaces")), (("create",), ("pods",))
    )
    half = all_of(binding, user)
    assert (half.accounts, end(half)[1:]) == ({}, (1, False))
    assert "events" in half.notes[0]


@pytest.mark.parametrize("read", ["association", "whole_role"])
def test_what_each_needs_is_read_at_the_same_time(
    read: str, binding: Binding, monkeypatch: pytest.MonkeyPatch
) -> None:
    each(annotated(None), values(IN_FRONT))(binding)  # Else its role is read, too.
    for name in (NAME, "second"):
        role = binding.make_role(name, json.loads(SERVICE)) if name != NAME else ""
        associate(binding, name=name, role=role)
    binding.stage.make_account(binding.namespace, "second")
    met = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(aws, read, together(met, getattr(aws, read)))
    diagnosis = all_of(binding)
    assert (diagnosis.document["errors"], sorted(diagnosis.accounts)) == ([], [NAME, "second"])


def together(met: threading.Barrier, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, when another one is under way as well."""

    def wait(*arguments: Any) -> Any:
        met.wait()
        return work(*arguments)

    return wait


def test_pods_on_the_node_s_role_that_a_pattern_allows_are_told(binding: Binding) -> None:
    binding.exchange()
    condition('{"StringLike": {"sub": "system:serviceaccount:$ns:*", "aud": "sts.amazonaws.com"}}')(binding)
    binding.stage.make_account(binding.namespace, "plain")
    assert list(all_of(binding).accounts) == [NAME]
    add_pod(binding, "plain-0", "plain")
    whole = all_of(binding)
    (hints,) = (
        [found["id"] for found in item["findings"] if found["hint"]]
        for item in whole.document["items"][1:]
        if item["serviceAccount"]["name"] == "plain"
    )
    assert (hints, end(whole)[:2]) == (["annotation-missing"], ([], 0))
    said = "No problem was found. There are hints for $ns/plain: run irsa doctor NAME."
    binding.stage.run("doctor -n $ns", says=said)
    assert examine(binding.stage, "plain", "-n", binding.namespace).problems == ["annotation-missing"]


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


def test_of_more_than_cloudtrail_is_asked_about_that_is_said(binding: Binding) -> None:
    """And roles that are read together are judged as those that are read one by one."""
    populate(binding, ASKED)
    binding.stage.sandbox.calls.clear()
    whole = all_of(binding)
    operations = [call.operation for call in binding.stage.sandbox.calls]
    assert not {"LookupEvents", "GetRole"} & set(operations)
    assert operations.count("GetAccountAuthorizationDetails") < 5
    assert end(whole) == ([], 1, False)
    (note,) = whole.notes
    assert f"queries CloudTrail for {ASKED} ServiceAccounts at most" in note
    assert len(whole.accounts) == ASKED + 1
    assert len(json.dumps(whole.document["items"][1:])) < (ASKED + 1) * 4000
    said = "No problem was found, but the history of STS calls is not known (exit 1)."
    binding.stage.run("doctor -n $ns", code=1, says=said)
    values(aud="other")(binding)
    read_together = all_of(binding).accounts
    assert read_together == all_of(binding, may_not(binding, "iam:GetAccountAuthorizationDetails")).accounts
    assert read_together[NAME] == ["trust-audience"]


def test_of_several_the_judgement_is_that_of_one_by_name(
    binding: Binding, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(binding, 2)
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    clock = type("Clock", (datetime,), {"now": classmethod(lambda *_: later)})
    monkeypatch.setattr(diagnosing, "datetime", clock)
    binding.exchange()
    whole = all_of(binding)
    verdicts = {item["serviceAccount"]["name"]: item["verdict"] for item in whole.document["items"][1:]}
    assert (whole.code, verdicts) == (1, {NAME: "ok", "app-0": "unknown", "app-1": "unknown"})
    for name, verdict in verdicts.items():
        alone = examine(binding.stage, name, "-n", binding.namespace)
        assert alone.document["items"][0]["verdict"] == verdict
