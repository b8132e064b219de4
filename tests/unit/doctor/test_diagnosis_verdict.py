"""What a diagnosis says as a whole: never "right" of what could not be looked at; and how it is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.results.doctor import lines
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge, undecided
from irsa_cli.core.doctor.facts import Facts, RoleSummary
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import (
    ACCOUNT,
    CLUSTER,
    ROLE,
    SUBJECT,
    TRUST,
    Change,
    account,
    annotated,
    around,
    condition,
    of_cluster,
    pod,
    role,
    trusting,
    working,
)
from tests.unit.doctor.diagnosis_cases import CASES, pod_identity

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
        (around(pods=(pod(phase="Pending"),)), 1),
        (around(pods=(pod(ending=True),)), 1),
        (around(pods=(pod(phase="Succeeded"),)), 1),
        (around(pods=(pod(phase="Pending"), pod())), 0),
        (of_cluster(webhooks=WHY, accounts=WHY, quotas=WHY, cluster_keys=WHY), 0),
    ],
)
def test_the_exit_code_tells_whether_all_that_decides_was_looked_at(change: Change, code: int) -> None:
    facts = change(working())
    assert (one(facts).exit_code, many(facts).exit_code) == (code, code)
    sentence = "No problem was found." if code == 0 else "No problem was found, but"
    for diagnosis in (one(facts), many(facts)):
        assert list(lines(diagnosis, everything=False))[-1].startswith(sentence)


def test_a_role_by_pod_identity_is_judged_by_its_association() -> None:
    facts = around(account=account(annotations={}), pods=())(pod_identity()(working()))
    assert isinstance(facts.named.association, Association)
    assert one(facts).exit_code == 1  # No pod was seen.
    facts = pod_identity()(working())
    assert one(facts).exit_code == 0
    assert one(around(association_role=WHY)(facts)).exit_code == 1


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
    fields: dict[str, Any] = dict.fromkeys(hidden, WHY)
    facts = replace(facts, subject=replace(facts.named, **fields))
    (found,) = many(facts).accounts
    if found.verdict is Verdict.OK:
        assert "account" not in hidden
        assert "role" not in hidden or found.role_arn is None


ODD = st.text(st.characters(categories=["Cc", "Cf", "Lu", "Po", "Zl"]), max_size=20)


@given(ODD)
def test_what_others_wrote_stays_in_its_line(text: str) -> None:
    facts = around(account=annotated(role_arn=f"arn:aws:iam::1:role/{text}", audience=text), pods=())(
        working()
    )
    for diagnosis in (one(facts), many(facts)):
        for everything in (False, True):
            printed = list(lines(diagnosis, everything=everything))
            assert all(line.isprintable() for line in printed)


@given(ODD)
def test_no_arn_with_odd_characters_is_suggested(text: str) -> None:
    facts = around(account=annotated(role_arn=f"arn:aws:iam::1:role/{text}"), pods=())(working())
    found = [item for item in judge(facts) if item.cause.id.startswith("annotation-")]
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == ["annotation-arn"]
    assert all(line.isprintable() for item in found for line in item.judgement.fix.splitlines())


NAMESAKE = (RoleSummary(ROLE, TRUST),)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (around(), Verdict.OK),
        (around(candidates=NAMESAKE), Verdict.OK),
        (around(candidates=WHY), Verdict.OK),
        (around(provider=None), Verdict.OK),
        (around(role=None), Verdict.OK),
        (around(role=None, candidates=NAMESAKE), Verdict.PROBLEM),
        (around(role=role(arn=FAR, trust=TRUST), candidates=NAMESAKE), Verdict.PROBLEM),
        (around(role=WHY), Verdict.UNKNOWN),
        (around(provider=WHY), Verdict.UNKNOWN),
        (around(role=WHY, candidates=NAMESAKE), Verdict.PROBLEM),
    ],
)
def test_another_account_is_wrong_only_where_that_was_seen(change: Change, verdict: Verdict) -> None:
    far = around(account=annotated(role_arn=FAR), role=role(arn=FAR, trust=FAR_TRUST), candidates=(), pods=())
    found = {item.cause.id: item.verdict for item in judge(change(far(working())))}
    assert found["annotation-account"] is verdict


def test_the_verdict_of_a_service_account_is_in_the_document() -> None:
    hidden = around(role=WHY)(working())
    assert one(hidden).envelope().to_json()["items"][0]["verdict"] == "unknown"
    assert [item["verdict"] for item in many(hidden).envelope().to_json()["items"][1:]] == ["unknown"]
