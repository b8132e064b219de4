"""What a diagnosis says as a whole: never "right" of what could not be looked at; and how it is printed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.results.doctor import lines
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge, undecided
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.values.errors import Unreadable
from tests.support.documents import Json
from tests.unit.current import (
    ACCOUNT,
    CLUSTER,
    ROLE,
    SUBJECT,
    TRUST,
    Change,
    annotated,
    around,
    condition,
    listed,
    of_cluster,
    pod,
    role,
    trusting,
    working,
)
from tests.unit.doctor.diagnosis_cases import CASES, finding, noted, problems, verdicts, with_pod

RIGHT = {"sub": SUBJECT, "aud": "sts.amazonaws.com"}
WHY = Unreadable("not permitted")
FAR = ROLE.replace(ACCOUNT, "444455556666")
FAR_TRUST = json.loads(json.dumps(TRUST).replace(ACCOUNT, "444455556666"))


def one(facts: Facts) -> Diagnosis:
    """As of one ServiceAccount."""
    found = judge(facts)
    return Diagnosis(CLUSTER, found, examined(facts, found))


def many(facts: Facts) -> Diagnosis:
    """As of all of a cluster with one."""
    bare = replace(facts, subject=None)
    found = judge(bare)
    return Diagnosis(
        CLUSTER, found, accounts=(examined(facts, judge(facts)),), undecided=undecided(bare, found)
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (around(), 0),
        (around(role=WHY), 1),
        (around(account=WHY), 1),
        (of_cluster(provider=WHY), 1),
        (trusting(condition(StringEquals=RIGHT, IpAddress={"aws:SourceIp": "10.0.0.0/8"})), 1),
        (around(probe=WHY, nodes=WHY, network_policies=WHY), 0),
        (around(pods=WHY), 1),
        (around(pods=()), 1),
        (with_pod(phase="Pending"), 1),
        (with_pod(ending=True), 1),
        (with_pod(phase="Succeeded"), 1),
        (around(pods=(pod(phase="Pending"), pod())), 0),
        (of_cluster(webhooks=WHY, accounts=WHY, quotas=WHY, cluster_keys=WHY), 0),
    ],
)
def test_the_exit_code_tells_whether_all_that_decides_was_looked_at(change: Change, code: int) -> None:
    facts = change(working())
    for diagnosis in (one(facts), many(facts)):
        assert diagnosis.exit_code == code
        sentence = "No problem was found." if code == 0 else "No problem was found, but"
        assert list(lines(diagnosis, everything=False))[-1].startswith(sentence)


def test_a_cluster_without_service_accounts_is_judged_by_its_provider() -> None:
    bare = replace(working(), subject=None)
    hidden = replace(bare, provider=WHY)
    codes = [
        Diagnosis(CLUSTER, judge(facts), undecided=undecided(facts, judge(facts))).exit_code
        for facts in (bare, hidden)
    ]
    assert codes == [0, 1]
    assert Diagnosis(CLUSTER, judge(bare), listed=False).exit_code == 1


@given(st.sampled_from(CASES), st.sets(st.sampled_from(["role", "account", "association", "provider"])))
def test_nothing_is_called_right_of_which_a_deciding_check_was_not_made(
    case: tuple[str, Change], hidden: set[str]
) -> None:
    facts = case[1](working())
    fields: Json = dict.fromkeys(hidden, WHY)
    facts = replace(facts, subject=replace(facts.named, **fields))
    (found,) = many(facts).accounts
    if found.verdict is Verdict.OK:
        assert "account" not in hidden
        assert "role" not in hidden or found.role_arn is None


ODD = st.text(st.characters(categories=["Cc", "Cf", "Lu", "Po", "Zl"]), max_size=20)


@given(ODD)
def test_what_others_wrote_stays_in_its_line(text: str) -> None:
    change = around(account=annotated(role_arn=f"arn:aws:iam::1:role/{text}", audience=text), pods=())
    for diagnosis in (one(change(working())), many(change(working()))):
        for everything in (False, True):
            assert all(line.isprintable() for line in lines(diagnosis, everything=everything))


@given(ODD)
def test_no_arn_with_odd_characters_is_suggested(text: str) -> None:
    change = noted(f"arn:aws:iam::1:role/{text}")
    assert [name for name in problems(change) if name.startswith("annotation-")] == ["annotation-arn"]
    fix = finding(change, "annotation-arn").judgement.fix
    assert all(line.isprintable() for line in fix.splitlines())


NAMESAKE = (listed(ROLE, TRUST),)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, Verdict.OK),
        ({"candidates": NAMESAKE}, Verdict.OK),
        ({"candidates": WHY}, Verdict.OK),
        ({"provider": None}, Verdict.OK),
        ({"role": None}, Verdict.OK),
        ({"role": None, "candidates": NAMESAKE}, Verdict.PROBLEM),
        ({"role": role(arn=FAR, trust=TRUST), "candidates": NAMESAKE}, Verdict.PROBLEM),
        ({"role": WHY}, Verdict.UNKNOWN),
        ({"provider": WHY}, Verdict.UNKNOWN),
        ({"role": WHY, "candidates": NAMESAKE}, Verdict.PROBLEM),
    ],
)
def test_another_account_is_wrong_only_where_that_was_seen(fields: Json, verdict: Verdict) -> None:
    far = {"account": annotated(role_arn=FAR), "role": role(arn=FAR, trust=FAR_TRUST), "candidates": ()}
    assert verdicts(around(pods=(), **{**far, **fields}))["annotation-account"] is verdict
