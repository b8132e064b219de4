"""Causes in the cluster: its kind, its issuer's documents, and the network between pods and STS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, unknown
from irsa_cli.core.doctor.subjects import listed, pod_names
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.parsing import selects
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import Statement, does, principals, statements
from irsa_cli.core.policies.web_identity import ACTION


@check_of("cluster-unsupported")
def _unsupported(facts: Facts) -> Judgement:
    if have(facts.eks).on_outposts:
        return problem(
            "local clusters on AWS Outposts do not support IRSA",
            fix=facts.reach.aws(
                f"eks describe-cluster --name {shlex.quote(facts.cluster.name)}"
                " --query cluster.outpostConfig",
                facts.cluster.region,
            ),
            cluster=facts.cluster.arn,
        )
    return ok("this kind of cluster supports IRSA")


@check_of("issuer-documents")
def _documents(facts: Facts) -> Judgement:
    published = facts.published_keys
    if not isinstance(published, Unreadable):
        return ok("the issuer's discovery document and keys are public", issuer=facts.cluster.issuer)
    if not published.answered:
        raise CannotTell(
            f"{published.why}; the cause may be this machine's network: in a VPC with an EKS endpoint, the"
            " issuer's name does not resolve, but STS still reaches it"
        )
    return problem(
        "STS needs them to verify tokens and gets the same answer",
        fix=f"curl -i {shlex.quote(facts.cluster.issuer.rstrip('/'))}/.well-known/openid-configuration",
        answer=published.why,
    )


@check_of("issuer-keys")
def _keys(facts: Facts) -> Judgement:
    published, own = have(facts.published_keys), have(facts.cluster_keys)
    if own <= published:
        return ok("the issuer publishes every key of the cluster", keys=listed(sorted(own)))
    return problem(
        "STS cannot find a key that signs the cluster's tokens",
        fix=facts.reach.kubectl("get --raw /openid/v1/jwks")
        + f" # publish this as the jwks_uri of {facts.cluster.issuer}",
        cluster=listed(sorted(own)),
        published=listed(sorted(published)) or "none",
    )


@check_of("sts-endpoint-policy")
def _endpoint_policy(facts: Facts) -> Judgement:
    endpoints = have(facts.sts_endpoints)
    if not endpoints:
        return ok("the VPC has no STS endpoint")
    verdicts = [(endpoint.id, _lets_through(endpoint.policy)) for endpoint in endpoints]
    refusing = [name for name, verdict in verdicts if verdict is False]
    undecided = [name for name, verdict in verdicts if verdict is None]
    if refusing:
        return problem(
            "the endpoint policy does not allow the unsigned call",
            fix=facts.reach.aws(
                f"ec2 describe-vpc-endpoints --vpc-endpoint-ids {shlex.quote(refusing[0])}",
                facts.cluster.region,
            ),
            endpoint=listed(refusing),
            needed=f"Allow, Principal *, Action {ACTION}",
        )
    if undecided:
        return unknown(
            "the endpoint policy has conditions that irsa cannot evaluate",
            endpoint=listed(undecided),
        )
    return ok("the endpoint policy allows the call", endpoint=listed(item.id for item in endpoints))


def _lets_through(document: Document) -> bool | None:
    fitting = [item for item in statements(document) if does(item, ACTION) and _is_for_everybody(item)]
    denying = [item for item in fitting if item.get("Effect") == "Deny"]
    allowing = [item for item in fitting if item.get("Effect") == "Allow"]
    if any(not item.get("Condition") for item in denying) or not allowing:
        return False
    return None if denying or all(item.get("Condition") for item in allowing) else True


def _is_for_everybody(item: Statement) -> bool:
    return item.get("Principal", "*") == "*" or "*" in principals(item, "AWS")


_PROXIES = frozenset({"istio-proxy", "linkerd-proxy", "envoy"})
_HOLDS = re.compile(r"holdApplicationUntilProxyStarts[\"']?\s*:\s*[\"']?true")


@check_of("pod-host-network")
def _host_network(facts: Facts) -> Judgement:
    found = [pod for pod in facts.named.users() if pod.host_network]
    if not found:
        return ok("no pod uses hostNetwork")
    return unknown("pods with hostNetwork can use the node's credentials", pods=pod_names(found))


@check_of("node-hop-limit")
def _hop_limit(facts: Facts) -> Judgement:
    names = node_names(facts.named.users())
    if not names:
        return ok("no pod runs on an EC2 instance")
    nodes = have(facts.named.nodes)
    found = [name for name in names if name in nodes and nodes[name].answers_pods]
    if found:
        limits = sorted({str(nodes[name].hop_limit) for name in found})
        return unknown(
            "an SDK without a web identity uses the node's role and reports no error",
            nodes=listed(found),
            hop_limit=listed(limits),
        )
    strange = [name for name in names if name not in nodes]
    if strange:
        return unknown("EC2 has no instances with the names of these nodes", nodes=listed(strange))
    return ok("the nodes' metadata service does not answer pods", nodes=listed(names))


def node_names(pods: Iterable[Pod]) -> list[str]:
    """The nodes of pods, without those that are no EC2 instances (Fargate)."""
    return sorted({pod.node for pod in pods if pod.node and not pod.node.startswith("fargate-")})


@check_of("pod-mesh")
def _mesh(facts: Facts) -> Judgement:
    users = facts.named.users()
    found = [pod for pod in users if any(item.name in _PROXIES for item in pod.containers)]
    if not found:
        return ok("no pod has a known sidecar")
    late = [pod for pod in found if not _waits(pod)]
    if not late or is_admitted(facts, late):
        return unknown("irsa cannot see which calls the sidecar allows", pods=pod_names(found))
    return hint(
        "irsa cannot see which calls the sidecar allows, or if the application waits for it",
        pods=pod_names(late),
    )


def _waits(pod: Pod) -> bool:
    if any(item.init and item.name in _PROXIES for item in pod.containers):
        return True
    settings = pod.annotations.get("proxy.istio.io/config", "")
    linkerd = pod.annotations.get("config.linkerd.io/proxy-await", "")
    return linkerd == "enabled" or bool(_HOLDS.search(settings))


@check_of("pod-network-policy")
def _network_policy(facts: Facts) -> Judgement:
    pods = facts.named.users()
    policies = have(facts.named.network_policies)
    mine = [item for item in policies if any(selects(item.pods, pod.labels) for pod in pods)]
    rules = [rule for item in mine for rule in item.ports]
    if not mine or any(https and to_all for https, to_all in rules):
        return ok("no NetworkPolicy blocks calls to STS")
    names = listed(item.name for item in mine)
    if is_admitted(facts, pods):
        return ok("STS accepted the pods' tokens, so no NetworkPolicy blocks them", policies=names)
    if any(https for https, _ in rules):
        return hint(
            "a NetworkPolicy allows HTTPS to some addresses only; irsa cannot tell if STS is one of them",
            policies=names,
        )
    return hint(
        "a NetworkPolicy allows no HTTPS, and irsa cannot tell if the cluster enforces it",
        policies=names,
    )
