"""Causes in the ServiceAccount itself: whether it is there, pods use it, and a run holds its lock.

What its annotations say is in `irsa_cli.core.doctor.causes.annotation`. Who uses it, and who was probably to,
is found by `irsa_cli.core.doctor.clues.usage`.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

from irsa_cli.core.doctor.clues.meant import evidence, make_or_attach
from irsa_cli.core.doctor.clues.usage import (
    has_role,
    idle,
    is_meant,
    is_of_app,
    made_by_it,
    neighbours,
    released,
    strays,
)
from irsa_cli.core.doctor.commands import admit, commented, create, of_account
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import (
    ASSOCIATE_ROLE,
    Group,
    Judgement,
    cause,
    comment,
    hint,
    ok,
    problem,
    suspect,
    unknown,
)
from irsa_cli.core.doctor.owners import ROLLED, edit, owner_of, restart, set_account
from irsa_cli.core.doctor.subjects import account_of, annotation_of, is_bare, listed, pod_names, users_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

ACCOUNT = Group.SERVICE_ACCOUNT


@cause(
    "service-account-missing",
    ACCOUNT,
    98,
    title="There is no such ServiceAccount.",
    symptom="Pods that name it are not created; others use the ServiceAccount `default`.",
    looks_at="GET serviceaccount, list of the namespace's and the cluster's ServiceAccounts, trust policies"
    " of the account's roles, eks ListPodIdentityAssociations",
    remedy="Make it with its role: irsa create-sa, with --attach-role-arn where a role names it already; by"
    " itself, where an EKS Pod Identity association waits for it. Or use the name that was meant.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
)
def _missing(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount is there")
    others = facts.accounts if isinstance(facts.accounts, tuple) else ()
    if _elsewhere(others, subject):
        raise CannotTell("one of this name is in another namespace; see service-account-namespace")
    here = [item.name for item in others if item.namespace == subject.namespace]
    near = difflib.get_close_matches(subject.name, here, n=3, cutoff=0.7)
    namespace = "" if subject.namespace_labels is not None else "; nor is there such a namespace"
    association = subject.association
    return problem(
        f"ServiceAccount {subject.full_name} does not exist{namespace}",
        fix=create(facts) if isinstance(association, Association) else make_or_attach(facts),
        asked_for=subject.full_name,
        resembling=listed(near) or "none",
        **(_of(association) if isinstance(association, Association) else evidence(facts)),
    )


def _of(association: Association) -> dict[str, str]:
    """The association that waits for the ServiceAccount: with it, that has its role."""
    return {"association": f"{association.id} {association.role_arn}".rstrip()}


def _elsewhere(accounts: tuple[ServiceAccount, ...], subject: Subject) -> list[ServiceAccount]:
    found = [item for item in accounts if item.name == subject.name and item.namespace != subject.namespace]
    # The name `default` is in every namespace.
    return [item for item in found if ROLE_ARN_ANNOTATION in item.annotations]


@cause(
    "service-account-namespace",
    ACCOUNT,
    98,
    title="The ServiceAccount is in another namespace.",
    symptom="Pods use a ServiceAccount of their own namespace only, so they get no role.",
    looks_at="GET serviceaccount, list of the cluster's ServiceAccounts",
    remedy="Name the right namespace, or make the ServiceAccount where the pods are.",
    source="https://kubernetes.io/docs/concepts/security/service-accounts/",
)
def _namespace(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount is in this namespace")
    found = _elsewhere(have(facts.accounts), subject)
    if not found:
        raise CannotTell("there is none of this name elsewhere; see service-account-missing")
    return problem(
        "a ServiceAccount of this name, with a role, is elsewhere",
        fix=of_account(facts, "doctor", replace(subject, namespace=found[0].namespace)),
        asked_for=subject.full_name,
        there_is=listed(item.full_name for item in found),
    )


@cause(
    "service-account-renamed",
    ACCOUNT,
    97,
    title="A role admits a ServiceAccount of nearly this name, which is gone.",
    symptom="No AWS_ROLE_ARN in the pods, since a chart or its release was renamed",
    looks_at="the ServiceAccount's annotations, trust policies of the account's roles, the ServiceAccounts",
    remedy="Admit the ServiceAccount by its name of today, and annotate it; then restart the pods.",
    source=ASSOCIATE_ROLE,
)
def _renamed(facts: Facts) -> Judgement:
    subject = facts.named
    account_of(subject)
    if not subject.renamed:
        return ok("no role was found that admits one of nearly this name which is gone")
    pods = [pod for pod in users_of(subject) if is_bare(pod)]
    if not pods:
        return ok("its pods have an identity all the same")
    role, name = subject.renamed[0]
    commands = [admit(facts, subject, item.arn) for item, _ in subject.renamed]
    # Of several a person has to choose: pasted, nothing happens.
    fix = "\n".join(f"# {line}" for line in commands) if len(commands) > 1 else commands[0]
    return problem(
        "it names no role, and nobody has the name that the role admits",
        fix=f"{fix}\n{restart(facts, pods)}" if len(commands) == 1 else fix,
        role=role.arn,
        the_role_admits=f"{subject.namespace}/{name}",
        there_is=subject.full_name,
        pods=pod_names(pods),
    )


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
    account = account_of(subject)
    found = strays(facts) if has_role(account) else ()
    if found:
        return _stray(facts, found)
    mates = released(facts) if has_role(account) else ()
    if mates:
        return suspect(
            "nobody uses it, and pods of its release use another one, which has no role",
            pods=pod_names(mates),
            they_use=listed(sorted({pod.service_account for pod in mates})),
            if_they_are_to_have_its_role=_use(facts, mates[0]),
        )
    idles = () if has_role(account) else idle(facts)
    if idles:
        return _idle(facts, idles)
    pods = [pod for pod in have(subject.pods) if pod.is_alive]
    if any(pod.service_account == subject.name for pod in pods):
        return _beside(facts)
    others = listed(sorted({pod.service_account for pod in pods})) or "none"
    evidence = {"used_in_the_namespace": others}
    near = neighbours(facts)
    if near:
        evidence["pods_of_its_name"] = f"{pod_names(near)}, which have a ServiceAccount of their own"
    return unknown(f"no pod uses ServiceAccount {subject.full_name}", **evidence)


def _idle(facts: Facts, found: tuple[ServiceAccount, ...]) -> Judgement:
    subject = facts.named
    pods = [pod for pod in users_of(subject) if is_bare(pod)]
    other = replace(facts, subject=replace(subject, name=found[0].name, account=found[0]))
    return problem(
        "it names no role, and one of its release does that nobody uses",
        fix=commented(_use(other, pods[0]).splitlines()),
        pods=pod_names(pods),
        they_use=subject.name,
        with_a_role=listed(item.name for item in found),
    )


def _beside(facts: Facts) -> Judgement:
    """Pods use the ServiceAccount; others that they have made may be missing it."""
    subject = facts.named
    made, jobs = made_by_it(facts) if has_role(account_of(subject)) else ((), ())
    if not made and not jobs:
        return ok("pods use the ServiceAccount")
    text = "pods of the same application run as default, which has no role; whether they need one"
    say, found = (suspect, made) if made else (hint, jobs)
    return say(f"{text} can't be seen", pods=pod_names(found), they_use="default", in_place_of=subject.name)


def _stray(facts: Facts, found: tuple[Pod, ...]) -> Judgement:
    subject = facts.named
    mine = [pod for pod in found if pod.namespace == subject.namespace]
    used = any(pod.service_account == subject.name and pod.is_alive for pod in have(subject.pods))
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


@cause(
    "run-at-work",
    Group.SERVICE_ACCOUNT,
    25,
    title="A run of irsa holds the lock of the binding, or was interrupted while it held it.",
    symptom="What pods get is about to change, or is what an interrupted run has left.",
    looks_at="the Lease of the ServiceAccount in the namespace of the locks",
    remedy="Look again when the run has ended. What an interrupted one has left, irsa recover rolls back; the"
    " same command, run again, finishes it.",
    source="https://kubernetes.io/docs/concepts/architecture/leases/",
)
def _at_work(facts: Facts) -> Judgement:
    seen = have(facts.named.lock)
    if seen is None or not seen.state.holder:
        return ok("no run holds the lock of the binding")
    said = {"holder": seen.holder, "command": seen.doing, "since": seen.since, "lock": seen.until}
    if seen.ended is None:
        return hint("a run has locked it, and whether that run is at work is not known", **said)
    if not seen.ended:
        return hint("a run is at work on it: what is shown here may be different in a moment", **said)
    finish = facts.reach.for_irsa("recover")
    return hint(
        "an interrupted run: its lock has ended and was not released", **said, what_it_has_left=finish
    )
