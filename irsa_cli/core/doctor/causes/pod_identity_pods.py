"""Causes in running pods of EKS Pod Identity: the agent on their nodes, and missing credentials."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from irsa_cli.core.doctor.causes.bare_pods import marked
from irsa_cli.core.doctor.causes.pod_identity import NONE, runs_without
from irsa_cli.core.doctor.clues.injection import (
    AGENT,
    excluding,
    has_pod_identity,
    is_shown,
    opted_out,
    webhooks_of,
)
from irsa_cli.core.doctor.clues.usage import has_nothing
from irsa_cli.core.doctor.commands import webhook_shown
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import (
    NO_ENV,
    Judgement,
    ok,
    pod_cause,
    problem,
    suspect,
    unknown,
    webhook_cause,
)
from irsa_cli.core.doctor.owners import restart
from irsa_cli.core.doctor.subjects import listed, pod_names, starts
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have

_AGENTS = f"get pods -o wide --selector app.kubernetes.io/name={AGENT}"
_UNKNOWN_YET = timedelta(minutes=2)
"""How long the webhook may not know of an association."""


@webhook_cause(
    "pod-identity-agent-down",
    63,
    title="The EKS Pod Identity agent does not run on the pods' nodes.",
    symptom="connect: connection refused, or Read timeout, for http://169.254.170.23/v1/credentials",
    looks_at=f"pods of {AGENT} in kube-system (node, phase, readiness), the nodes of the pods",
    remedy="Check the agent's log and events. If the node has no IPv6, configure the add-on to listen on IPv4"
    " only (pod-id-agent-config-ipv6).",
    source="eks:pod-id-agent-setup.html",
)
def _agent_down(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.association) is None:
        return ok(NONE)
    if not have(subject.agent):
        raise CannotTell("the cluster has no EKS Pod Identity agent; see pod-identity-agent")
    if subject.agents is None:
        return ok("the agent is built into the nodes")
    agents = have(subject.agents)
    users = [pod for pod in subject.users() if not runs_without(pod)]
    placed = [pod for pod in users if pod.node]
    if not agents:
        text = "the agent's add-on is installed, but kube-system has no pods of it"
        return suspect(text, pods=pod_names(placed)) if placed else unknown(text)
    served = {pod.node for pod in agents if _is_up(pod)}
    bad = [pod for pod in agents if not _is_up(pod)]
    alone = [pod for pod in placed if pod.node not in served]
    if alone or (users and not served):
        return _down(facts, alone or users, agents)
    if bad and len(placed) < len(users):
        text = "some pods of the agent do not run, and some pods are not scheduled yet"
        return unknown(text, **_of(bad))
    return ok("the agent runs on the pods' nodes")


def _down(facts: Facts, pods: list[Pod], agents: tuple[Pod, ...]) -> Judgement:
    nodes = {pod.node for pod in pods if pod.node}
    there = [pod for pod in agents if (not nodes or pod.node in nodes) and not _is_up(pod)]
    return problem(
        "nothing answers credential requests on these nodes",
        fix=facts.reach.kubectl(_AGENTS, "kube-system"),
        pods=pod_names(pods),
        **({"nodes": listed(sorted(nodes))} if nodes else {}),
        **(_of(there) if there else {"agent": "not on these nodes"}),
    )


def _is_up(pod: Pod) -> bool:
    """Whether an agent's pod answers, as far as its node has said."""
    return pod.phase == "Running" and pod.ready is not False and not pod.waiting


def _of(agents: Iterable[Pod]) -> dict[str, str]:
    return {"agent": listed(f"{pod.name}: {_state(pod)}" for pod in agents)}


def _state(pod: Pod) -> str:
    return pod.waiting or ("not ready" if pod.phase == "Running" else pod.phase or "unknown phase")


@pod_cause(
    "pod-identity-missed",
    61,
    title="The pods got no credentials, although they are newer than the Pod Identity association.",
    symptom=f"{NO_ENV} Other pods of the same workload may be fine.",
    looks_at="eks DescribePodIdentityAssociation (createdAt), the pods' environment and start time, a dry-run"
    " pod (dryRun=All)",
    remedy="Restart the pods. The webhook learns of an association some seconds late, and Kubernetes skips it"
    " if it does not answer.",
    source="eks:pod-id-association.html",
)
def _missed(facts: Facts) -> Judgement:
    association = have(facts.named.association)
    if association is None:
        return ok(NONE)
    made = association.created
    if made is None:
        raise CannotTell("EKS did not return when the association was created")
    users = [pod for pod in facts.named.users() if not runs_without(pod)]
    bare = [pod for pod in users if has_nothing(pod) and pod.created and pod.created >= made]
    found = [pod for pod in bare if not opted_out(pod)]
    if not bare:
        return ok("all pods newer than the association have its variables")
    if not found:
        others_have_it = any(not has_nothing(pod) for pod in users)
        return marked("their label or annotation opts out", facts, bare, on_purpose=others_have_it)
    evidence = {
        "pods": pod_names(found),
        "started": starts(found),
        "association": f"created {made.isoformat()}",
    }
    return _by_probe(facts, association, found, evidence)


def _by_probe(
    facts: Facts, association: Association, found: list[Pod], evidence: dict[str, str]
) -> Judgement:
    """Judge pods without variables by whether a new pod would get them."""
    subject = facts.named
    configuration, why = _passed_over(facts, found[0])
    if configuration:
        return problem(why, fix=webhook_shown(facts, configuration), **evidence)
    if isinstance(subject.probe, Unreadable):
        text = "they have no credentials, and irsa cannot tell whether new pods would get them"
        return suspect(text, **evidence, the_API_server_says=subject.probe.why)
    if has_pod_identity(subject.probe):
        text = "the webhook missed them; new pods would get the variables"
        return problem(text, fix=restart(facts, found), **evidence)
    if association.created and facts.now - association.created < _UNKNOWN_YET:
        return suspect("the association is new, and the webhook may not know of it yet", **evidence)
    raise CannotTell("neither they nor a dry-run pod got the variables; see webhook-failing")


def _passed_over(facts: Facts, pod: Pod) -> tuple[str, str]:
    """The webhook whose selectors exclude the pod, and the reason; empty strings if none does."""
    try:
        configuration, _ = excluding(facts, facts.named)
    except CannotTell:
        configuration = ""
    if configuration:
        return configuration, "the namespace's labels do not match the webhook's namespaceSelector"
    if not is_shown(facts, pod):
        name = webhooks_of(facts)[0].configuration
        return name, "the pods' labels do not match the webhook's objectSelector"
    return "", ""
