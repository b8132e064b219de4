"""What `irsa doctor` reads of pods that could not be created: only where that can decide something.

How each is read is in `irsa_cli.usecases.doctor.kube`, what it means in
`irsa_cli.core.doctor.causes.uncreated`.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.doctor import refusals
from irsa_cli.core.doctor.causes.uncreated import can_decide, missing_account
from irsa_cli.core.doctor.clues.lost import Seen
from irsa_cli.core.doctor.diagnosis import having, judge
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.owners import makers_of
from irsa_cli.core.objects.kinds import RefusedPod
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.usecases.doctor.kube import KubeReads


def with_refusals(reads: KubeReads, facts: Facts) -> Facts:
    """The facts with the pods of the ServiceAccount's namespace that could not be created.

    Where a whole namespace is looked at, also if pods with this identity run; of a whole cluster, events are
    listed once. What makes pods is listed only where events tell of it.
    """
    if not facts.within and not can_decide(facts):
        return facts
    place = facts.named.namespace
    found = _refused(reads, place, place if facts.within is None else facts.within or None)
    return replace(facts, subject=replace(facts.named, refused=found))


def judged(reads: KubeReads, facts: Facts) -> tuple[Facts, tuple[Finding, ...]]:
    """What is found; if something is wrong, with how its pods are restarted by what they are made from."""
    findings, subject = judge(facts), facts.named
    if not having(findings, Verdict.PROBLEM) or isinstance(subject.pods, Unreadable):
        return facts, findings
    makers = makers_of(subject.pods, lambda kind: reads.makers(subject.namespace, kind).result())
    facts = replace(facts, makers=makers)
    return facts, judge(facts) if makers else findings


def absent(reads: KubeReads, seen: Seen, namespace: str) -> tuple[tuple[str, str], ...] | Unreadable:
    """The ServiceAccounts that have a role, are not there, and for lack of which pods are not created.

    Of a namespace, or ('') of all. Nothing is read where every ServiceAccount is there.
    """
    gone = {names for names in seen.gone() if namespace in ("", names[0])}
    told = reads.failures(namespace or None).result() if gone else ()
    if isinstance(told, Unreadable):
        return told
    wanted = {(item.namespace, missing_account(item.why)) for item in told}
    return tuple(names for names in sorted(gone & wanted) if _is_waited_for(reads, names, namespace))


def _is_waited_for(reads: KubeReads, names: tuple[str, str], namespace: str) -> bool:
    """Whether something lacks its pods to this day for want of a ServiceAccount."""
    found = _refused(reads, names[0], namespace or None)
    return isinstance(found, tuple) and any(missing_account(item.why) == names[1] for item in found)


def _refused(reads: KubeReads, place: str, namespace: str | None) -> tuple[RefusedPod, ...] | Unreadable:
    told = reads.failures(namespace).result()
    if isinstance(told, Unreadable):
        return told
    here = [item for item in told if item.namespace == place]
    kinds = {item.kind for item in here if item.kind in refusals.RESOURCES}
    makers = {kind: reads.makers(place, kind) for kind in sorted(kinds)}
    return refusals.refused(here, {kind: future.result() for kind, future in makers.items()})
