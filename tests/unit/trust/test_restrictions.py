"""What a statement beside others would void, and whom a trust policy lets in; which tags are a file's."""

from typing import Any

import pytest

from irsa_cli.core.marks import applied
from irsa_cli.core.planning.adopt import also_admitted
from irsa_cli.core.trust.owned_statements import widened
from irsa_cli.core.trust.restrictions import demands, voided
from irsa_cli.core.trust.trust_policy import statement
from irsa_cli.core.values.shown import listed
from tests.support.documents import Json
from tests.support.trusts import trust_of
from tests.unit.trust.written import PROVIDER, TOKEN, P, allow, on, policy


def keys(*statements: Json) -> list[str]:
    return [item.key for item in voided(policy(*statements), TOKEN)]


CLOSED = on('{"StringEquals": {"<P>:sub": "<SUB>", "aws:SourceVpc": "vpc-1"}}')


def test_a_condition_on_the_subject_is_a_restriction() -> None:
    """Of whichever audience: whoever it is for comes from that VPC."""
    for text in (
        '{"StringEquals": {"<P>:sub": "<SUB>", "aws:SourceVpc": "vpc-1"}}',
        '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com", "aws:SourceVpc": "vpc-1"}}',
        '{"StringEquals": {"<P>:sub": ["x", "<SUB>"]}, "StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}',
        '{"StringLike": {"<P>:sub": "system:*:reader"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}',
        '{"StringLike": {"<P>:sub": "*:backend:*"}, "ForAnyValue:StringEquals": {"aws:SourceVpc": "vpc-1"}}',
        '{"StringEquals": {"aws:SourceVpc": "vpc-1"}}',
        '{"StringNotEquals": {"<P>:sub": "other"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}',
        '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "vault", "aws:SourceVpc": "vpc-1"}}',
    ):
        assert keys(on(text)) == ["aws:SourceVpc"], text


def test_what_does_not_hold_the_subject_back_is_none() -> None:
    """The subject of another cluster's tokens, by mistake, lets nobody in."""
    vpc = '"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}'
    for text in (
        '{"Condition": {"StringEquals": {"<P>:sub": "other", "aws:SourceVpc": "vpc-1"}}}',
        '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "vault"}}}',
        '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>"}, "Bool": {"aws:SecureTransport": "true"}}}',
        f'{{"Principal": {{"Federated": "<PROVIDER>D"}}, {vpc}}}',
        f'{{"Principal": {{"Service": "ec2.amazonaws.com"}}, "Action": "sts:AssumeRole", {vpc}}}',
        f'{{"Effect": "Deny", {vpc}}}',
        '{"Condition": {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/OLD:sub": "<SUB>"}}}',
    ):
        assert keys(allow(text)) == [], text


def test_where_it_is_open_already_nothing_is_voided() -> None:
    vault = on('{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "vault"}}')
    assert keys(CLOSED, statement(TOKEN)) == []
    assert keys(CLOSED, vault) == ["aws:SourceVpc"]


def test_what_the_new_statement_demands_too_is_not_voided() -> None:
    closed = on(
        '{"StringEquals": {"<P>:sub": "<SUB>", "aws:SourceVpc": "vpc-1", "aws:SourceVpce": "vpce-1"}}'
    )
    demanded = demands(on('{"StringEquals": {"<P>:sub": "<SUB>", "AWS:sourcevpc": "vpc-1"}}'))
    (left,) = voided(policy(closed), TOKEN, demanded)
    assert left.text == "statement 1 allows it only if StringEquals aws:SourceVpce matches 'vpce-1'"


def test_a_policy_that_takes_the_place_of_another_is_looked_at_statement_by_statement() -> None:
    closed = on(
        '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com", "aws:SourceVpc": "vpc-1"}}'
    )
    other = on('{"StringEquals": {"aws:SourceVpc": "vpc-1"}}', Principal={"Federated": f"{PROVIDER}D"})
    both, opened = policy(closed, other), policy(statement(TOKEN), other)
    assert widened(both, both) == ()
    assert [item.key for item in widened(both, opened)] == ["aws:SourceVpc"]
    assert widened(policy(other), opened) == ()


@pytest.mark.parametrize("broken", [None, "text", [], {"Statement": "x"}, {"Statement": {"Effect": "Allow"}}])
def test_what_is_no_policy_restricts_nobody(broken: Any) -> None:
    found = broken if isinstance(broken, dict) else {"Statement": broken}
    assert voided(found, TOKEN) == ()
    assert also_admitted(found, TOKEN) == ()


def test_the_exact_subject_of_its_own_provider_is_nobody_else() -> None:
    assert also_admitted(trust_of(TOKEN), TOKEN) == ()
    elsewhere = on('{"StringEquals": {"<P>:sub": "<SUB>"}}', Principal={"Federated": f"{PROVIDER}D"})
    assert also_admitted(policy(elsewhere), TOKEN) == (f"every token of {P}D by statement 1",)
    assert also_admitted(policy(allow(Principal="*")), TOKEN) == ("everybody by statement 1",)
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
