"""Whether a running pod with this identity was seen: without one nothing is said to be right.

All other causes judge what they find; this one tells whether there was anything to find.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from irsa_cli.core.doctor.causes.uncreated import waits_for_pods
from irsa_cli.core.doctor.clues.chain_profile import goes_by_profile
from irsa_cli.core.doctor.clues.injection import has_pod_identity, is_injected
from irsa_cli.core.doctor.commands import of_account
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, unknown
from irsa_cli.core.doctor.subjects import account_of, pod_names, users_of
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import CannotTell

UNSEEN = "pod-unseen"


@cause(
    UNSEEN,
    Group.PODS,
    34,
    title="No running pod with this identity was seen.",
    symptom="None yet: whether pods get the role shows when one runs.",
    looks_at="the namespace's pods: serviceAccountName, phase, environment",
    remedy="Look again when a pod runs. irsa verify proves that a token of the ServiceAccount is exchanged.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html",
)
def _seen(facts: Facts) -> Judgement:
    account_of(facts.named)
    try:
        pods = users_of(facts.named)
    except CannotTell as error:
        return _unseen(facts, error.why)
    running = [pod for pod in pods if pod.phase == "Running"]
    if not running:
        phases = Counter(pod.phase or "phase not known" for pod in pods)
        states = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        return _unseen(facts, "no pod of it is running", pods=pod_names(pods), they_are=states)
    found = [pod for pod in running if _has_identity(pod) or goes_by_profile(facts, pod)]
    if not found:
        return _unseen(facts, "no running pod of it has an identity of AWS", pods=pod_names(running))
    return ok("a running pod with this identity was seen", pods=pod_names(found))


def _has_identity(pod: Pod) -> bool:
    return is_injected(pod) or has_pod_identity(pod)


def _unseen(facts: Facts, text: str, **evidence: str) -> Judgement:
    found = unknown(text, **evidence, to_see=to_see(facts))
    # What keeps them from being created is a cause of its own, and has to be put right first.
    return replace(found, follows=waits_for_pods(facts))


def to_see(facts: Facts) -> str:
    """The command that proves what can be proved without a pod."""
    return of_account(facts, "verify", facts.named)
