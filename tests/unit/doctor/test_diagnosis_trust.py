"""What is wrong in a trust policy: found if and only if the policy does not admit the token."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.causes.role import overlap
from irsa_cli.core.doctor.clues.trust_flaws import flaws
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.operators import like
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.trust.trust_policy import statement, with_statement
from tests.support.documents import Json
from tests.unit.current import IDENTITY, PROVIDER, TRUST, around, role
from tests.unit.doctor.diagnosis_cases import problems
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import Case, cases

POLICIES = cases(3000, seed=7)


def test_a_policy_that_does_not_admit_has_a_flaw_and_no_other_has() -> None:
    for case in POLICIES:
        found = flaws(case.document, case.identity)
        assert bool(found) != explain(case.document, case.identity).admitted, case.document
        assert {flaw.cause for flaw in found} <= set(CAUSES)


def certainly_refused(case: Case) -> bool:
    explanation = explain(case.document, case.identity)
    return is_certain(explanation) and not explanation.admitted


def test_what_is_certainly_refused_has_a_flaw_that_is_certain() -> None:
    for case in filter(certainly_refused, POLICIES):
        assert any(not flaw.unknown for flaw in flaws(case.document, case.identity)), case.document


def test_the_fix_cures_every_policy_that_denies_nothing() -> None:
    # The token of a pod has one audience.
    for case in (case for case in POLICIES if not case.identity.more_audiences):
        if "trust-deny" not in {flaw.cause for flaw in flaws(case.document, case.identity)}:
            cured = with_statement(case.document, statement(case.identity))
            assert flaws(cured, case.identity) == ()


def test_a_principal_that_can_not_be_known_is_no_certain_flaw() -> None:
    for kind in ("AWS", "Federated"):
        document = {"Statement": {"Effect": "Allow", "Principal": {kind: "*"}, "Action": "sts:*"}}
        assert all(flaw.unknown for flaw in flaws(document, IDENTITY))


def test_a_condition_on_the_network_is_no_certain_flaw() -> None:
    (good,) = TRUST["Statement"]
    limited = {**good, "Condition": {**good["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    (flaw,) = flaws({**TRUST, "Statement": limited}, IDENTITY)
    assert (flaw.cause, flaw.unknown) == ("trust-condition", True)


def test_a_provider_of_a_cluster_that_is_gone_is_told_from_one_of_another() -> None:
    document = {"Statement": {**TRUST["Statement"][0], "Principal": {"Federated": OTHER}, "Condition": {}}}
    for gone, cause in ((frozenset(), "trust-other-cluster"), (frozenset({OTHER}), "trust-old-cluster")):
        assert [flaw.cause for flaw in flaws(document, IDENTITY, gone)] == [cause]


OTHER = PROVIDER.replace("0123456789", "9999999999")
SUB, WEB = "system:serviceaccount:backend:reader", "system:serviceaccount:front:web"


def of_cluster(provider: str, sub: str, aud: str = "sts.amazonaws.com") -> Json:
    """A statement for one cluster."""
    (good,), prefix = TRUST["Statement"], provider.partition("oidc-provider/")[2]
    keys = {f"{prefix}:sub": sub, f"{prefix}:aud": aud}
    return {**good, "Principal": {"Federated": provider}, "Condition": {"StringEquals": keys}}


def test_of_several_clusters_the_statement_with_our_provider_is_blamed() -> None:
    for sub, aud in product((WEB, "system:serviceaccount:backend:raeder"), ("sts.amazonaws.com", "vault")):
        theirs, ours = of_cluster(OTHER, SUB), of_cluster(PROVIDER, sub, aud)
        for place in (0, 1, 2):
            statements = [theirs, of_cluster(f"{OTHER}1", SUB)]
            statements.insert(place, ours)
            found = flaws({**TRUST, "Statement": statements}, IDENTITY)
            assert {flaw.statement for flaw in found} == {f"statement {place + 1}"}
            assert {flaw.cause for flaw in found} <= {"trust-subject", "trust-audience"}


def test_a_statement_for_everybody_is_not_taken_for_the_clusters() -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {}}
    document = {**TRUST, "Statement": [everybody, of_cluster(PROVIDER, WEB, "vault")]}
    assert {flaw.statement for flaw in flaws(document, IDENTITY)} == {"statement 2"}


def test_a_cluster_of_the_same_name_in_another_region_is_another_one() -> None:
    """eksctl tags providers with the cluster's name alone."""
    tags = {"alpha.eksctl.io/cluster-name": "demo"}
    for provider, cause in (
        (OTHER, "trust-old-cluster"),
        (OTHER.replace("eu-west-1", "us-east-1"), "trust-other-cluster"),
    ):
        known = {provider: ProviderState("https://x", ["sts.amazonaws.com"], tags=tags)}
        trust = {**TRUST, "Statement": [of_cluster(provider, SUB)]}
        assert problems(around(role=role(trust=trust), providers=known)) == [cause]


ACTIONS = st.text("ab:*?", max_size=6)


@given(ACTIONS, ACTIONS, st.text("ab:", max_size=6))
def test_patterns_that_match_the_same_text_overlap(one: str, other: str, text: str) -> None:
    if like(text, one) and like(text, other):
        assert overlap(one, other)


@given(st.text("ab:", max_size=4), ACTIONS)
def test_a_text_overlaps_with_what_it_matches_and_nothing_else(text: str, pattern: str) -> None:
    assert overlap(text, pattern) == overlap(pattern, text) == like(text, pattern)
