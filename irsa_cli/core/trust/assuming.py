"""Whether a role's trust policy allows sts:AssumeRole to a principal: a role or an AWS service.

Of services, EKS Pod Identity: also the statement that trusts it for one ServiceAccount of one cluster.
Token exchanges are evaluated in `irsa_cli.core.trust.evaluation`, Condition blocks in
`irsa_cli.core.policies.operators`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from irsa_cli.core.policies.operators import Truth, first_failing
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import Statement, does, names_everybody, principals, statements
from irsa_cli.core.policies.web_identity import UNKNOWN, Context, PresentKey
from irsa_cli.core.trust.evaluation import VARIABLES_SINCE, Answer
from irsa_cli.core.trust.trust_policy import MARK
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.names import Namespaced

ASSUME = "sts:AssumeRole"
TAG = "sts:TagSession"


@dataclass(frozen=True)
class Naming:
    """Whether the principals of a statement include who assumes the role, and why if that is not known."""

    truth: Truth
    why: str = ""


IS_NAMED = Naming(True)
IS_NOT_NAMED = Naming(False)
Names = Callable[[Statement], Naming]
"""Whether a statement's Principal names who assumes the role."""
_EVERYBODY = "*"


@dataclass(frozen=True)
class Decision:
    """The answer of a trust policy for an action, and why it is not yes."""

    action: str
    answer: Answer
    why: str = ""


def context_of_session(role_arn: str) -> dict[str, Any]:
    """The condition keys of a request of a role's session, as far as they are known.

    The request is signed, unlike the exchange of a token: the tags of the role come with it, which are not
    known here.
    """
    return {
        "aws:principalarn": (role_arn,),
        "aws:principalaccount": (role_arn.split(":")[4],),
        "aws:principaltype": ("AssumedRole",),
        "aws:principalorgid": PresentKey(),
        "aws:principalorgpaths": PresentKey(),
        "aws:principalisawsservice": ("false",),
        "aws:principaltag/": UNKNOWN,
        "aws:multifactorauthpresent": ("false",),
        "aws:tokenissuetime": PresentKey(),
        "aws:userid": PresentKey(),
        "aws:viaawsservice": ("false",),
        "aws:securetransport": ("true",),
        "aws:requestedregion": PresentKey(),
        "sts:rolesessionname": PresentKey(),
    }


def names_role(arn: Arn, text: str) -> Names:
    """Whether a statement names this role, or its account."""
    known = {text, arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", _EVERYBODY}

    def names(statement: Statement) -> Naming:
        if statement.get("Principal") == _EVERYBODY or not known.isdisjoint(principals(statement, "AWS")):
            return IS_NAMED
        return beyond_its_kind(statement, "a role")

    return names


def beyond_its_kind(statement: Statement, caller: str) -> Naming:
    """Whether a statement for everybody of another kind of principals includes the caller.

    AWS documents `"*"` for its own kind only. A Deny may include other callers; an Allow
    does not count for them.
    """
    is_for_everybody = names_everybody(statement) or _EVERYBODY in principals(statement, "Service")
    if statement.get("Effect") != "Deny" or not is_for_everybody:
        return IS_NOT_NAMED
    text = json.dumps(statement["Principal"])
    return Naming(None, f"AWS does not document whether the principal {text} includes {caller}")


def decide(document: Document, names: Names, context: Context, action: str) -> Decision:
    """Whether a trust policy allows an action.

    A Deny that applies goes before every Allow. Without an Allow that may apply it is a no, whatever a Deny
    says that is not known.
    """
    variables = document.get("Version") == VARIABLES_SINCE
    allowing: list[_Verdict] = []
    denying: list[_Verdict] = []
    for element in statements(document):
        verdict = _judge(element, names, context, action, variables=variables)
        if element.get("Effect") == "Allow":
            allowing.append(verdict)
        elif element.get("Effect") == "Deny" and verdict.truth is not False:
            denying.append(verdict)
    if any(verdict.truth for verdict in denying):
        return Decision(action, Answer.NO, "a Deny statement applies")
    if all(verdict.truth is False for verdict in allowing):
        return Decision(action, Answer.NO, _reasons(allowing) or "no statement allows it")
    if denying:
        return Decision(action, Answer.UNKNOWN, f"a Deny statement may apply: {denying[0].why}")
    if any(verdict.truth for verdict in allowing):
        return Decision(action, Answer.YES)
    unknown = [verdict for verdict in allowing if verdict.truth is None]
    return Decision(action, Answer.UNKNOWN, _reasons(unknown))


class _Verdict(NamedTuple):
    """Whether a statement applies to a request, and why if it does not, or may not."""

    truth: Truth
    why: str = ""


def _reasons(verdicts: Iterable[_Verdict]) -> str:
    reasons = (verdict.why for verdict in verdicts)
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def _judge(statement: Statement, names: Names, context: Context, action: str, *, variables: bool) -> _Verdict:
    if statement.keys() & {"Action", "NotAction"} and not does(statement, action):
        return _Verdict(False)
    if "NotPrincipal" in statement:
        return _Verdict(None, "the statement uses NotPrincipal")
    naming = names(statement)
    if naming.truth is False:
        return _Verdict(False)
    block = statement.get("Condition")
    tested = None if block in (None, {}) else first_failing(block, context, variables=variables)
    if tested is None or (naming.truth is None and tested.truth is None):
        return _Verdict(naming.truth, naming.why)
    values = ", ".join(f"'{value}'" for value in tested.wanted)
    requires = f"{tested.operator} {tested.key} requires {values}"
    if tested.truth is None:
        return _Verdict(None, f"{requires}, and irsa can't check that")
    got = "no such key"
    if isinstance(tested.got, tuple):
        got = " and ".join(f"'{value}'" for value in tested.got)
    return _Verdict(False, f"{requires}, but the request has {got}")


def lacking(decisions: Iterable[Decision], answer: Answer) -> Iterator[Decision]:
    """Those with this answer."""
    return (decision for decision in decisions if decision.answer is answer)


SERVICE = "pods.eks.amazonaws.com"
"""The principal of trust policies, and the audience of tokens."""


ACTIONS = (ASSUME, TAG)


def statement(cluster: Cluster, namespace: str, name: str, *, tagged: bool = True) -> Document:
    """The statement: EKS alone, for this ServiceAccount of this cluster.

    Without session tags (`tagged` is False) EKS sends no names, so only the cluster is compared.
    """
    names = {}
    if tagged:
        names = {
            "aws:RequestTag/eks-cluster-arn": cluster.arn,
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": name,
        }
    return {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": list(ACTIONS),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": cluster.account, **names},
            "ArnEquals": {"aws:SourceArn": cluster.arn},
        },
    }


def marked_statement(cluster: Cluster, namespace: str, name: str, *, tagged: bool = True) -> Document:
    """The same for a role of somebody else: with the Sid by which irsa recognizes its own statement."""
    names = "\0".join((cluster.arn, namespace, name)).encode()
    mark = f"{MARK}{hashlib.sha256(names).hexdigest()[:16]}"
    return {"Sid": mark, **statement(cluster, namespace, name, tagged=tagged)}


def said_to_service(
    document: Document, cluster: Cluster, subject: Namespaced, *, tagged: bool = True
) -> tuple[Decision, ...]:
    """How a trust policy answers EKS Pod Identity for a ServiceAccount; `tagged`: with session tags."""
    context = context_of_service(cluster, subject, tagged=tagged)
    return tuple(decide(document, names_service, context, action) for action in actions(tagged=tagged))


def context_of_service(cluster: Cluster, subject: Namespaced, *, tagged: bool = True) -> Context:
    """The condition keys of EKS Pod Identity's request for a ServiceAccount."""
    return {
        "aws:sourceaccount": (cluster.account,),
        "aws:sourcearn": (cluster.arn,),
        "aws:sourceorgid": PresentKey(),
        "aws:sourceorgpaths": PresentKey(),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (SERVICE,),
        "aws:principalservicenameslist": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
        **(session_tags(cluster, subject, "aws:requesttag/") if tagged else {}),
    }


def session_tags(cluster: Cluster, subject: Namespaced, prefix: str) -> Context:
    """The session tags that EKS adds, as condition keys."""
    tags: dict[str, tuple[str, ...] | PresentKey] = {
        "eks-cluster-arn": (cluster.arn,),
        "eks-cluster-name": (cluster.name,),
        "kubernetes-namespace": (subject.namespace,),
        "kubernetes-service-account": (subject.name,),
        "kubernetes-pod-name": PresentKey(),
        "kubernetes-pod-uid": PresentKey(),
    }
    return {**{f"{prefix}{key}": value for key, value in tags.items()}, "aws:tagkeys": tuple(tags)}


def actions(*, tagged: bool) -> tuple[str, ...]:
    """The actions that must be allowed."""
    return ACTIONS if tagged else (ASSUME,)


def names_service(statement: Statement) -> Naming:
    """Whether a statement names EKS Pod Identity."""
    if SERVICE in principals(statement, "Service"):
        return IS_NAMED
    return beyond_its_kind(statement, "services of AWS")
