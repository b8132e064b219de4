"""Causes in the cluster as a whole: its kind, what its issuer publishes, the way to STS.

The issuer's OIDC provider in IAM is in `irsa_cli.core.doctor.causes.provider`.
"""

from __future__ import annotations

import shlex
from typing import Any

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import EKS_GUIDE, IAM_GUIDE, Group, Judgement, cause, ok, problem, unknown
from irsa_cli.core.doctor.subjects import listed
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.evaluation import covers

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
