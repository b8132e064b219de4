"""A diagnosis as a whole: its order, its exit code, its document, and that what is unknown is no problem."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.diagnosis import Diagnosis, examined, judge
from irsa_cli.core.doctor.facts import Facts, NodeMetadata
from irsa_cli.core.doctor.finding import Verdict
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable
from tests.support.documents import Json, policy
from tests.support.ran import check
from tests.unit.current import (
    CLUSTER,
    NOW,
    ROLE,
    TRUST,
    Change,
    annotated,
    around,
    both,
    container,
    env,
    role,
    statement,
    trusting,
    working,
)
from tests.unit.doctor.diagnosis_cases import CASES, verdicts, with_container, with_pod

OF_CLUSTER = [
    *("eks", "provider", "providers", "quotas", "sts_endpoints", "published_keys", "cluster_keys"),
    *("accounts", "webhooks"),
]
OF_SUBJECT = [
    *("namespace_labels", "account", "role", "provider", "candidates", "pods", "probe", "association"),
    *("association_role", "agent", "auth_endpoints", "network_policies", "nodes", "events", "elsewhere"),
    *("target_role", "agents", "other_associations", "refused", "lock", "chain_target", "aws_config"),
    "inside",
]
NO_REGION = {key: value for key, value in env().items() if not key.endswith("REGION")}


def unreadable(facts: Facts, names: set[str]) -> Facts:
    """The facts with these parts unreadable; those of the ServiceAccount begin with a dot."""
    why = Unreadable("not permitted")
    whole: Json = {name: why for name in names if not name.startswith(".")}
    part: Json = {name[1:]: why for name in names if name.startswith(".")}
    return replace(facts, subject=replace(facts.named, **part), **whole)


PARTS = st.sets(st.sampled_from([*OF_CLUSTER, *(f".{name}" for name in OF_SUBJECT)]))


@given(PARTS)
def test_what_can_not_be_read_is_no_problem(names: set[str]) -> None:
    found = judge(unreadable(working(), names))
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == []
    asked = ".inside" in names  # A pod of irsa's own is judged only if one was asked for.
    assert len(found) == len(CAUSES) - (not asked)


@given(st.sampled_from(CASES), PARTS)
def test_every_check_ends_with_a_verdict_whatever_can_be_read(
    case: tuple[str, Change], names: set[str]
) -> None:
    for item in judge(unreadable(case[1](working()), names)):
        assert item.judgement.text
        assert bool(item.judgement.fix) == (item.verdict is Verdict.PROBLEM)


def test_what_can_not_be_read_is_shown_with_its_reason() -> None:
    def untold(facts: Facts) -> set[str]:
        return {item.cause.id for item in judge(facts) if item.verdict is Verdict.UNKNOWN}

    # These say more where they can be read, and decide nothing by themselves; the next are read where there
    # is a Pod Identity association, or where the ServiceAccount has no role or goes on to a target role.
    hints = """providers quotas accounts .candidates .provider .probe .association_role .agent .auth_endpoints
    .elsewhere .target_role .agents .other_associations .chain_target .aws_config"""
    for name in (*OF_CLUSTER, *(f".{name}" for name in OF_SUBJECT)):
        hidden = untold(unreadable(working(), {name})) - untold(working())
        assert hidden or name in hints.split(), name


MENDS_AWS = re.compile(r"^(# )?(aws iam|irsa (associate-oidc|create-sa|update-sa))", re.MULTILINE)
RESTARTS = re.compile(r"^(# )?kubectl .*(rollout restart|delete pod)", re.MULTILINE)


def fixes(change: Change) -> list[str]:
    return [item.judgement.fix for item in judge(change(working())) if item.verdict is Verdict.PROBLEM]


def test_aws_is_mended_before_pods_are_restarted() -> None:
    found = [(change, "\n".join(fixes(change))) for change in dict(CASES).values()]
    mending = [change for change, fix in found if MENDS_AWS.search(fix) and not RESTARTS.search(fix)]
    restarting = [change for change, fix in found if RESTARTS.search(fix) and not MENDS_AWS.search(fix)]
    assert min(len(mending), len(restarting)) > 5
    # Each with some of the others, and never with the same ones.
    for place, first in enumerate(mending):
        for second in restarting[place % 4 :: 4]:
            lines = fixes(both(first, second))
            said = ["R" if RESTARTS.search(fix) else "A" * bool(MENDS_AWS.search(fix)) for fix in lines]
            assert "RA" not in "".join(said), lines


@given(st.permutations(CASES[:20]))
def test_problems_come_first_and_the_most_probable_at_the_top(cases: list[tuple[str, Change]]) -> None:
    facts = working()
    for _, change in cases[:3]:
        facts = change(facts)
    found = judge(facts)
    order = [Verdict.PROBLEM, Verdict.UNKNOWN, Verdict.OK]
    assert [item.verdict for item in found] == sorted((item.verdict for item in found), key=order.index)
    for verdict in order[1:]:
        weights = [item.cause.weight for item in found if item.verdict is verdict]
        assert weights == sorted(weights, reverse=True)


def diagnosis(facts: Facts) -> Diagnosis:
    found = judge(facts)
    return Diagnosis(CLUSTER, found, examined(facts, found))


def test_the_document_is_as_its_schema_says() -> None:
    for change in dict(CASES).values():
        check(diagnosis(change(working())).envelope().to_json(), 5)


@pytest.mark.parametrize(
    ("error", "signal", "code"),
    [(IrsaError("x"), 0, 1), (Refused("x"), 0, 4), (ValueError("x"), 0, 1), (IrsaError("x"), 2, 130)],
)
def test_an_error_has_its_own_exit_code(error: Exception, signal: int, code: int) -> None:
    failed = Diagnosis(None, error=error, signal=signal)
    check(failed.envelope().to_json(), code)


def test_every_cause_explains_itself() -> None:
    for cause in CAUSES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", cause.id)
        assert cause.source.startswith("https://"), cause.id
        assert cause.title.endswith("."), cause.id
        assert all((cause.symptom, cause.looks_at, cause.remedy)), cause.id
        assert 0 <= cause.weight <= 100, cause.id


DENIED = around(events=(TrailEvent(NOW, ROLE, "AccessDenied"),))
ASSUMING = with_container(env=env(ASSUME=ROLE))


def on_node(node: str, **nodes: NodeMetadata) -> Change:
    return both(with_pod(node=node), around(nodes=nodes))


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("role-new", around(role=role(created=NOW - timedelta(seconds=5)))),
        ("role-without-permissions", around(role=role(policies={}))),
        ("role-wide-trust", trusting(statement(Condition=None))),
        ("pod-host-network", with_pod(host_network=True)),
        ("node-hop-limit", on_node("n", n=NodeMetadata(2))),
        ("node-hop-limit", on_node("n")),
        ("pod-role-twice", ASSUMING),
        ("pod-role-twice", with_container(arguments=(f"--role={ROLE}",))),
        ("token-malformed", around(events=())),
        ("pod-mesh", with_pod(containers=(container(), container(name="istio-proxy")))),
        ("sts-global-endpoint", around(account=annotated(role_arn=ROLE, sts_regional_endpoints="false"))),
        ("sts-never-asked", around(events=())),
        ("sdk-too-old", with_container(image="app:1")),
        ("pod-static-credentials", with_container(sources=("secret/a",))),
        ("pod-region", both(with_container(env=NO_REGION), around(events=()))),
        ("organization-policy", DENIED),
    ],
)
def test_hints_are_shown_and_are_no_problem(cause: str, change: Change) -> None:
    found = verdicts(change)
    assert found[cause] is Verdict.UNKNOWN
    assert Verdict.PROBLEM not in found.values()


ITSELF = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("node-hop-limit", with_pod(node="")),
        ("role-wide-trust", around(role=role(policies={"p": policy("Allow * on *")}))),
        ("node-hop-limit", with_pod(node="fargate-1")),
        ("node-hop-limit", on_node("n", n=NodeMetadata(1))),
        ("node-hop-limit", on_node("n", n=NodeMetadata(2, enabled=False))),
        ("pod-role-twice", with_container(env=env(ASSUME=f"{ROLE}-2"))),
        ("pod-role-twice", both(ASSUMING, trusting({"Statement": [*TRUST["Statement"], ITSELF]}))),
        ("token-malformed", DENIED),
    ],
)
def test_what_a_hint_is_not_about(cause: str, change: Change) -> None:
    assert verdicts(change)[cause] is Verdict.OK
