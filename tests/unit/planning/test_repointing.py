"""The plans of `irsa repoint`: there and back is the identity, and nothing else is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.terraform import statement_block
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.planning import repoint
from irsa_cli.core.planning.repoint import Move
from irsa_cli.core.policies.policy import Document, dump, size
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import Refused
from tests.support.documents import doc
from tests.support.thoroughness import examples

ACCOUNT = "111122223333"


def provider(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/{name}"


OLD, NEW, OTHER = provider("AAAA"), provider("BBBB"), provider("CCCC")
OLD_PREFIX, NEW_PREFIX = (arn.partition("oidc-provider/")[2] for arn in (OLD, NEW))
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
MOVE, BACK = Move(OLD, NEW), Move(NEW, OLD)
APP = WebIdentity(OLD, f"https://{OLD_PREFIX}", "system:serviceaccount:backend:app", "sts.amazonaws.com")
MATE = replace(APP, subject="system:serviceaccount:backend:mate")


def of(arn: str, identity: WebIdentity = APP) -> WebIdentity:
    return replace(identity, provider_arn=arn, issuer=f"https://{arn.partition('oidc-provider/')[2]}")


def by_hand(text: str, effect: str = "Allow", **more: Any) -> Document:
    """A statement of OLD in a form of somebody's; `<OLD>` in its condition is the issuer."""
    body = '{"Principal": {"Federated": "<ARN>"}, "Action": ["sts:AssumeRoleWithWebIdentity"], "Condition": '
    return {
        **more,
        "Effect": effect,
        **doc(f"{body}{text}}}", OLD=OLD_PREFIX, UPPER=OLD_PREFIX.upper(), ARN=OLD),
    }


OLDS: list[Document] = [
    trust_policy.statement(APP),
    trust_policy.marked_statement(MATE),
    by_hand('{"StringLike": {"<OLD>:sub": "system:serviceaccount:front*:*"}}', Sid="Front"),
    by_hand('{"ForAnyValue:StringEquals": {"<OLD>:Aud": ["sts.amazonaws.com", "vault"]}}'),
    by_hand('{"StringEqualsIfExists": {"<UPPER>:SUB": "x"}, "Bool": {"aws:x": true}}', Sid="Ie"),
    by_hand('{"Null": {"<OLD>:sub": "false"}, "StringEquals": {"aws:y": "${<OLD>:sub}"}}'),
    by_hand('{"StringNotEquals": {"<OLD>:aud": "sts.amazonaws.com"}}', "Deny", Sid="No"),
]
OTHERS: list[Document] = [
    doc('{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'),
    doc(
        '{"Sid": "Hub", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal":'
        ' {"Federated": "<GITHUB>"}, "Condition": {"StringLike":'
        ' {"token.actions.githubusercontent.com:sub": "repo:a/b:*"}}}',
        GITHUB=GITHUB,
    ),
    doc(
        '{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/jenkins"},'
        ' "Action": "sts:*"}'
    ),
    trust_policy.statement(of(OTHER, replace(APP, subject="system:serviceaccount:backend:third"))),
]
TRUSTS = st.lists(st.sampled_from([*OLDS, *OTHERS]), min_size=1, max_size=8, unique_by=dump).map(
    lambda items: {"Version": "2012-10-17", "Id": "x", "Statement": items}
)


def carry_out(trust: Document, plan: Plan) -> Document:
    """As the handler does it, statement by statement."""
    for change in plan:
        assert change.kind is Kind.TRUST_STATEMENT
        one, other = (
            state.document if isinstance(state, states.DocumentState) else None
            for state in (change.before, change.after)
        )
        if one is None:
            assert other is not None
            trust = trust_policy.with_statement(trust, other)
        elif other is None:
            trust = trust_policy.without_statement(trust, one)
        else:
            trust = trust_policy.with_replaced(trust, one, other)
    return trust


def added(trust: Document, move: Move = MOVE) -> Document:
    return carry_out(trust, repoint.add_plan("app", trust, move, []))


@given(TRUSTS)
@settings(max_examples=examples(160))
def test_added_and_taken_back_it_is_the_same_to_the_byte(trust: Document) -> None:
    both = added(trust)
    assert dump(repoint.without(both, NEW)) == dump(trust)
    if repoint.of_provider(both, NEW):
        assert dump(carry_out(both, repoint.retire_plan("app", both, BACK))) == dump(trust)
    alone = carry_out(both, repoint.retire_plan("app", both, MOVE))
    assert not repoint.of_provider(alone, OLD)
    assert OLD_PREFIX.lower() not in dump(alone).lower()
    again = added(alone, BACK)
    back = carry_out(again, repoint.retire_plan("app", again, BACK))
    written = dump(trust).replace(OLD_PREFIX.upper(), OLD_PREFIX)  # Only the case of a prefix is not kept.
    assert dump(back) == written


def test_next_to_a_third_cluster_that_says_the_same_only_the_order_may_differ() -> None:
    trust = {"Statement": [trust_policy.statement(of(OTHER)), OLDS[1], OLDS[0]]}
    alone = repoint.without(added(trust), OLD)
    back = repoint.without(added(alone, BACK), NEW)
    assert sorted(map(dump, back["Statement"])) == sorted(map(dump, trust["Statement"]))


@given(TRUSTS)
@settings(max_examples=examples(100))
def test_everything_else_stays_in_its_order_and_a_second_run_adds_nothing(trust: Document) -> None:
    both = added(trust)
    kept = [item for item in both["Statement"] if item not in repoint.of_provider(both, NEW)]
    assert [dump(item) for item in kept] == [dump(item) for item in trust["Statement"]]
    assert repoint.additions(both, MOVE) == ([], both)
    sids = [item["Sid"] for item in both["Statement"] if item.get("Sid")]
    assert len(sids) == len(set(sids))


@given(TRUSTS, st.sampled_from([APP, MATE, replace(APP, subject="system:serviceaccount:front:x")]))
@settings(max_examples=examples(60))
def test_new_tokens_may_what_old_ones_may_and_others_as_before(trust: Document, token: WebIdentity) -> None:
    both = added(trust)
    for audience in ("sts.amazonaws.com", "vault"):
        mine = replace(token, audience=audience)
        assert trust_policy.admits(both, mine) == trust_policy.admits(trust, mine)
        assert trust_policy.admits(both, of(NEW, mine)) == trust_policy.admits(trust, mine)
        assert trust_policy.admits(both, of(OTHER, mine)) == trust_policy.admits(trust, of(OTHER, mine))
        alone = repoint.without(both, OLD)
        assert not trust_policy.admits(alone, mine)
        assert trust_policy.admits(alone, of(NEW, mine)) == trust_policy.admits(trust, mine)


def test_of_fourteen_statements_only_the_new_one_differs() -> None:
    many = [
        {**OTHERS[1], "Sid": f"Hub{number}", "Condition": {"StringLike": {"a:sub": f"repo:{number}"}}}
        for number in range(13)
    ]
    trust = {"Version": "2012-10-17", "Statement": [*many[:6], OLDS[2], *many[6:]]}
    text = dump(trust)
    after = dump(added(trust))
    place = text.index(dump(OLDS[2])) + len(dump(OLDS[2]))
    assert after.startswith(text[:place])
    assert after.endswith(text[place:])
    new = json.loads(after[place : len(after) - len(text) + place].strip(","))
    assert new == {**json.loads(dump(OLDS[2]).replace("AAAA", "BBBB")), "Sid": new["Sid"]}


def test_a_deny_is_added_before_what_it_limits() -> None:
    plan = repoint.add_plan("app", {"Statement": [OLDS[0], OLDS[6]]}, MOVE, [])
    effects = [change.after.document["Effect"] for change in plan]  # type: ignore[union-attr]
    assert effects == ["Deny", "Allow"]
    assert [len(stage) for stage in plan.stages] == [1, 1]


def test_subjects_of_irsas_own_statements_share_one() -> None:
    trust = {"Statement": [trust_policy.statement(MATE), trust_policy.statement(of(NEW))]}
    (joined,) = repoint.of_provider(added(trust), NEW)
    subjects = joined["Condition"]["StringEquals"][f"{NEW_PREFIX}:sub"]
    assert subjects == [APP.subject, MATE.subject]


def test_of_several_principals_only_the_old_one_goes() -> None:
    item = {**OLDS[2], "Principal": {"AWS": "arn:aws:iam::111122223333:root", "Federated": [OTHER, OLD]}}
    both = added({"Statement": [item]})
    assert both["Statement"][1]["Principal"] == {"Federated": NEW}
    (left, _) = carry_out(both, repoint.retire_plan("app", both, MOVE))["Statement"]
    assert left == {**item, "Principal": {**item["Principal"], "Federated": [OTHER]}}


def test_without_the_new_ones_the_old_ones_stay() -> None:
    with pytest.raises(Refused, match="lacks 1 of them"):
        repoint.retire_plan("app", {"Statement": [OLDS[0], OTHERS[0]]}, MOVE)


def test_a_deny_for_all_but_the_old_provider_is_refused() -> None:
    deny = {"Effect": "Deny", "NotPrincipal": {"Federated": OLD}, "Action": "sts:AssumeRoleWithWebIdentity"}
    trust = {"Statement": [OLDS[0], deny]}
    with pytest.raises(Refused, match="would not allow the new tokens of backend/app"):
        repoint.check_addition("app", trust, MOVE, 2048)
    repoint.check_addition("app", {"Statement": [OLDS[0]]}, MOVE, 2048)


def test_a_policy_that_would_be_too_large_is_refused_with_a_split_that_fits() -> None:
    subjects = [f"system:serviceaccount:backend:app-{number:02}" for number in range(16)]
    trust = {
        "Version": "2012-10-17",
        "Statement": [trust_policy.shared(OLD, "sts.amazonaws.com", subjects).document],
    }
    quota = size(trust) + 700
    with pytest.raises(Refused) as caught:
        repoint.check_addition("app", trust, MOVE, quota)
    first, second = caught.value.details
    assert first.startswith("app has room for: system")
    assert second.startswith("a 2. role has room for: system")
    assert sorted(text for text in subjects if text in first + second) == subjects
    repoint.check_addition("app", trust, MOVE, 4096)


def test_service_accounts_are_annotated_unless_they_have_another_role() -> None:
    arn, other = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("app", "other"))
    notes = {states.ROLE_ARN_ANNOTATION: arn, states.TOKEN_EXPIRATION_ANNOTATION: "3600"}
    wanted = [ExportedAccount("ns", name, notes) for name in ("bare", "done", "taken", "absent")]
    roles = {"bare": None, "done": arn, "taken": other}
    there = {
        ("ns", name): ServiceAccount("ns", name, {states.ROLE_ARN_ANNOTATION: role} if role else {}, uid="u")
        for name, role in roles.items()
    }
    found = repoint.accounts_plan(wanted, there)
    (change,) = found.changes
    assert change.target == ("ns", "bare")
    assert isinstance(change.after, states.ServiceAccountState)
    assert notes.items() <= change.after.annotations.items()
    assert [account.names for account in found.absent] == [("ns", "absent")]
    assert found.absent[0].manifest["metadata"]["annotations"] == notes
    assert found.notes == [f"ServiceAccount ns/taken stays: it has the role {other}"]


def test_a_service_account_whose_manifest_has_another_role_is_not_annotated() -> None:
    arn, other = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("app", "other"))
    wanted = [ExportedAccount("ns", "app", {states.ROLE_ARN_ANNOTATION: arn})]
    there = {("ns", "app"): ServiceAccount("ns", "app", uid="u", applied_role=other)}
    found = repoint.accounts_plan(wanted, there)
    assert (found.changes, found.absent) == ([], [])
    (note,) = found.notes
    assert note.startswith(
        f"ServiceAccount ns/app stays: the next apply of its manifest writes {other} again;"
    )


def test_the_tag_of_irsas_own_role_moves_if_its_service_account_uses_it() -> None:
    tags = {states.CLUSTER_TAG: "old", states.SERVICE_ACCOUNT_TAG: "backend/app"}
    (change,) = repoint.moved_tag("app", tags, ("old", "new"), [("backend", "app")])
    assert change.after == states.TagsState({states.CLUSTER_TAG: "new"})
    assert not repoint.moved_tag("app", tags, ("old", "new"), [])
    assert not repoint.moved_tag("app", tags, ("other", "new"), [("backend", "app")])
    assert not repoint.moved_tag("app", {}, ("", "new"), [("", "")])


def test_a_statement_as_a_block_of_terraform() -> None:
    text = statement_block(OLDS[5]).replace(OLD, "ARN").replace(OLD_PREFIX, "ISSUER")
    assert (
        text
        == """statement {
  effect = "Allow"
  actions = ["sts:AssumeRoleWithWebIdentity"]
  principals {
    type = "Federated"
    identifiers = ["ARN"]
  }
  condition {
    test = "Null"
    variable = "ISSUER:sub"
    values = ["false"]
  }
  condition {
    test = "StringEquals"
    variable = "aws:y"
    values = ["$${ISSUER:sub}"]
  }
}"""
    )


@pytest.mark.parametrize(
    ("namespace", "concerned"), [("backend", True), ("frontend", True), ("front", True), ("other", False)]
)
def test_a_namespace_is_concerned_by_its_subjects_and_patterns(namespace: str, concerned: bool) -> None:
    trust = {"Statement": [OLDS[0], OLDS[2]]}
    assert repoint.trusted(trust, OLD).concerns(namespace) is concerned
    every = by_hand('{"StringLike": {"<OLD>:sub": "system:serviceaccount:*"}}')
    assert repoint.trusted({"Statement": [every]}, OLD).concerns(namespace)
    assert repoint.trusted({"Statement": [by_hand("{}")]}, OLD).concerns(namespace)


MIXED = [
    {"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Federated": OLD},
    {"Federated": [OLD, GITHUB]},
    {"Federated": [OTHER, OLD]},
]


@pytest.mark.parametrize("principal", MIXED)
def test_the_way_back_is_open_where_the_old_provider_is_one_of_several_principals(
    principal: dict[str, Any],
) -> None:
    trust = {"Statement": [{**OLDS[2], "Principal": principal}]}
    both = added(trust)
    assert repoint.additions(both, BACK) == ([], both)
    assert dump(carry_out(both, repoint.retire_plan("app", both, BACK))) == dump(trust)


@pytest.mark.parametrize("provider", [OLD, [OLD]])
def test_a_statement_like_irsas_is_copied_to_the_byte(provider: Any) -> None:
    order = ("Action", "Condition", "Principal", "Effect")
    written = {**trust_policy.statement(APP), "Principal": {"Federated": provider}}
    item = {key: written[key] for key in order}
    _, new = added({"Statement": [item]})["Statement"]
    assert dump(new) == dump(item).replace("AAAA", "BBBB")


def test_a_deny_of_others_is_found_for_patterns_too() -> None:
    subjects = '{"<OLD>:sub": "system:serviceaccount:backend:*"}'
    deny = by_hand(f'{{"StringNotLike": {subjects}}}', "Deny")
    allow = by_hand(f'{{"StringLike": {subjects}}}')
    trust = {"Statement": [allow, {**deny, "Principal": {"AWS": "*"}}]}
    with pytest.raises(Refused, match=r"would not allow the new tokens of system:serviceaccount:backend:\*"):
        repoint.check_addition("app", trust, MOVE, 2048)
