"""Causes in the cluster: its kind, what its issuer publishes, and what lies between its pods and STS.

Of the latter most are hints: what gets through can't be seen from outside. The issuer's OIDC provider in IAM
is in `irsa_cli.core.doctor.causes.provider`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import (
    EKS_GUIDE,
    IAM_GUIDE,
    Group,
    Judgement,
    cause,
    hint,
    ok,
    problem,
    unknown,
)
from irsa_cli.core.doctor.subjects import listed, pod_names, users_of
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.parsing import selects
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import covers
from irsa_cli.core.policies.web_identity import ACTION

_DISCOVERY = (
    "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"
    "#service-account-issuer-discovery"
)
CLUSTER = Group.CLUSTER


@cause(
    "cluster-unsupported",
    CLUSTER,
    99,
    title="The cluster is of a kind that has no IRSA.",
    symptom="No pod gets a web identity, or none is accepted.",
    looks_at="eks DescribeCluster (outpostConfig)",
    remedy="Use the node's role or another way to give pods credentials.",
    source=f"{EKS_GUIDE}/eks-outposts-local-cluster-overview.html",
    of_cluster=True,
)
def _unsupported(facts: Facts) -> Judgement:
    if have(facts.eks).on_outposts:
        return problem(
            "it is a local cluster on AWS Outposts, and IRSA is not available there",
            fix=facts.reach.aws(
                f"eks describe-cluster --name {shlex.quote(facts.cluster.name)}"
                " --query cluster.outpostConfig",
                facts.cluster.region,
            ),
            cluster=facts.cluster.arn,
        )
    return ok("its kind of cluster has IRSA")


@cause(
    "issuer-documents",
    CLUSTER,
    71,
    title="The issuer's public documents can't be fetched.",
    symptom="InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
    looks_at="the issuer's discovery document over HTTPS, and the keys that it names",
    remedy="Have the issuer's address answer everybody with the discovery document and its keys.",
    source=_DISCOVERY,
    of_cluster=True,
)
def _documents(facts: Facts) -> Judgement:
    published = facts.published_keys
    if not isinstance(published, Unreadable):
        return ok("everybody can fetch the issuer's documents", issuer=facts.cluster.issuer)
    if not published.answered:
        raise CannotTell(
            f"{published.why}; that may be this machine: in a VPC with an endpoint for EKS the issuer has no"
            " address, and STS reaches it all the same"
        )
    return problem(
        "STS fetches them to verify tokens, and gets what this machine gets",
        fix=f"curl -i {shlex.quote(facts.cluster.issuer.rstrip('/'))}/.well-known/openid-configuration",
        answer=published.why,
    )


@cause(
    "issuer-keys",
    CLUSTER,
    70,
    title="The keys that the issuer publishes are not those that sign the cluster's tokens.",
    symptom="InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
    looks_at="the issuer's public keys over HTTPS, GET /openid/v1/jwks of the API server",
    remedy="Publish the cluster's keys at the issuer's address, readable by everybody.",
    source=_DISCOVERY,
    of_cluster=True,
)
def _keys(facts: Facts) -> Judgement:
    published, own = have(facts.published_keys), have(facts.cluster_keys)
    if own <= published:
        return ok("every key of the cluster is published", keys=listed(sorted(own)))
    return problem(
        "tokens are signed with a key that STS can't find",
        fix=facts.reach.kubectl("get --raw /openid/v1/jwks")
        + f" # publish this as the jwks_uri of {facts.cluster.issuer}",
        cluster=listed(sorted(own)),
        published=listed(sorted(published)) or "none",
    )


@cause(
    "sts-endpoint-policy",
    CLUSTER,
    55,
    title="The policy of the VPC's endpoint for STS does not let the call through.",
    symptom="AccessDenied from inside the VPC only; the same token is accepted elsewhere",
    looks_at="ec2 DescribeVpcEndpoints (endpoints for STS in the cluster's VPC)",
    remedy="Allow sts:AssumeRoleWithWebIdentity to every principal: the call is not signed, so it has none.",
    source=f"{IAM_GUIDE}/reference_sts_vpc_endpoint_create.html",
    of_cluster=True,
)
def _endpoint_policy(facts: Facts) -> Judgement:
    endpoints = have(facts.sts_endpoints)
    if not endpoints:
        return ok("the VPC has no endpoint for STS whose policy could refuse")
    verdicts = [(endpoint.id, _lets_through(endpoint.policy)) for endpoint in endpoints]
    refusing = [name for name, verdict in verdicts if verdict is False]
    undecided = [name for name, verdict in verdicts if verdict is None]
    if refusing:
        return problem(
            "an endpoint's policy does not allow the unsigned call",
            fix=facts.reach.aws(
                f"ec2 describe-vpc-endpoints --vpc-endpoint-ids {shlex.quote(refusing[0])}",
                facts.cluster.region,
            ),
            endpoint=listed(refusing),
            needed=f"Allow, Principal *, Action {ACTION}",
        )
    if undecided:
        return unknown(
            "an endpoint's policy has conditions that can't be judged from outside",
            endpoint=listed(undecided),
        )
    return ok("the endpoint's policy allows the call", endpoint=listed(item.id for item in endpoints))


def _lets_through(document: dict[str, Any]) -> bool | None:
    """Whether the unsigned call passes; None where that hangs on conditions."""
    statements = [item for item in as_list(document.get("Statement", [])) if isinstance(item, dict)]
    fitting = [item for item in statements if _fits(item)]
    denying = [item for item in fitting if item.get("Effect") == "Deny"]
    allowing = [item for item in fitting if item.get("Effect") == "Allow"]
    if any(not item.get("Condition") for item in denying) or not allowing:
        return False
    return None if denying or all(item.get("Condition") for item in allowing) else True


def _fits(item: dict[str, Any]) -> bool:
    excluding = "NotAction" in item
    actions = tuple(map(str, as_list(item["NotAction"] if excluding else item.get("Action", []))))
    principal = item.get("Principal", "*")
    everybody = principal == "*" or (isinstance(principal, dict) and "*" in as_list(principal.get("AWS", [])))
    return covers(actions, ACTION) != excluding and everybody


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
