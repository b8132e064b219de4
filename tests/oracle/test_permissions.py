"""3,000 requests of roles with identity policies, boundaries and session policies, judged three times."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from irsa_cli.core.policies.statements import Allowed, allowed
from irsa_cli.sandbox.enforce import Act, Powers, refusal
from tests.oracle.oracle import ALLOWED, verdicts

CASES = 3_000
SEED = 3
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ACTIONS = ("s3:GetObject", "s3:PutObject", "sqs:SendMessage", "iam:CreateRole")
PATTERNS = (
    "s3:GetObject",
    "s3:*",
    "S3:getobject",
    "s3:Get*",
    "*",
    "sqs:SendMessage",
    "s3:?etObject",
    "iam:*",
)
RESOURCES = {
    "s3": ("arn:aws:s3:::shop/cart.json", "arn:aws:s3:::shop-logs/a/b"),
    "sqs": (f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs",),
    "iam": (f"arn:aws:iam::{ACCOUNT}:role/new",),
}
NAMED = (
    "*",
    "arn:aws:s3:::shop/*",
    "arn:aws:s3:::shop*",
    "arn:aws:s3:::shop/cart.json",
    "arn:aws:s3:::sho?/*",
    f"arn:aws:sqs:*:{ACCOUNT}:*",
    f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs",
    f"arn:aws:iam::{ACCOUNT}:role/*",
)
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"Bool": {"aws:SecureTransport": "true"}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}},
    {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
    {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}},
    {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
)
CONTEXT = {
    "aws:securetransport": "true",
    "aws:requestedregion": "eu-west-1",
    "aws:principalarn": ROLE,
    "aws:sourceip": "203.0.113.7",
    "aws:principalaccount": ACCOUNT,
}


@dataclass(frozen=True)
class Question:
    """May the role do this to that? `session`: it has assumed itself with a session policy."""

    action: str
    resource: str
    identity: tuple[dict[str, Any], ...]
    boundary: dict[str, Any] | None
    session: dict[str, Any] | None

    @property
    def irsa(self) -> Allowed | None:
        policies = {f"p{number}": document for number, document in enumerate(self.identity)}
        bounded = self.boundary is not None
        return allowed(policies, self.action, self.resource, boundary=self.boundary, has_boundary=bounded)

    @property
    def sandbox(self) -> bool:
        context = {key: [value] for key, value in CONTEXT.items()}
        powers = Powers(self.identity, self.boundary, self.session)
        return not refusal(powers, Act(self.action, self.resource, context))

    @property
    def request(self) -> dict[str, Any]:
        return {
            "principal": ROLE,
            "action": self.action,
            "resource": {"resource": self.resource, "accountId": ACCOUNT},
            "context": CONTEXT,
            "identity": list(self.identity),
            "boundaries": None if self.boundary is None else [self.boundary],
            "session": self.session,
        }


def _questions() -> list[Question]:
    some = Random(SEED)
    return [_question(some) for _ in range(CASES)]


def _question(some: Random) -> Question:
    action = some.choice(ACTIONS)
    resource = some.choice(RESOURCES[action.partition(":")[0]])
    identity = tuple(_policy(some) for _ in range(some.choice((1, 1, 2))))
    boundary = _policy(some) if some.random() < 0.4 else None
    session = _policy(some) if some.random() < 0.3 else None
    return Question(action, resource, identity, boundary, session)


def _policy(some: Random) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(some) for _ in range(some.choice((1, 2, 3)))],
    }


def _statement(some: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Allow" if some.random() < 0.85 else "Deny"}
    found["NotAction" if some.random() < 0.1 else "Action"] = some.sample(PATTERNS, some.choice((1, 2)))
    found["NotResource" if some.random() < 0.1 else "Resource"] = some.sample(NAMED, some.choice((1, 2)))
    if some.random() < 0.3:
        found["Condition"] = some.choice(CONDITIONS)
    return found


@pytest.fixture(scope="module")
def answers() -> list[tuple[Question, bool]]:
    found = _questions()
    others = verdicts([item.request for item in found])
    return [(item, other == ALLOWED) for item, other in zip(found, others, strict=True)]


def test_what_irsa_is_sure_of_is_so(answers: list[tuple[Question, bool]]) -> None:
    """Of what conditions decide it says no more than "if"; session policies are not looked at."""
    for item, other in answers:
        if item.session is None and (item.irsa is None or not item.irsa.conditions):
            assert other == (item.irsa is not None), item


def test_the_sandbox_and_it_agree(answers: list[tuple[Question, bool]]) -> None:
    assert [item for item, other in answers if item.sandbox != other] == []


def test_the_comparison_is_worth_something(answers: list[tuple[Question, bool]]) -> None:
    allowed_ones = sum(other for _, other in answers)
    assert 0.15 * CASES < allowed_ones < 0.7 * CASES
    found = [item.irsa for item, _ in answers]
    assert sum(item is not None and not item.conditions for item in found) > 0.1 * CASES
