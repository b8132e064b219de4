"""What is true of all changes of access: both directions say the same, and the evaluator agrees on each."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.core.access.difference import AccessChange
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.who import WhoKind, by_issuer, named_by
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values.cluster import Cluster
from tests.unit.trust.policies import ISSUER, OTHER, PROVIDER, cases

BLUE, GREEN = (
    Cluster(
        name,
        f"arn:aws:eks:eu-west-1:111122223333:cluster/{name}",
        "eu-west-1",
        "aws",
        "111122223333",
        f"https://{issuer}",
    )
    for name, issuer in (("blue", ISSUER), ("green", OTHER))
)
AUDIENCES = ("sts.amazonaws.com", "example.com", "sts.amazonaws.com.cn")
PAIRS = 150
ROLE = "arn:aws:iam::111122223333:role/app"


def _pairs(seed: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    documents = [case.document for case in cases(2 * PAIRS, seed)]
    return list(zip(documents[::2], documents[1::2], strict=True))


def _changed(one: dict[str, Any], other: dict[str, Any]) -> AccessChange:
    change = Change(Kind.TRUST_POLICY, ("app",), DocumentState(one), DocumentState(other))
    there = Documents((BLUE, GREEN), trusts={ROLE: one}, providers={PROVIDER: AUDIENCES})
    return AccessChange.of(there, [change], BLUE)


@pytest.mark.parametrize("seed", range(4))
def test_what_one_direction_gains_the_other_loses(seed: int) -> None:
    for one, other in _pairs(seed):
        there, back = _changed(one, other), _changed(other, one)
        assert {item.key for item in there.gains} == {item.key for item in back.losses}
        assert {item.key for item in there.losses} == {item.key for item in back.gains}
        assert not _changed(one, one).gains
        assert not _changed(one, one).losses


@pytest.mark.parametrize("seed", range(4))
def test_the_evaluator_says_the_same_of_each_token(seed: int) -> None:
    """Nobody who has a role for sure, and does not afterwards, is left out, nor anybody named who stays."""
    compared = 0
    for one, other in _pairs(seed):
        found = _changed(one, other)
        clusters = by_issuer((BLUE, GREEN))
        for who in {*named_by(one, clusters), *named_by(other, clusters)}:
            if who.kind is not WhoKind.SERVICE_ACCOUNT or who.place != BLUE.arn:
                continue
            before, after = _answer(one, who.subject), _answer(other, who.subject)
            lost = (who, ROLE) in {item.key for item in found.losses}
            gained = (who, ROLE) in {item.key for item in found.gains}
            if Answer.UNKNOWN not in (before, after):
                compared += 1
                assert lost == (before is Answer.YES and after is Answer.NO)
                assert gained == (before is Answer.NO and after is Answer.YES)
            elif before is not Answer.UNKNOWN or after is not Answer.UNKNOWN:
                assert lost == (before is Answer.YES or after is Answer.NO)
                assert gained == (before is Answer.NO or after is Answer.YES)
    assert compared > PAIRS / 4


def _answer(document: dict[str, Any], subject: str) -> Answer:
    tokens = [WebIdentity(PROVIDER, BLUE.issuer, subject, audience) for audience in AUDIENCES]
    answers = {explain(document, token).answer for token in tokens}
    return next((each for each in (Answer.YES, Answer.UNKNOWN) if each in answers), Answer.NO)
