"""A cause in which ServiceAccount the pods use: another one than this.

Who uses it, and who was probably to, is found by `irsa_cli.core.doctor.clues.usage`.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.doctor.clues.usage import (
    has_role,
    is_active,
    is_meant,
    is_of_app,
    made_by_it,
    neighbours,
    strays,
)
from irsa_cli.core.doctor.commands import admit
from irsa_cli.core.doctor.doubt import commented
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.owners import ROLLED, edit, owner_of, restart, set_account
from irsa_cli.core.doctor.proposals import comment
from irsa_cli.core.doctor.subjects import account_of, annotation_of, listed, pod_names
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import have


@cause(
    "pod-service-account",
    Group.PODS,
    93,
    title="The pods use another ServiceAccount than this one.",
    symptom="The pods have another role, the node's, or none.",
    looks_at="serviceAccountName of the namespace's pods",
    remedy="Set serviceAccountName in the pod's template.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
)
def _service_account(facts: Facts) -> Judgement:
    subject = facts.named
    found = strays(facts) if has_role(account_of(subject)) else ()
    if found:
        return _stray(facts, found)
    pods = [pod for pod in have(subject.pods) if is_active(pod)]
    if any(pod.service_account == subject.name for pod in pods):
        return _beside(facts)
    others = listed(sorted({pod.service_account for pod in pods})) or "none"
    evidence = {"used_in_the_namespace": others}
    near = neighbours(facts)
    if near:
        evidence["pods_of_its_name"] = f"{pod_names(near)}, which have a ServiceAccount of their own"
    return unknown(f"no pod uses ServiceAccount {subject.full_name}", **evidence)


def _beside(facts: Facts) -> Judgement:
    """Pods use the ServiceAccount; others that they have made may be missing it."""
    subject = facts.named
    made, jobs = made_by_it(facts) if has_role(account_of(subject)) else ((), ())
    if not made and not jobs:
        return ok("pods use the ServiceAccount")
    text = "pods of the same application run as default, which has no role; whether they need one"
    say, found = (suspect, made) if made else (hint, jobs)
    return say(
        f"{text} can't be seen",
        pods=pod_names(found),
        they_use="default",
        in_place_of=subject.name,
    )


def _stray(facts: Facts, found: tuple[Pod, ...]) -> Judgement:
    subject = facts.named
    mine = [pod for pod in found if pod.namespace == subject.namespace]
    used = any(pod.service_account == subject.name and is_active(pod) for pod in have(subject.pods))
    if used:
        text = "pods that its pods have made use another, which has no role"
    elif mine:
        text = "nobody uses the ServiceAccount, and pods of its name use another, which has no role"
    else:
        text = "nobody uses it, and pods use the one of its name in another namespace, which has no role"
    first = found[0]
    here = first in mine and (first.service_account == "default" or is_of_app(first, subject.name))
    return problem(
        text,
        fix=_use(facts, first) if here else _admit_other(facts, first),
        pods=pod_names(found),
        they_use=listed(sorted({_account_name(subject, pod) for pod in found})),
        expected=subject.name if mine or used else subject.full_name,
    )


def _account_name(subject: Subject, pod: Pod) -> str:
    own = pod.namespace == subject.namespace
    return pod.service_account if own else f"{pod.namespace}/{pod.service_account}"


def _admit_other(facts: Facts, pod: Pod) -> str:
    """How the ServiceAccount that the pods use gets the role: a question, they share a name only."""
    other = replace(facts.named, namespace=pod.namespace, name=pod.service_account, account=None)
    ask = f"only if {other.full_name} is to have the role, as its owner says:"
    lines = "\n".join((admit(facts, other, annotation_of(facts.named)), restart(facts, [pod])))
    return commented((comment(ask), *lines.splitlines()))


def _use(facts: Facts, pod: Pod) -> str:
    """The command that has the pods use the ServiceAccount; a question, unless its own release says so."""
    kind, owner = owner_of(pod)
    if kind not in ROLLED:
        return edit(facts, pod)
    command = set_account(facts, pod.namespace, kind, owner)
    account = account_of(facts.named)
    held = facts.makers.get(f"{kind}/{owner}")
    if is_meant(account, pod) and not (held and held.held):
        return command
    ask = f"only if {kind} {owner} is to have the role of {account.name}, as its owner says:"
    return "\n".join(map(comment, (ask, command)))
