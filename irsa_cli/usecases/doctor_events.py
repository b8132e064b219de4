"""What `irsa doctor` reads of pods that could not be created: only where that can decide something.

How each is read is in `irsa_cli.usecases.doctor_kube`, what it means in `irsa_cli.core.causes.uncreated`.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.causes import refusals
from irsa_cli.core.causes.facts import Facts, Refused, Unreadable
from irsa_cli.core.causes.uncreated import can_decide
from irsa_cli.usecases.doctor_kube import KubeReads


def with_refusals(reads: KubeReads, facts: Facts, *, namespace: str | None, always: bool = False) -> Facts:
    """The facts with the pods of the ServiceAccount's namespace that could not be created.

    Events are listed of `namespace` (None: of the cluster), what makes pods only where events tell of it.
    With `always` also where pods with this identity run.
    """
    if not always and not can_decide(facts):
        return facts
    found = _refused(reads, facts.named.namespace, namespace)
    return replace(facts, subject=replace(facts.named, refused=found))


def _refused(reads: KubeReads, place: str, namespace: str | None) -> tuple[Refused, ...] | Unreadable:
    told = reads.failures(namespace).result()
    if isinstance(told, Unreadable):
        return told
    here = [item for item in told if item.namespace == place]
    kinds = {item.kind for item in here if item.kind in refusals.RESOURCES}
    makers = {kind: reads.makers(place, kind) for kind in sorted(kinds)}
    return refusals.refused(here, {kind: future.result() for kind, future in makers.items()})
