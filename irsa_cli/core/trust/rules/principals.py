"""What is unsafe in whom a trust policy names: everybody, other services, EKS Pod Identity; and the actions.

What a cluster's tokens meet is `width`'s and `claims`' business, in this folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.evaluation import covers
from irsa_cli.core.trust.rules.rule import Risk, Severity, risk
from irsa_cli.core.trust.rules.statements import (
    WAYS_IN,
    Statement,
    actions_of,
    allowing,
    does,
    is_positive,
    name_of,
    names_everybody,
    place_of,
    principals,
    tests_of,
)
from irsa_cli.core.trust.rules.trust_rules import ALL_ACTIONS, EVERYBODY, OTHER_SERVICES, POD_IDENTITY_OPEN

POD_IDENTITY = "pods.eks.amazonaws.com"
"""The service that gives pods the role of their association."""
_WHO = ("aws:principal", "aws:userid", "aws:username", "aws:sourceaccount", "aws:sourceorg")
"""What the condition keys begin with that tell who calls."""
_WHICH_POD = ("aws:source", "aws:requesttag/", "aws:principalorg")
"""What the condition keys begin with that tell for which cluster, namespace or ServiceAccount."""


def of_everybody(document: Mapping[str, Any]) -> Iterator[Risk]:
    """Statements whose principal is everybody."""
    for index, item in allowing(document):
        ways = [action for action in WAYS_IN if does(item, action)]
        if not ways or not names_everybody(item):
            continue
        tests = [(operator, key) for operator, key, _ in tests_of(item)]
        narrowed = any(is_positive(operator) for operator, _ in tests)
        if ACTION not in ways and any(
            is_positive(operator) and key.lower().startswith(_WHO) for operator, key in tests
        ):
            continue
        means = "all but a few" if "NotPrincipal" in item else "everybody"
        but = ", and nothing keeps anybody out"
        if tests:
            but = (
                ", and only its conditions keep anybody out"
                if narrowed
                else ", and says only whom it keeps out"
            )
        path = place_of(index, "NotPrincipal" if "NotPrincipal" in item else "Principal")
        reason = f"names {means} as its principal{but}"
        found = risk(EVERYBODY, name_of(index, item), reason, path=path)
        yield replace(found, severity=Severity.MEDIUM) if narrowed else found


def is_for_pods(item: Statement, providers: Collection[str]) -> bool:
    """Whether pods may become the role by this statement: a cluster's provider, or EKS Pod Identity."""
    services = principals(item, "Service")
    return POD_IDENTITY in services or any(arn in providers for arn in principals(item, "Federated"))


def of_principals(document: Mapping[str, Any], providers: Collection[str]) -> Iterator[Risk]:
    """What is unsafe in the statements of a role that pods may become; `providers` are clusters'."""
    found = list(allowing(document))
    if not any(is_for_pods(item, providers) for _, item in found):
        return
    for index, item in found:
        name = name_of(index, item)
        others = [service for service in principals(item, "Service") if service != POD_IDENTITY]
        if others and does(item, "sts:AssumeRole"):
            reason = f"admits {' and '.join(others)} to a role that pods have, too"
            yield risk(OTHER_SERVICES, name, reason, path=place_of(index, "Principal"))
        if is_for_pods(item, providers):
            yield from _actions(index, item)
        if POD_IDENTITY in principals(item, "Service") and does(item, "sts:AssumeRole"):
            yield from _pod_identity(index, item)


def _actions(index: int, item: Statement) -> Iterator[Risk]:
    way = ACTION if principals(item, "Federated") else "sts:AssumeRole"
    wide = [text for text in actions_of(item) if any(sign in text for sign in "*?") and covers((text,), way)]
    if "NotAction" in item and does(item, way):
        reason, key = "allows all actions but those that it names", "NotAction"
        yield risk(ALL_ACTIONS, name_of(index, item), reason, path=place_of(index, key))
    elif wide:
        reason = f"allows {' and '.join(wide)}: all ways to assume the role, with any session tags"
        yield risk(ALL_ACTIONS, name_of(index, item), reason, path=place_of(index, "Action"))


def _pod_identity(index: int, item: Statement) -> Iterator[Risk]:
    narrowed = any(
        is_positive(operator) and key.lower().startswith(_WHICH_POD) for operator, key, _ in tests_of(item)
    )
    if not narrowed:
        reason = "admits EKS Pod Identity for any cluster, namespace and ServiceAccount of the account"
        yield risk(POD_IDENTITY_OPEN, name_of(index, item), reason, path=place_of(index, "Principal"))
