"""`irsa doctor` where pods can't be created: the API server's own refusals, and events of them."""

from __future__ import annotations

import pytest

from irsa_cli.sandbox import Rule
from tests.scenarios.breaking import NAME, Binding
from tests.scenarios.doctoring import doctor, of, problems, run_doctor, untold
from tests.scenarios.uncreating import (
    FOLDER,
    failing_webhook,
    make_workload,
    mounted_twice,
    no_pod,
    path_of,
    tell,
    try_pod,
    uncreated,
)
from tests.support.kubeclient import Json
from tests.support.ran import full_name
from tests.support.stage import ROLE_ARN

Output = pytest.CaptureFixture[str]
NOT_THERE = {"service-account-missing", "service-account-namespace"}
"""On the real server other tests have ServiceAccounts of the same name, in namespaces of their own."""
CAUSE = "pod-not-created"
TEMPLATE: Json = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"serviceAccountName": NAME, "containers": [{"name": "app", "image": "app:1"}]},
}
ALL_THERE = {"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberMisscheduled": 0}
READING = [
    Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces")),
    Rule(("create",), ("pods",)),
    Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",)),
]
EVENTS = Rule(("list",), ("events",))
MAKERS = Rule(("list",), ("replicasets", "statefulsets", "daemonsets"), groups=("apps",))


def found(document: Json, cause: str = CAUSE) -> Json:
    """What was found of a cause."""
    (item,) = (item for item in document["items"][0]["findings"] if item["id"] == cause)
    return dict(item)


def evidence(item: Json) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in item["evidence"]}


def test_two_mounts_of_one_path(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    why = uncreated(binding, "web", **mounted_twice())
    assert "must be unique" in why
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == [CAUSE]
    item = found(document)
    assert FOLDER in item["text"]
    assert evidence(item)["workloads"] == "Deployment/web"
    assert evidence(item)["pods"] == "0 of 1"
    assert evidence(item)["the API server says"] == why
    assert item["fix"] == f"kubectl -n {binding.namespace} edit deployment web"
    # What is said to be wrong is: without that mount the API server takes the pod.
    assert try_pod(binding, "web-", TEMPLATE).status == 201


def test_old_pods_without_an_identity_do_not_hide_that_new_ones_are_refused(
    binding: Binding, capsys: Output
) -> None:
    binding.annotate(None)
    binding.new_pod()
    binding.annotate(binding.role_arn)
    uncreated(binding, "web", **mounted_twice())
    assert set(problems(doctor(binding, capsys, *of(binding)))) == {CAUSE, "pod-older-than-annotation"}


def test_a_service_account_that_was_not_there_yet(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    path = f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}"
    binding.stage.kube.delete(path)
    why = uncreated(binding, "web")
    assert f'serviceaccount "{NAME}" not found' in why
    missing = doctor(binding, capsys, *of(binding))
    assert problems(missing)[0] in NOT_THERE
    assert CAUSE not in problems(missing)
    binding.stage.make_account(binding.namespace, NAME, annotations={ROLE_ARN: binding.role_arn})
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == [CAUSE]
    assert found(document)["fix"] == f"kubectl -n {binding.namespace} rollout restart deployment/web"


def test_pods_that_ask_for_another_service_account_which_is_not_there(
    binding: Binding, capsys: Output
) -> None:
    no_pod(binding)
    uncreated(binding, f"{NAME}-worker", f"{NAME}-sa")
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == [CAUSE]
    item = found(document)
    assert (evidence(item)["expected"], f"{NAME}-sa" in item["text"]) == (NAME, True)
    desired = f"# kubectl -n {binding.namespace} set serviceaccount deployment {NAME}-worker {NAME}"
    assert item["fix"].splitlines()[-1].strip() == desired  # By its name alone it is a question.
    assert try_pod(binding, "web-", TEMPLATE).status == 201


def test_another_application_that_asks_for_what_is_not_there_is_no_cause(
    binding: Binding, capsys: Output
) -> None:
    uncreated(binding, "cache", "cache-sa")
    used = doctor(binding, capsys, *of(binding))
    assert (problems(used), used["metadata"]["exitCode"]) == ([], 0)
    no_pod(binding)
    unused = doctor(binding, capsys, *of(binding))
    assert (problems(unused), unused["metadata"]["exitCode"]) == ([], 1)


def test_a_webhook_of_others_that_fails(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    failing_webhook(binding)
    uncreated(binding, "web", kind="StatefulSet")
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == [CAUSE]
    assert "webhook mesh.example.com" in found(document)["text"]


def test_the_webhook_of_the_identities_that_fails_is_a_cause_of_its_own(
    binding: Binding, capsys: Output
) -> None:
    no_pod(binding)
    binding.refuse_pods(clientConfig={"url": "https://127.0.0.1:1/mutate"}, failurePolicy="Fail")
    uncreated(binding, "web")
    assert problems(doctor(binding, capsys, *of(binding))) == ["webhook-failing"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("Deployment", {"replicas": 1}),
        ("StatefulSet", {"replicas": 1}),
        ("DaemonSet", {**ALL_THERE, "numberReady": 1}),
        ("Job", {"active": 1}),
    ],
)
def test_what_has_its_pods_by_now_is_no_cause(
    binding: Binding, capsys: Output, kind: str, status: Json
) -> None:
    no_pod(binding)
    uncreated(binding, "web", kind=kind, status=status, **mounted_twice())
    document = doctor(binding, capsys, *of(binding))
    assert (problems(document), document["metadata"]["exitCode"]) == ([], 1)


def test_a_job_is_named_with_what_to_make_anew(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    uncreated(binding, "once", kind="Job", **mounted_twice())
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == [CAUSE]
    assert "get job once" in found(document)["fix"]


def test_an_event_of_something_that_was_made_anew_is_past(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    uncreated(binding, "web", kind="StatefulSet", **mounted_twice())
    binding.stage.kube.delete(f"{path_of(binding, 'StatefulSet')}/web")
    gone = doctor(binding, capsys, *of(binding))
    assert problems(gone) == []
    make_workload(binding, "StatefulSet", "web", TEMPLATE)
    assert problems(doctor(binding, capsys, *of(binding))) == []


def test_what_events_say_is_shown_safely(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    maker = make_workload(binding, "StatefulSet", "web", TEMPLATE)
    evil = "denied\n    to fix      rm -rf ~\x1b[2J; Bearer eyJhbGciOiJSUzI1NiJ9.e30.abc"
    tell(binding, "StatefulSet", maker, f"create Pod web-0 in StatefulSet web failed error: {evil}")
    ran = binding.stage.irsa("doctor", *of(binding), "-c", "demo")
    assert ran.code == 5
    assert "\x1b" not in ran.out
    assert "eyJhbGci" not in ran.out
    assert not [line for line in ran.out.splitlines() if line.strip().startswith("to fix      rm")]


def test_events_that_may_not_be_read_are_not_none(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    uncreated(binding, NAME, **mounted_twice())
    user = binding.stage.restricted()
    binding.stage._grant(user, READING)
    hidden = doctor(binding, capsys, *of(binding), user=user)
    assert (problems(hidden), hidden["metadata"]["exitCode"]) == ([], 1)
    assert CAUSE in untold(hidden)
    assert "events" in found(hidden)["text"]
    binding.stage._grant(user, [*READING, EVENTS])
    half = doctor(binding, capsys, *of(binding), user=user)
    assert (problems(half), half["metadata"]["exitCode"]) == ([], 1)
    assert "replicasets" in evidence(found(half))["unreadable"]
    binding.stage._grant(user, [*READING, EVENTS, MAKERS])
    assert problems(doctor(binding, capsys, *of(binding), user=user)) == [CAUSE]


def test_a_healthy_one_costs_no_call_more(binding: Binding, capsys: Output) -> None:
    uncreated(binding, "web", **mounted_twice())
    user = binding.stage.restricted()
    binding.stage._grant(user, READING)  # Whoever may not list events is not told so, either.
    document = doctor(binding, capsys, *of(binding), user=user)
    assert problems(document) == []
    assert CAUSE not in untold(document)


def test_of_a_namespace_a_rollout_that_hangs_is_seen_beside_pods_that_run(
    binding: Binding, capsys: Output
) -> None:
    uncreated(binding, "web", **mounted_twice())
    document = run_doctor(binding.stage, capsys, "-n", binding.namespace)
    (account,) = document["items"][1:]
    assert [item["id"] for item in account["findings"] if item["verdict"] == "problem"] == [CAUSE]
    assert document["metadata"]["exitCode"] == 5


def test_of_a_cluster_events_are_read_once_where_pods_are_missing(binding: Binding, capsys: Output) -> None:
    no_pod(binding)
    uncreated(binding, "web", **mounted_twice())
    document = run_doctor(binding.stage, capsys)
    (account,) = (i for i in document["items"][1:] if full_name(i).startswith(f"{binding.namespace}/"))
    assert [item["id"] for item in account["findings"] if item["verdict"] == "problem"] == [CAUSE]


def test_of_a_namespace_a_service_account_is_named_that_a_role_waits_for(
    binding: Binding, capsys: Output
) -> None:
    no_pod(binding)
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}")
    assert run_doctor(binding.stage, capsys, "-n", binding.namespace)["items"][1:] == []
    uncreated(binding, "web")
    uncreated(binding, "cache", "cache-sa")  # No role waits for this one: it is no matter of identities.
    for namespace in ((), ("-n", binding.namespace)):
        document = run_doctor(binding.stage, capsys, *namespace)
        (account,) = (
            i for i in document["items"][1:] if i["serviceAccount"]["namespace"] == binding.namespace
        )
        wrong = [item["id"] for item in account["findings"] if item["verdict"] == "problem"]
        assert (account["serviceAccount"]["name"], len(wrong)) == (NAME, 1)
        assert set(wrong) <= NOT_THERE
