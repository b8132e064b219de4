"""Causes in what lies between a container and STS, or beside it: neighbours, policies, the node.

All of them are hints: what gets through can't be seen from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok, unknown
from irsa_cli.core.doctor.subjects import listed, pod_names, users_of
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.parsing import selects
from irsa_cli.core.objects.unreadable import have

_PROXIES = frozenset({"istio-proxy", "linkerd-proxy", "envoy"})
_HOLDS = re.compile(r"holdApplicationUntilProxyStarts[\"']?\s*:\s*[\"']?true")


@cause(
    "pod-host-network",
    Group.PODS,
    15,
    title="The pods can reach the node's credentials, which hides every failure of IRSA.",
    symptom="No error, and the node's role as principal",
    looks_at="hostNetwork of the pods",
    remedy="Leave hostNetwork out, and set the nodes' hop limit to 1. IRSA itself works with hostNetwork.",
    source="https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
)
def _host_network(facts: Facts) -> Judgement:
    found = [pod for pod in users_of(facts.named) if pod.host_network]
    if not found:
        return ok("no pod is on its node's network")
    return unknown(
        "pods on the node's network reach its credentials whatever IRSA does", pods=pod_names(found)
    )


@cause(
    "node-hop-limit",
    Group.PODS,
    14,
    title="The nodes' metadata answers pods, which hides every failure of IRSA.",
    symptom="No error, and the node's role as principal",
    looks_at="ec2 DescribeInstances (MetadataOptions) of the pods' nodes",
    remedy="Set the nodes' hop limit to 1. IRSA itself works with any.",
    source="https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
)
def _hop_limit(facts: Facts) -> Judgement:
    names = node_names(users_of(facts.named))
    if not names:
        return ok("no pod is on an EC2 instance")
    nodes = have(facts.named.nodes)
    found = [name for name in names if name in nodes and nodes[name].answers_pods]
    if found:
        limits = sorted({str(nodes[name].hop_limit) for name in found})
        return unknown(
            "an SDK that finds no web identity gets the node's role without an error",
            nodes=listed(found),
            hop_limit=listed(limits),
        )
    strange = [name for name in names if name not in nodes]
    if strange:
        return unknown("EC2 knows no instances by the names of these nodes", nodes=listed(strange))
    return ok("the nodes' metadata answers no pods", nodes=listed(names))


def node_names(pods: Iterable[Pod]) -> list[str]:
    """The nodes of pods, without those that are no EC2 instances (Fargate)."""
    return sorted({pod.node for pod in pods if pod.node and not pod.node.startswith("fargate-")})


@cause(
    "pod-mesh",
    Group.PODS,
    25,
    title="A sidecar does not let the call to STS out, or not yet.",
    symptom="Connect to sts.REGION.amazonaws.com:443: connection refused, at the start of the pod as a rule",
    looks_at="containers named istio-proxy, linkerd-proxy or envoy in the pods",
    remedy="Start the application after the sidecar (Istio: holdApplicationUntilProxyStarts).",
    source="https://istio.io/latest/docs/ops/common-problems/injection/",
)
def _mesh(facts: Facts) -> Judgement:
    users = users_of(facts.named)
    found = [pod for pod in users if any(item.name in _PROXIES for item in pod.containers)]
    if not found:
        return ok("no pod has a known sidecar")
    late = [pod for pod in found if not _waits(pod)]
    if not late or is_admitted(facts, late):
        return unknown("what the sidecar lets out can't be seen from outside", pods=pod_names(found))
    return hint(
        "what the sidecar lets out can't be seen from outside, nor whether the application waits for it",
        pods=pod_names(late),
    )


def _waits(pod: Pod) -> bool:
    """Whether the application begins after the sidecar: it is told to, or the sidecar begins the pod."""
    if any(item.init and item.name in _PROXIES for item in pod.containers):
        return True
    settings = pod.annotations.get("proxy.istio.io/config", "")
    linkerd = pod.annotations.get("config.linkerd.io/proxy-await", "")
    return linkerd == "enabled" or bool(_HOLDS.search(settings))


@cause(
    "pod-network-policy",
    Group.PODS,
    26,
    title="A NetworkPolicy may keep the pods from STS.",
    symptom="Connect timeout on endpoint URL: https://sts.REGION.amazonaws.com/",
    looks_at="NetworkPolicies of the namespace that select the pods and limit what they may call",
    remedy="Let TCP port 443 out to STS, or to its VPC endpoint.",
    source="https://kubernetes.io/docs/concepts/services-networking/network-policies/",
)
def _network_policy(facts: Facts) -> Judgement:
    pods = users_of(facts.named)
    policies = have(facts.named.network_policies)
    mine = [item for item in policies if any(selects(item.pods, pod.labels) for pod in pods)]
    rules = [rule for item in mine for rule in item.ports]
    if not mine or any(https and to_all for https, to_all in rules):
        return ok("no NetworkPolicy keeps the pods from calling STS")
    names = listed(item.name for item in mine)
    if is_admitted(facts, pods):
        return ok("STS has admitted the pods, so NetworkPolicies let them through", policies=names)
    if any(https for https, _ in rules):
        return hint(
            "HTTPS is let out to some addresses; whether STS is among them can't be seen", policies=names
        )
    return hint(
        "no HTTPS is let out; whether the cluster's network enforces that can't be seen from outside",
        policies=names,
    )
