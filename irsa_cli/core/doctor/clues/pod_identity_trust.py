"""What a trust policy says to EKS Pod Identity, which assumes a role for a ServiceAccount's pods.

The Condition block is `irsa_cli.core.policies.conditions`' business. A target role is assumed with the
credentials of the association's role.
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.doctor.facts import Association, Facts
from irsa_cli.core.policies.conditions import first_failing
from irsa_cli.core.policies.operators import Truth
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.web_identity import Context, PresentKey
from irsa_cli.core.trust.evaluation import VARIABLES_SINCE, Answer, covers
from irsa_cli.core.values.arn import Arn

SERVICE = "pods.eks.amazonaws.com"
ASSUME, TAG = "sts:AssumeRole", "sts:TagSession"
Names = Callable[[Any], Truth]
"""Whether a Principal element names who assumes the role."""


@dataclass(frozen=True)
class Said:
    """What a trust policy says to an action: the answer, and what keeps it from being yes."""

    action: str
    answer: Answer
    why: str = ""


def context_of(facts: Facts, association: Association) -> Context:
    """The condition keys of EKS Pod Identity's request for the ServiceAccount."""
    cluster = facts.cluster
    found: dict[str, tuple[str, ...] | PresentKey] = {
        "aws:sourceaccount": (cluster.account,),
        "aws:sourcearn": (cluster.arn,),
        "aws:sourceorgid": PresentKey(),
        "aws:sourceorgpaths": PresentKey(),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (SERVICE,),
        "aws:principalservicenameslist": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
    }
    return {**found, **_tags(facts, association, "aws:requesttag/")}


def _tags(facts: Facts, association: Association, prefix: str) -> Context:
    """The session tags, which an association may do without."""
    if association.without_tags:
        return {}
    cluster, subject = facts.cluster, facts.named
    tags: dict[str, tuple[str, ...] | PresentKey] = {
        "eks-cluster-arn": (cluster.arn,),
        "eks-cluster-name": (cluster.name,),
        "kubernetes-namespace": (subject.namespace,),
        "kubernetes-service-account": (subject.name,),
        "kubernetes-pod-name": PresentKey(),
        "kubernetes-pod-uid": PresentKey(),
    }
    return {**{f"{prefix}{key}": value for key, value in tags.items()}, "aws:tagkeys": tuple(tags)}


def said_to_service(document: Document, facts: Facts, association: Association) -> tuple[Said, ...]:
    """What the trust policy of the association's role says to EKS Pod Identity."""
    context = context_of(facts, association)
    return tuple(said(document, is_service, context, action) for action in actions(association))


def said_to_role(document: Document, facts: Facts, association: Association) -> tuple[Said, ...]:
    """What the trust policy of the target role says to the association's role."""
    arn = Arn.parse(association.role_arn)
    context: Context = {
        "aws:principalarn": (association.role_arn,),
        "aws:principalaccount": (arn.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:principalorgid": PresentKey(),
        "aws:principalorgpaths": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (facts.cluster.region,),
        **_tags(facts, association, "aws:requesttag/"),
        **_tags(facts, association, "aws:principaltag/"),
        **({"sts:externalid": (association.external_id,)} if association.external_id else {}),
    }
    names = names_role(arn, association.role_arn)
    return tuple(said(document, names, context, action) for action in actions(association))


def actions(association: Association) -> tuple[str, ...]:
    """What has to be allowed."""
    return (ASSUME,) if association.without_tags else (ASSUME, TAG)


def is_service(principal: Any) -> Truth:
    """Whether a Principal element names EKS Pod Identity."""
    if not isinstance(principal, dict):
        return False  # "*" stands for accounts and users, not for AWS' services.
    return SERVICE in as_list(principal.get("Service", []))


def names_role(arn: Arn, text: str) -> Names:
    """What tells of a Principal element whether it names this role, or its account."""
    known = {text, arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", "*"}

    def names(principal: Any) -> Truth:
        if principal == "*":
            return True
        found = as_list(principal.get("AWS", [])) if isinstance(principal, dict) else []
        return not known.isdisjoint(map(str, found))

    return names


def said(document: Document, names: Names, context: Context, action: str) -> Said:
    """What a trust policy says to somebody.

    A Deny that applies goes before every Allow; what can't be known of either stays open.
    """
    variables = document.get("Version") == VARIABLES_SINCE
    verdicts = [
        (str(item.get("Effect")), *_judge(item, names, context, action, variables=variables))
        for item in as_list(document.get("Statement", []))
        if isinstance(item, dict)
    ]
    for effect, truth, why in verdicts:
        if effect == "Deny" and truth is not False:
            answer = Answer.NO if truth else Answer.UNKNOWN
            return Said(action, answer, f"a Deny applies{f', as far as can be known: {why}' if why else ''}")
    allowed = [(truth, why) for effect, truth, why in verdicts if effect == "Allow"]
    if any(truth is True for truth, _ in allowed):
        return Said(action, Answer.YES)
    reasons = [why for truth, why in allowed if truth is None] or [why for _, why in allowed if why]
    answer = Answer.UNKNOWN if any(truth is None for truth, _ in allowed) else Answer.NO
    return Said(action, answer, "; ".join(dict.fromkeys(reasons)) or "no statement allows it")


def _judge(
    item: Mapping[str, Any], names: Names, context: Context, action: str, *, variables: bool
) -> tuple[Truth, str]:
    if "Action" in item and not covers(tuple(map(str, as_list(item["Action"]))), action):
        return False, ""
    if "NotAction" in item and covers(tuple(map(str, as_list(item["NotAction"]))), action):
        return False, ""
    if "NotPrincipal" in item:
        return None, "it has a NotPrincipal"
    if not names(item.get("Principal")):
        return False, ""
    block = item.get("Condition")
    if block in (None, {}):
        return True, ""
    tested = first_failing(block, context, variables=variables)
    if tested is None:
        return True, ""
    wanted = ", ".join(f"'{value}'" for value in tested.wanted)
    got = tested.got if isinstance(tested.got, tuple) else None
    if tested.truth is None:
        return None, f"{tested.operator} {tested.key} asks for {wanted}, which is not known from here"
    has = " and ".join(f"'{value}'" for value in got) if got is not None else "no such key"
    return False, f"{tested.operator} {tested.key} asks for {wanted}, the request has {has}"


def lacking(said: tuple[Said, ...], answer: Answer) -> Iterator[Said]:
    """Those with this answer."""
    return (item for item in said if item.answer is answer)
