"""Trust policies that ask for the time: a window that is open, over, or not yet open, and until when."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.trust.evaluation import Answer, explain
from tests.support.documents import Json
from tests.support.trusts import trust_of
from tests.unit.trust.written import TOKEN

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=timezone.utc)
END = "2026-12-31T00:00:00Z"
OVER = datetime(2026, 12, 31, tzinfo=timezone.utc)


def trusting(effect: str = "Allow", **condition: Any) -> Json:
    document = trust_of(TOKEN)
    if effect == "Deny":
        deny = {**document["Statement"][0], "Effect": "Deny", "Condition": condition}
        return {**document, "Statement": [*document["Statement"], deny]}
    document["Statement"][0]["Condition"].update(condition)
    return document


WINDOWS: list[tuple[str, Answer, datetime | None]] = [
    ("{}", Answer.YES, None),
    ('{"DateLessThan": {"aws:CurrentTime": "END"}}', Answer.YES, OVER),
    ('{"DateLessThanEquals": {"aws:CurrentTime": "END"}}', Answer.YES, OVER + timedelta(seconds=1)),
    ('{"DateLessThan": {"AWS:currenttime": "2026-11-25T11:59:59Z"}}', Answer.NO, None),
    ('{"DateGreaterThan": {"aws:CurrentTime": "END"}}', Answer.NO, OVER + timedelta(seconds=1)),
    ('{"DateGreaterThan": {"aws:EpochTime": "1500000000"}}', Answer.YES, None),
    ('{"NumericLessThan": {"aws:EpochTime": 1798675200}}', Answer.YES, OVER),
    (
        '{"DateLessThan": {"aws:CurrentTime": "END"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}',
        Answer.UNKNOWN,
        OVER,
    ),
    ('{"DateLessThan": {"aws:CurrentTime": "soon"}}', Answer.UNKNOWN, None),
    (f'{{"DateLessThan": {{"aws:CurrentTime": ["{"9" * 400}", "2026-13-01", "END"]}}}}', Answer.YES, OVER),
    ('Deny {"DateGreaterThanEquals": {"aws:CurrentTime": "END"}}', Answer.YES, OVER),
    ('Deny {"DateLessThan": {"aws:CurrentTime": "END"}}', Answer.NO, OVER),
]


@pytest.mark.parametrize(("text", "answer", "until"), WINDOWS, ids=[row[0][:60] for row in WINDOWS])
def test_a_window_of_time(text: str, answer: Answer, until: datetime | None) -> None:
    effect = "Deny" if text.startswith("Deny") else "Allow"
    condition = json.loads(text.removeprefix("Deny ").replace("END", END))
    found = explain(trusting(effect, **condition), TOKEN, now=NOW)
    assert (found.answer, found.until) == (answer, until)
    if until is not None:
        assert f"until {until:%Y-%m-%d %H:%M:%S} UTC" in found.text[-1]


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_without_a_time_it_can_not_be_known(effect: str) -> None:
    found = explain(trusting(effect, DateLessThan={"aws:CurrentTime": END}), TOKEN)
    assert (found.answer, found.until) == (Answer.UNKNOWN, None)
    (condition,) = found.conditions
    assert "it depends on the time" in condition


@given(st.lists(st.sampled_from(["2026", "2026-12-01", END, "1800000000", "x"]), min_size=1), st.data())
def test_the_answer_holds_until_it_is_said_to_end(times: list[str], data: st.DataObject) -> None:
    operator = data.draw(
        st.sampled_from(["DateLessThan", "DateGreaterThanEquals", "DateNotEquals", "DateEquals"])
    )
    document = trusting(
        data.draw(st.sampled_from(["Allow", "Deny"])), **{operator: {"aws:CurrentTime": times}}
    )
    found = explain(document, TOKEN, now=NOW)
    if found.until is None:
        later = NOW + timedelta(seconds=data.draw(st.integers(0, 10**9)))
        assert explain(document, TOKEN, now=later).answer is found.answer
    else:
        before = found.until - timedelta(seconds=1)
        assert before < NOW or explain(document, TOKEN, now=before).answer is found.answer
        assert explain(document, TOKEN, now=found.until).answer is not found.answer
