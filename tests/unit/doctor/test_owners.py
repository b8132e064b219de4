"""How pods are restarted by what they belong to: whatever is pasted, running work still runs.

The pasted text is judged by what Kubernetes' controllers do; the API server decides nothing of it.
"""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.commands import edit, restart
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Proposal, Verdict, kind_of
from irsa_cli.core.doctor.reported import maker
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.kinds import pod as parsed
from tests.support.documents import Json
from tests.unit.current import account, around, bare_pod, working
from tests.unit.doctor.diagnosis_cases import CASES

OWNERS: dict[str, tuple[str, str, str]] = {
    "Deployment": ("apps/v1 ReplicaSet", "pod-template-hash=5d4f", "rollout restart deployment/web"),
    "StatefulSet": ("apps/v1 StatefulSet", "", "rollout restart statefulset/web-5d4f"),
    "DaemonSet": ("apps/v1 DaemonSet", "", "rollout restart daemonset/web-5d4f"),
    "ReplicaSet": ("apps/v1 ReplicaSet", "", "delete pod web-0"),
    "hash of another": ("apps/v1 ReplicaSet", "pod-template-hash=9c9c", "delete pod web-0"),
    "ReplicationController": ("v1 ReplicationController", "", "delete pod web-0"),
    "Argo Rollout": (
        "apps/v1 ReplicaSet",
        "rollouts-pod-template-hash=5d4f",
        "argo rollouts restart web",
    ),
    "ReplicaSet of nobody known": ("example.com/v1 ReplicaSet", "pod-template-hash=5d4f", ""),
    "nobody": ("", "", ""),
}
"""By the owner: API version and kind, a label of the pod, the command that harms nothing ('' for none)."""
OTHERS = """batch/v1 Job
tekton.dev/v1 TaskRun
sparkoperator.k8s.io/v1beta2 SparkApplication
argoproj.io/v1alpha1 Workflow
actions.github.com/v1alpha1 EphemeralRunner
ray.io/v1 RayCluster
v1 Pod
v1 Node
apps.kruise.io/v1beta1 StatefulSet
apps.kruise.io/v1alpha1 DaemonSet
batch.volcano.sh/v1alpha1 Job"""
OWNERS |= {kind: (kind, "", "") for kind in OTHERS.splitlines()}
"""By the owner: API version, kind, labels of the pod, and the command that harms nothing ('' for none)."""


def owned(what: str, *, controller: bool = True) -> Pod:
    kinds, label, _ = OWNERS[what]
    owners: list[Json] = [dict(zip(("apiVersion", "kind"), kinds.split(), strict=True))] if kinds else []
    for owner in owners:
        owner |= {"name": "web-5d4f", "uid": "u", "controller": controller}
    labels = dict([label.split("=")]) if label else {}
    metadata = {"namespace": "backend", "name": "web-0", "labels": labels, "ownerReferences": owners}
    return parsed({"metadata": metadata, "spec": {}})


def pasted(text: str) -> list[list[str]]:
    """The commands that a shell runs."""
    return [words for words in (shlex.split(line, comments=True) for line in text.splitlines()) if words]


@pytest.mark.parametrize("what", OWNERS)
def test_only_what_is_created_again_is_restarted(what: str) -> None:
    command, text, opened = OWNERS[what][2], restart(working(), [owned(what)]), edit(working(), owned(what))
    found = [[word for word in words[1:] if word not in ("-n", "backend")] for words in pasted(text)]
    assert found == ([command.split()] if command else [])
    assert text
    # Nothing immutable is opened.
    assert bool(pasted(opened)) is bool(command)
    assert all("edit" in words and "pod" not in words for words in pasted(opened))
    # As zsh, typed at: it takes `#` for a command, and what follows a `;` for another one.
    for line in f"{text}\n{opened}".splitlines():
        assert not line.startswith("#") or not set(line) & set("';&|`$()<>"), line


def test_an_owner_that_does_not_control_the_pod_creates_nothing_again() -> None:
    for what in ("ReplicaSet", "ReplicationController"):
        assert pasted(restart(working(), [owned(what, controller=False)])) == []


def test_a_plugin_of_kubectl_takes_options_after_its_name() -> None:
    assert restart(working(), [owned("Argo Rollout")]) == "kubectl argo rollouts restart web -n backend"


HELD = [
    ("Deployment", "web", '{"paused": true}'),
    ("DaemonSet", "web-5d4f", '{"updateStrategy": {"type": "OnDelete"}}'),
    ("StatefulSet", "web-5d4f", '{"updateStrategy": {"type": "OnDelete"}}'),
    ("StatefulSet", "web-5d4f", '{"updateStrategy": {"rollingUpdate": {"partition": 2}}}'),
]


@pytest.mark.parametrize(("kind", "name", "spec"), HELD)
@pytest.mark.parametrize("act", [restart, edit])
def test_what_has_no_effect_is_said_and_not_proposed(kind: str, name: str, spec: str, act: Any) -> None:
    def text(made: Json) -> str:
        item = maker(kind, {"metadata": {"name": name}, "spec": made})
        facts = replace(working(), makers={f"{kind}/{name}": item})
        said: str = act(facts, [owned(kind)] if act is restart else owned(kind))
        return said

    held = text(json.loads(spec))
    assert kind_of(held) is (Proposal.CHOICE if act is restart else Proposal.EDIT)
    assert f"{kind} {name} " in held
    assert "owner" in held
    assert "# " not in text({})


def test_the_template_of_a_cron_job_is_opened_for_the_pod_of_its_job() -> None:
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "controller": True}
    job = maker("Job", {"metadata": {"name": "web-5d4f", "ownerReferences": [owner]}, "spec": {}})
    facts = replace(working(), makers={"Job/web-5d4f": job})
    assert edit(facts, owned("batch/v1 Job")) == "kubectl -n backend edit cronjob nightly"


def of_owner(facts: Facts, what: str) -> Facts:
    """The same with pods that belong to this."""
    subject, other = facts.named, owned(what)

    def of_it(pods: Any) -> tuple[Pod, ...]:
        more = {"owner": other.owner, "controlled": other.controlled}
        found = pods if isinstance(pods, tuple) else ()
        return tuple(replace(item, **more, labels={**item.labels, **other.labels}) for item in found)

    pods, elsewhere = of_it(subject.pods), of_it(subject.elsewhere)
    return replace(facts, subject=replace(subject, pods=pods, elsewhere=elsewhere))


@pytest.mark.parametrize("what", [name for name, owner in OWNERS.items() if not owner[2]])
def test_whatever_is_wrong_running_work_still_runs(what: str) -> None:
    for cause, change in CASES:
        if cause == "pod-not-created":
            continue  # About a Deployment whose pods are not there.
        judgement = CAUSES[cause].judge(of_owner(change(working()), what))
        if judgement.verdict is Verdict.PROBLEM:
            for words in pasted(judgement.fix):
                assert not {"pod", "pods"} & set(words) or "get" in words, (cause, words)
                assert "restart" not in words, (cause, words)


RELEASE, NAME, PART = (f"app.kubernetes.io/{key}" for key in ("instance", "name", "component"))
OF_RELEASE = {RELEASE: "app", NAME: "reader"}
ASKED = [
    ("reader", OF_RELEASE, OF_RELEASE, False),
    ("reader-sa", OF_RELEASE, OF_RELEASE, False),
    ("reader-exporter", OF_RELEASE, OF_RELEASE, True),
    ("reader-test", OF_RELEASE, OF_RELEASE, True),
    ("reader", OF_RELEASE, {**OF_RELEASE, RELEASE: "other"}, True),
    ("reader", OF_RELEASE, {**OF_RELEASE, PART: "exporter"}, True),
    ("reader", {}, {}, True),
    ("reader", {}, OF_RELEASE, True),
]
"""The workload's name, the labels of the ServiceAccount and of the pod, and whether it is a question."""


@pytest.mark.parametrize(("workload", "labels", "theirs", "asked"), ASKED)
def test_another_identity_is_given_only_to_what_the_same_release_calls_so(
    workload: str, labels: dict[str, str], theirs: dict[str, str], asked: bool
) -> None:
    mine = {**theirs, "pod-template-hash": "5d4f"}
    for user in ("default", "bare"):
        owner = f"ReplicaSet/{workload}-5d4f"
        stray = bare_pod(name=f"{workload}-5d4f-x", service_account=user, owner=owner, labels=mine)
        facts = around(account=account(labels=labels), pods=(stray,))(working())
        judgement = CAUSES["pod-service-account"].judge(facts)
        if judgement.verdict is Verdict.PROBLEM:
            fix = judgement.fix
            assert f"set serviceaccount deployment {workload} reader" in fix or "create-sa" in fix
            assert (judgement.proposal is Proposal.CHOICE) is asked
        else:
            assert asked
