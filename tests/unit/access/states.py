"""A cluster, roles and trust policies for tests of access."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.access.difference import AccessChange
from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.cluster import Cluster

NUMBER = "111122223333"
HOST = "oidc.eks.eu-west-1.amazonaws.com/id"


def cluster(name: str, number: str) -> Cluster:
    arn = f"arn:aws:eks:eu-west-1:{NUMBER}:cluster/{name}"
    return Cluster(name, arn, "eu-west-1", "aws", NUMBER, f"https://{HOST}/{number}")


BLUE, GREEN = cluster("blue", "AAAA"), cluster("green", "BBBB")
APP = Account(BLUE.arn, "backend", "app")


def provider(there: Cluster) -> str:
    return f"arn:aws:iam::{NUMBER}:oidc-provider/{there.issuer.removeprefix('https://')}"


def role(name: str) -> str:
    return f"arn:aws:iam::{NUMBER}:role/{name}"


def allow(there: Cluster, *subjects: str, audience: str = "sts.amazonaws.com") -> dict[str, Any]:
    """irsa's statement for ServiceAccounts, written `namespace/name`."""
    named = [f"system:serviceaccount:{text.replace('/', ':')}" for text in subjects]
    return trust_policy.shared(provider(there), audience, named).document


def trust(*items: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(items)}


def statement(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change:
    one, other = (None if item is None else states.DocumentState(item) for item in (before, after))
    return Change(Kind.TRUST_STATEMENT, (name, "some subject"), one, other)


def annotation(arn: str | None, before: str | None = None, name: str = "app") -> Change:
    one, other = (states.ServiceAccountState({states.ROLE_ARN_ANNOTATION: text}) for text in (before, arn))
    return Change(Kind.SERVICE_ACCOUNT, ("backend", name), one, other)


def association(
    arn: str | None, before: str | None = None, *, tagged: bool = True, target: str = ""
) -> Change:
    one, other = (
        None if text is None else states.AssociationState(text, target, without_session_tags=not tagged)
        for text in (before, arn)
    )
    return Change(Kind.ASSOCIATION, ("blue", "backend", "app"), one, other)


def shifts(there: Documents, *changes: Change) -> tuple[list[str], list[str]]:
    """Who gains what, and who loses what: `who role before>after`, with `?` where conditions decide."""
    found = AccessChange.of(there, changes, BLUE)

    def text(item: Any) -> str:
        ways = ">".join(",".join(way.value for way in each) for each in (item.before, item.after))
        arn = item.role.rpartition("/")[2]
        return f"{item.who.text(BLUE.arn)} {arn} {ways}{'' if item.certain else ' ?'}"

    return [text(item) for item in found.gains], [text(item) for item in found.losses]
