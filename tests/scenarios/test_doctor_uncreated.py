"""`irsa doctor` where pods can't be created: the API server's own refusals, and events of them."""

from __future__ import annotations

from collections.abc import Callable

from irsa_cli.sandbox import Rule
from tests.scenarios.breaking import NAME, Binding
from tests.scenarios.breaks import anew, annotated, each, refusing
from tests.scenarios.doctoring import Case, cases, diagnose, evidence, examine
from tests.scenarios.uncreating import (
    FOLDER,
    make_workload,
    mounted_twice,
    no_account,
    no_pod,
    path_of,
    tell,
    try_pod,
    uncreated,
)
from tests.support.kubeclient import Json
from tests.support.stage import ROLE_ARN

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


def refused(name: str = "web", account: str = NAME, **more: Json | str) -> Callable[[Binding], None]:
    """A workload whose pods are refused, for two mounts of a path or for its ServiceAccount."""
    spec = mounted_twice() if account == NAME else {}
    return lambda binding: uncreated_as(binding, name, account, **spec, **more)


def uncreated_as(binding: Binding, *words: str, **spec: object) -> None:
    """The same, without a result."""
    uncreated(binding, *words, **spec)  # type: ignore[arg-type]


def made_anew(binding: Binding) -> None:
    """Another workload in the place of the one of the event."""
    binding.stage.kube.delete(f"{path_of(binding, 'StatefulSet')}/web")
    make_workload(binding, "StatefulSet", "web", TEMPLATE)


@cases(
    Case(
        "old pods without an identity do not hide it",
        each(anew(None), annotated("$role"), refused()),
        f"{CAUSE} pod-older-than-annotation",
    ),
    Case("the same, without a pod of its own", each(no_pod, refused("cache", "cache-sa")), code=1),
    Case("the webhook of the identities that fails", each(no_pod, refusing, refused()), "webhook-failing"),
    *(
        Case(f"a {kind} has its pods by now", each(no_pod, refused(kind=kind, status=status)), code=1)
        for kind, status in (
            ("Deployment", {"replicas": 1}),
            ("DaemonSet", {**ALL_THERE, "numberReady": 1}),
            ("Job", {"active": 1}),
        )
    ),
    Case(
        "a Job is named with what to make anew",
        each(no_pod, refused("once", kind="Job")),
        CAUSE,
        fix="get job once",
    ),
    Case(
        "an event of something that was made anew is past",
        each(no_pod, refused(kind="StatefulSet"), made_anew),
        code=1,
    ),
)
def test_pods_that_are_refused(case: Case, binding: Binding) -> None:
    case.play(binding)


def test_two_mounts_of_one_path(binding: Binding) -> None:
    no_pod(binding)
    why = uncreated(binding, "web", **mounted_twice())
    assert "must be unique" in why
    diagnosis = diagnose(binding)
    assert diagnosis.problems == [CAUSE]
    item = diagnosis.of(CAUSE)
    assert FOLDER in item["text"]
    shown = {"workloads": "Deployment/web", "pods": "0 of 1", "the API server says": why}
    assert shown.items() <= evidence(item).items()
    assert item["fix"] == f"kubectl -n {binding.namespace} edit deployment web"
    # What is said to be wrong is: without that mount the API server takes the pod.
    assert try_pod(binding, "web-", TEMPLATE).status == 201


def test_a_service_account_that_was_not_there_yet(binding: Binding) -> None:
    each(no_pod, no_account)(binding)
    assert f'serviceaccount "{NAME}" not found' in uncreated(binding, "web")
    missing = diagnose(binding).problems
    assert missing[0] in NOT_THERE
    assert CAUSE not in missing
    binding.stage.make_account(binding.namespace, NAME, annotations={ROLE_ARN: binding.role_arn})
    diagnosis = diagnose(binding)
    assert diagnosis.problems == [CAUSE]
    assert diagnosis.fix == f"kubectl -n {binding.namespace} rollout restart deployment/web"


def test_pods_that_ask_for_another_service_account_which_is_not_there(binding: Binding) -> None:
    no_pod(binding)
    uncreated(binding, f"{NAME}-worker", f"{NAME}-sa")
    diagnosis = diagnose(binding)
    assert diagnosis.problems == [CAUSE]
    item = diagnosis.of(CAUSE)
    assert (evidence(item)["expected"], f"{NAME}-sa" in item["text"]) == (NAME, True)
    desired = f"# kubectl -n {binding.namespace} set serviceaccount deployment {NAME}-worker {NAME}"
    assert item["fix"].splitlines()[-1].strip() == desired  # By its name alone it is a question.


def test_what_events_say_is_shown_safely(binding: Binding) -> None:
    no_pod(binding)
    maker = make_workload(binding, "StatefulSet", "web", TEMPLATE)
    evil = "denied\n    to fix      rm -rf ~\x1b[2J; Bearer eyJhbGciOiJSUzI1NiJ9.e30.abc"
    tell(binding, "StatefulSet", maker, f"create Pod web-0 in StatefulSet web failed error: {evil}")
    ran = binding.stage.run(f"doctor {NAME} -n $ns", code=5, silent=("\x1b", "eyJhbGci"))
    assert not [line for line in ran.out.splitlines() if line.strip().startswith("to fix      rm")]


def test_events_that_may_not_be_read_are_not_none(binding: Binding) -> None:
    stage = binding.stage
    uncreated(binding, NAME, **mounted_twice())
    user = stage.restricted()
    stage._grant(user, READING)
    healthy = diagnose(binding, user=user)
    assert healthy.problems == []
    assert CAUSE not in healthy.untold
    no_pod(binding)
    hidden = diagnose(binding, user=user)
    assert (hidden.problems, hidden.code, CAUSE in hidden.untold) == ([], 1, True)
    assert "events" in hidden.of(CAUSE)["text"]
    stage._grant(user, [*READING, EVENTS])
    half = diagnose(binding, user=user)
    assert (half.problems, half.code) == ([], 1)
    assert "replicasets" in evidence(half.of(CAUSE))["unreadable"]
    stage._grant(user, [*READING, EVENTS, MAKERS])
    assert diagnose(binding, user=user).problems == [CAUSE]


def test_of_a_namespace_a_rollout_that_hangs_is_seen_beside_pods_that_run(binding: Binding) -> None:
    refused()(binding)
    diagnosis = examine(binding.stage, "-n", binding.namespace)
    assert (diagnosis.accounts, diagnosis.code) == ({NAME: [CAUSE]}, 5)
    no_pod(binding)  # Of a cluster, events are read once where pods are missing.
    assert seen_of(binding) == {NAME: [CAUSE]}


def seen_of(binding: Binding, *where: str) -> dict[str, list[str]]:
    """The problems in the binding's namespace, of a cluster or of the namespace."""
    return examine(binding.stage, *where).within(binding.namespace)


def test_of_a_namespace_a_service_account_is_named_that_a_role_waits_for(binding: Binding) -> None:
    each(no_pod, no_account)(binding)
    where = ("-n", binding.namespace)
    assert seen_of(binding, *where) == {}
    uncreated(binding, "web")
    uncreated(binding, "cache", "cache-sa")  # No role waits for this one: it is no matter of identities.
    for words in ((), where):
        ((name, wrong),) = seen_of(binding, *words).items()
        assert (name, len(wrong), set(wrong) <= NOT_THERE) == (NAME, 1, True)
