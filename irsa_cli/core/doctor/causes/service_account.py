"""Causes in the ServiceAccount itself: whether it exists, pods use it, and a run holds its lock."""

from __future__ import annotations

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
from irsa_cli.core.doctor.commands import (
    admit,
    commented,
    create,
    edit,
    make,
    of_account,
    restart,
    set_account,
)
from irsa_cli.core.doctor.facts import Facts, Subject, known
from irsa_cli.core.doctor.finding import Judgement, check_of, comment, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import is_bare, listed, pod_names
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import ROLLED, Pod, ServiceAccount, owner_of
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import slips


@check_of("service-account-missing")
def _missing(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount exists")
    others = known(facts.accounts)
    if _elsewhere(others, subject):
        raise CannotTell("another namespace has it; see service-account-namespace")
    here = [item.name for item in others if item.namespace == subject.namespace]
    near = slips.near(subject.name, here)
    namespace = "" if subject.namespace_labels is not None else ", and neither does its namespace"
    association = subject.association
    fix = create(facts) if isinstance(association, Association) else make_or_attach(facts)
    if near and fix == make(facts, subject):
        meant = of_account(facts, "doctor", replace(subject, name=near[0]))
        fix = f"{meant}\n{comment('or, to create it:')}\n{comment(fix)}"
    return problem(
        f"ServiceAccount {subject.full_name} does not exist{namespace}",
        fix=fix,
        expected=subject.full_name,
        similar=listed(near) or "none",
        **(
            {"association": f"{association.id} {association.role_arn}".rstrip()}
            if isinstance(association, Association)
            else evidence(facts)
        ),
    )


def _elsewhere(accounts: tuple[ServiceAccount, ...], subject: Subject) -> list[ServiceAccount]:
    found = [item for item in accounts if item.name == subject.name and item.namespace != subject.namespace]
    # The name `default` is in every namespace.
    return [item for item in found if ROLE_ARN_ANNOTATION in item.annotations]


@check_of("service-account-namespace")
def _namespace(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount is in this namespace")
    found = _elsewhere(have(facts.accounts), subject)
    if not found:
        raise CannotTell("no other namespace has it; see service-account-missing")
    return problem(
        "another namespace has a ServiceAccount of this name with a role",
        fix=of_account(facts, "doctor", replace(subject, namespace=found[0].namespace)),
        expected=subject.full_name,
        found=listed(item.full_name for item in found),
    )


@check_of("service-account-renamed")
def _renamed(facts: Facts) -> Judgement:
    subject = facts.named
    subject.existing()
    if not subject.renamed:
        return ok("no role trusts a deleted ServiceAccount with a similar name")
    pods = [pod for pod in subject.users() if is_bare(pod)]
    if not pods:
        return ok("its pods have an identity")
    role, name = subject.renamed[0]
    commands = [admit(facts, subject, item.arn) for item, _ in subject.renamed]
    # Of several a person has to choose: pasted, nothing happens.
    fix = "\n".join(f"# {line}" for line in commands) if len(commands) > 1 else commands[0]
    return problem(
        "it has no role, and the ServiceAccount that the role trusts does not exist",
        fix=f"{fix}\n{restart(facts, pods)}" if len(commands) == 1 else fix,
        role=role.arn,
        role_trusts=f"{subject.namespace}/{name}",
        found=subject.full_name,
        pods=pod_names(pods),
    )


@check_of("pod-service-account")
def _service_account(facts: Facts) -> Judgement:
    subject = facts.named
    account = subject.existing()
    found = strays(facts) if has_role(account) else ()
    if found:
        return _stray(facts, found)
    mates = released(facts) if has_role(account) else ()
    if mates:
        return suspect(
            "no pod uses it, and the pods of its release use a ServiceAccount without a role",
            pods=pod_names(mates),
            pods_use=listed(sorted({pod.service_account for pod in mates})),
            to_change_it=_use(facts, mates[0]),
        )
    idles = () if has_role(account) else idle(facts)
    if idles:
        return _idle(facts, idles)
    pods = [pod for pod in have(subject.pods) if pod.is_alive]
    if any(pod.service_account == subject.name for pod in pods):
        return _used(facts)
    others = listed(sorted({pod.service_account for pod in pods})) or "none"
    evidence = {"in_use": others}
    near = neighbours(facts)
    if near:
        evidence["similar_pods"] = f"{pod_names(near)}, with their own ServiceAccount"
    return unknown(f"no pod uses ServiceAccount {subject.full_name}", **evidence)


def _idle(facts: Facts, found: tuple[ServiceAccount, ...]) -> Judgement:
    subject = facts.named
    pods = [pod for pod in subject.users() if is_bare(pod)]
    other = replace(facts, subject=replace(subject, name=found[0].name, account=found[0]))
    return problem(
        "it has no role, and no pod uses its release's ServiceAccount with a role",
        fix=commented(_use(other, pods[0]).splitlines()),
        pods=pod_names(pods),
        pods_use=subject.name,
        with_role=listed(item.name for item in found),
    )


def _used(facts: Facts) -> Judgement:
    """Pods use the ServiceAccount; others that they have made may be missing it."""
    subject = facts.named
    made, jobs = made_by_it(facts) if has_role(subject.existing()) else ((), ())
    if not made and not jobs:
        return ok("pods use the ServiceAccount")
    text = "pods of the same application use the ServiceAccount default, which has no role"
    say, found = (suspect, made) if made else (hint, jobs)
    return say(text, pods=pod_names(found), pods_use="default", expected=subject.name)


def _stray(facts: Facts, found: tuple[Pod, ...]) -> Judgement:
    subject = facts.named
    mine = [pod for pod in found if pod.namespace == subject.namespace]
    used = any(pod.service_account == subject.name and pod.is_alive for pod in have(subject.pods))
    if used:
        text = "pods created by its pods use a ServiceAccount without a role"
    elif mine:
        text = "no pod uses it, and pods with its name use a ServiceAccount without a role"
    else:
        text = "no pod uses it; pods use a ServiceAccount of this name without a role in another namespace"
    first = found[0]
    here = first in mine and (first.service_account == "default" or is_of_app(first, subject.name))
    return problem(
        text,
        fix=_use(facts, first) if here else _admit_other(facts, first),
        pods=pod_names(found),
        pods_use=listed(sorted({_account_name(subject, pod) for pod in found})),
        expected=subject.name if mine or used else subject.full_name,
    )


def _account_name(subject: Subject, pod: Pod) -> str:
    own = pod.namespace == subject.namespace
    return pod.service_account if own else f"{pod.namespace}/{pod.service_account}"


def _admit_other(facts: Facts, pod: Pod) -> str:
    """How the ServiceAccount that the pods use gets the role: a question, they share a name only."""
    other = replace(facts.named, namespace=pod.namespace, name=pod.service_account, account=None)
    ask = f"only if {other.full_name} needs the role, ask its owner:"
    lines = "\n".join((admit(facts, other, facts.named.annotation()), restart(facts, [pod])))
    return commented((comment(ask), *lines.splitlines()))


def _use(facts: Facts, pod: Pod) -> str:
    """The command that has the pods use the ServiceAccount; a question, unless its own release says so."""
    kind, owner = owner_of(pod)
    if kind not in ROLLED:
        return edit(facts, pod)
    command = set_account(facts, pod.namespace, kind, owner)
    account = facts.named.existing()
    held = facts.makers.get(f"{kind}/{owner}")
    if is_meant(account, pod) and not (held and held.held):
        return command
    ask = f"only if {kind} {owner} needs the role of {account.name}, ask its owner:"
    return "\n".join(map(comment, (ask, command)))


@check_of("run-at-work")
def _at_work(facts: Facts) -> Judgement:
    seen = have(facts.named.lock)
    if seen is None or not seen.state.holder:
        return ok("no run holds the lock")
    said = {"holder": seen.holder, "command": seen.doing, "since": seen.since, "lock": seen.until}
    if seen.ended is None:
        return hint("a run holds its lock, and irsa cannot tell if that run is still active", **said)
    if not seen.ended:
        return hint("an irsa run is changing it now: results may change", **said)
    finish = facts.reach.for_irsa("recover")
    return hint("a run was interrupted: its lock expired and was not released", **said, to_roll_back=finish)
