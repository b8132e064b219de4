"""What a statement beside others would void, and whom a trust policy lets in; which tags are a file's."""

from typing import Any

import pytest

from irsa_cli.core.marks import applied
from irsa_cli.core.planning.adopt import also_admitted
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.owned_statements import widened
from irsa_cli.core.trust.restrictions import demands, voided
from irsa_cli.core.values.shown import listed
from tests.support.trusts import trust_of

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
APP = "system:serviceaccount:backend:app"
TOKEN = WebIdentity(PROVIDER, f"https://{ISSUER}", APP, "sts.amazonaws.com")
SUB, AUD = f"{ISSUER}:sub", f"{ISSUER}:aud"
VPC = {"aws:SourceVpc": "vpc-1"}


def allow(condition: Any = None, **more: Any) -> dict[str, Any]:
    made = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **more,
    }
    return made if condition is None else {**made, "Condition": condition}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def keys(*statements: dict[str, Any], identity: WebIdentity = TOKEN) -> list[str]:
    return [item.key for item in voided(document(*statements), identity)]


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {SUB: APP, **VPC}},
        {"StringEquals": {SUB: APP, AUD: "sts.amazonaws.com", **VPC}},
        {"StringEquals": {SUB: ["x", APP]}, "StringEqualsIfExists": VPC},
        {"StringLike": {SUB: "system:serviceaccount:*:app"}, "StringEquals": VPC},
        {"StringLike": {SUB: "system:serviceaccount:backend:*"}, "ForAnyValue:StringEquals": VPC},
        {"StringEquals": VPC},
        {"StringNotEquals": {SUB: "system:serviceaccount:backend:other"}, "StringEquals": VPC},
        # Another audience than the wanted one: whoever it is for comes from that VPC.
        {"StringEquals": {SUB: APP, AUD: "vault", **VPC}},
    ],
)
def test_a_condition_on_the_subject_is_a_restriction(condition: Any) -> None:
    assert keys(allow(condition)) == ["aws:SourceVpc"]


@pytest.mark.parametrize(
    "statement",
    [
        allow({"StringEquals": {SUB: "system:serviceaccount:backend:other", **VPC}}),
        allow({"StringEquals": {SUB: APP, AUD: "vault"}}),
        allow({"StringEquals": {SUB: APP}, "Bool": {"aws:SecureTransport": "true"}}),
        allow({"StringEquals": VPC}, Principal={"Federated": PROVIDER + "D"}),
        allow({"StringEquals": VPC}, Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole"),
        allow({"StringEquals": {SUB: APP, **VPC}}, Effect="Deny"),
        # The subject of another cluster's tokens, by mistake: it lets nobody in.
        allow({"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/OLD:sub": APP}}),
    ],
)
def test_what_does_not_hold_the_subject_back_is_none(statement: dict[str, Any]) -> None:
    assert keys(statement) == []


def test_where_it_is_open_already_nothing_is_voided() -> None:
    closed = allow({"StringEquals": {SUB: APP, **VPC}})
    assert keys(closed, trust_policy.statement(TOKEN)) == []
    assert keys(closed, allow({"StringEquals": {SUB: APP, AUD: "vault"}})) == ["aws:SourceVpc"]


def test_what_the_new_statement_demands_too_is_not_voided() -> None:
    closed = allow({"StringEquals": {SUB: APP, **VPC, "aws:SourceVpce": "vpce-1"}})
    found = voided(
        document(closed), TOKEN, demands(allow({"StringEquals": {SUB: APP, "AWS:sourcevpc": "vpc-1"}}))
    )
    assert [item.key for item in found] == ["aws:SourceVpce"]
    assert found[0].text == ("statement 1 allows it only if StringEquals aws:SourceVpce matches 'vpce-1'")


def test_a_policy_that_takes_the_place_of_another_is_looked_at_statement_by_statement() -> None:
    closed = allow({"StringEquals": {SUB: APP, AUD: "sts.amazonaws.com", **VPC}})
    other = allow({"StringEquals": VPC}, Principal={"Federated": PROVIDER + "D"})
    assert widened(document(closed, other), document(closed, other)) == ()
    assert [
        i.key for i in widened(document(closed, other), document(trust_policy.statement(TOKEN), other))
    ] == ["aws:SourceVpc"]
    assert widened(document(other), document(trust_policy.statement(TOKEN), other)) == ()


@pytest.mark.parametrize("broken", [None, "text", [], {"Statement": "x"}, {"Statement": {"Effect": "Allow"}}])
def test_what_is_no_policy_restricts_nobody(broken: Any) -> None:
    found = broken if isinstance(broken, dict) else {"Statement": broken}
    assert voided(found, TOKEN) == ()
    assert also_admitted(found, TOKEN) == ()


def test_the_exact_subject_of_its_own_provider_is_nobody_else() -> None:
    assert also_admitted(trust_of(TOKEN), TOKEN) == ()
    elsewhere = document(allow({"StringEquals": {SUB: APP}}, Principal={"Federated": PROVIDER + "D"}))
    assert also_admitted(elsewhere, TOKEN) == (f"every token of {ISSUER}D by statement 1",)
    assert also_admitted(document(allow(Principal="*")), TOKEN) == ("everybody by statement 1",)
    assert listed("abcdefghijklm")[-2:] == ["j", "and 3 more"]


def test_tags_that_a_file_has_set_go_with_it_and_no_others() -> None:
    there = applied.with_tag_note({"team": "a", "env": "x"}, {"irsa/transaction": ""})
    there |= {"Scanner": "1", "irsa/transaction": "t", "irsa/trust": "0", "irsa/commit": "done"}
    left = applied.kept_tags(there, {"team": "a"})
    assert left == {"Scanner": "1", "irsa/transaction": "t", "irsa/commit": "done"}


def test_what_others_have_set_to_the_same_value_is_theirs() -> None:
    theirs = {"Team": "a", "cost": "1"}
    desired = applied.with_tag_note({"team": "a", "env": "x"}, theirs)
    assert applied.kept_tags({**theirs, **desired}, {}) == {**theirs, "team": "a"}


def test_where_there_is_no_room_nothing_is_noted() -> None:
    many = {f"k{number}": "v" for number in range(48)}
    assert applied.with_tag_note(many, {"irsa/transaction": ""}) == many
    few = dict(list(many.items())[:47])
    assert len(applied.with_tag_note(few, {"irsa/transaction": ""})["irsa/tags"]) == 47 * 4
