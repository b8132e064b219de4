"""`irsa repoint`: nobody loses a role by `--add`, and nobody gets one by `--retire`.

The sandbox's evaluator judges the trust policies before and after; it shares no code with irsa's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.planning import repoint
from irsa_cli.core.planning.repoint_guards import (
    FORCE,
    WIDE,
    Addition,
    Objection,
    in_common,
    objections_to_removal,
    tokens_to_try,
)
from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import Document, dump
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust import trust_policy
from irsa_cli.sandbox.enforce import Who, admits, of_every_request
from tests.support.documents import doc
from tests.support.named import named
from tests.support.proposals import check_steps
from tests.support.thoroughness import examples
from tests.unit.planning.test_repointing import (
    APP,
    BACK,
    GITHUB,
    MATE,
    MOVE,
    NEW,
    NEW_PREFIX,
    OLD,
    OLD_PREFIX,
    OTHER,
    carry_out,
    of,
)
from tests.unit.planning.test_repointing import OTHERS as PLANS_OTHERS

ROLE = Role("arn:aws:iam::111122223333:role/app", RoleState("/", {}))
PREFIXES = {OLD: OLD_PREFIX, NEW: NEW_PREFIX, OTHER: OTHER.partition("oidc-provider/")[2]}
NAMES = [("backend", "app"), ("backend", "mate"), ("front", "app"), ("kube-system", "x")]
SUBJECTS = [f"system:serviceaccount:{namespace}:{name}" for namespace, name in NAMES]
AUDIENCES = ["sts.amazonaws.com", "vault"]
PATTERNS = ["system:serviceaccount:backend:*", "system:serviceaccount:*:app", "system:serviceaccount:*"]


def statement(provider: str, effect: str, **condition: Any) -> Document:
    return {
        "Effect": effect,
        "Principal": {"Federated": provider},
        "Action": ACTION,
        "Condition": {
            operator: {key.replace("ISSUER", PREFIXES[provider]): text for key, text in tests.items()}
            for operator, tests in condition.items()
        },
    }


def allow(provider: str, subject: str, **more: Any) -> Document:
    operator = "StringLike" if "*" in subject else "StringEquals"
    return statement(provider, "Allow", **{operator: {"ISSUER:sub": subject}}, **more)


def deny(provider: str, operator: str, subject: str) -> Document:
    return statement(provider, "Deny", **{operator: {"ISSUER:sub": subject}})


HOME = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
HERE = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
PER_PROVIDER = [
    *(
        item
        for provider in (OLD, NEW)
        for item in (
            *(allow(provider, subject) for subject in (*SUBJECTS[:2], *PATTERNS)),
            allow(provider, SUBJECTS[0], **HOME),
            allow(provider, PATTERNS[0], **HERE),
            statement(provider, "Allow", StringEquals={"ISSUER:aud": "vault"}),
            *(deny(provider, "StringEquals", subject) for subject in SUBJECTS[:2]),
            *(deny(provider, "StringLike", subject) for subject in PATTERNS[:2]),
            deny(provider, "StringNotLike", PATTERNS[0]),
            statement(provider, "Deny", StringNotEquals={"ISSUER:aud": "sts.amazonaws.com"}),
            statement(provider, "Deny", **HERE),
            {**statement(provider, "Deny"), "NotPrincipal": {"Federated": provider}},
        )
    ),
]
for item in PER_PROVIDER:
    if "NotPrincipal" in item:
        del item["Principal"]
EVERYBODY = [
    {**deny(provider, operator, subject), "Principal": "*"}
    for provider in (OLD, NEW)
    for operator, subject in (("StringEquals", SUBJECTS[0]), ("StringLike", PATTERNS[0]))
] + [{**allow(provider, PATTERNS[0]), "Principal": "*"} for provider in (OLD, NEW)]
OTHERS: list[Document] = [
    trust_policy.statement(of(OTHER)),
    {**allow(OLD, PATTERNS[0]), "Principal": {"Federated": [OLD, OTHER]}},
    {**deny(OLD, "StringEquals", SUBJECTS[0]), "Principal": {"Federated": [OTHER, OLD]}},
    doc(
        '{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root", "Federated": "<OLD>"},'
        ' "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]}',
        OLD=OLD,
    ),
    *PLANS_OTHERS[:2],
]
TRUSTS = st.lists(
    st.sampled_from([*PER_PROVIDER, *EVERYBODY, *OTHERS]), min_size=1, max_size=6, unique_by=dump
).map(lambda items: {"Version": "2012-10-17", "Statement": items})


def takes(trust: Document, provider: str, subject: str, audience: str) -> bool:
    """Whether the sandbox's STS would take this token."""
    keys = {f"{PREFIXES[provider]}:sub".lower(): [subject], f"{PREFIXES[provider]}:aud".lower(): [audience]}
    return admits(json.dumps(trust), ACTION, Who(federated=provider), {**of_every_request(), **keys})


def taken(trust: Document, provider: str) -> set[tuple[str, str]]:
    return {
        (subject, audience)
        for subject in SUBJECTS
        for audience in AUDIENCES
        if takes(trust, provider, subject, audience)
    }


def of_others(trust: Document) -> list[bool]:
    """Whether principals outside of the two clusters get the role."""
    root = Who(aws=("arn:aws:iam::111122223333:root", "111122223333"))
    hub = {"token.actions.githubusercontent.com:sub": ["repo:a/b:ref"]}
    text, asked = json.dumps(trust), of_every_request()
    return [
        admits(text, "sts:AssumeRole", root, asked),
        admits(text, "sts:AssumeRole", Who(service="ec2.amazonaws.com"), asked),
        admits(text, ACTION, Who(federated=GITHUB), {**asked, **hub}),
        *(takes(trust, OTHER, subject, audience) for subject in SUBJECTS for audience in AUDIENCES),
    ]


def objections(trust: Document) -> list[Objection]:
    return [*Addition.of(trust, MOVE, AUDIENCES).objections(ROLE)]


@given(TRUSTS)
@settings(max_examples=examples(400))
def test_without_an_objection_new_gets_what_old_has_and_nobody_loses(trust: Document) -> None:
    raised = objections(trust)
    check_steps((step for item in raised for step in item.refusal.next_steps), "repoint")
    event(f"objections: {sorted(item.flag for item in raised)}")
    after = carry_out(trust, repoint.add_plan("app", trust, MOVE, []))
    assert of_others(after) == of_others(trust)
    assert taken(after, OLD) == taken(trust, OLD)
    assert taken(trust, NEW) <= taken(after, NEW) or FORCE in [item.flag for item in raised]
    if WIDE not in [item.flag for item in raised]:
        assert taken(after, NEW) <= taken(trust, NEW) | taken(trust, OLD)


@given(TRUSTS)
@settings(max_examples=examples(400))
def test_the_losers_are_named(trust: Document) -> None:
    """Exactly those of the tried tokens that the sandbox takes before and not afterwards."""
    if "SourceIp" in dump(trust):  # The sandbox knows the network, irsa does not.
        return
    addition = Addition.of(trust, MOVE, AUDIENCES)
    lost = [
        item.title
        for item in tokens_to_try(trust, (OLD, NEW), AUDIENCES)
        if takes(trust, NEW, item.subject, item.audience)
        and not takes(addition.after, NEW, item.subject, item.audience)
    ]
    assert addition.losses == list(dict.fromkeys(lost))


@given(TRUSTS)
@settings(max_examples=examples(400))
def test_removed_statements_give_nobody_anything(trust: Document) -> None:
    after = repoint.without(trust, OLD)
    gains = taken(after, OLD) - taken(trust, OLD)
    raised = [*objections_to_removal("app", trust, MOVE, AUDIENCES)]
    check_steps((step for item in raised for step in item.refusal.next_steps), "repoint")
    flags = [item.flag for item in raised]
    assert not gains or flags == [WIDE]
    assert of_others(after) == of_others(trust)
    assert taken(after, NEW) == taken(trust, NEW)


@given(TRUSTS)
@settings(max_examples=examples(200))
def test_the_way_back_of_a_removal_is_open(trust: Document) -> None:
    """Of a role that NEW did not have: `--retire` without an objection, then `--add` for the old cluster."""
    if repoint.of_provider(trust, NEW):
        return
    both = Addition.of(trust, MOVE, AUDIENCES)
    refused = [*both.objections(ROLE), *repoint.shut_out(trust, both.after, MOVE)]
    if refused or [*objections_to_removal("app", both.after, MOVE, AUDIENCES)]:
        return
    alone = repoint.without(both.after, OLD)
    back = Addition.of(alone, BACK, AUDIENCES)
    assert back.losses == []
    assert taken(back.after, OLD) == taken(trust, OLD)


@given(st.lists(st.sampled_from([i for i in PER_PROVIDER if OLD in dump(i)]), min_size=1, unique_by=dump))
@settings(max_examples=examples(100))
def test_roles_that_new_does_not_have_yet_are_moved(items: list[Document]) -> None:
    """Whatever the old cluster has: the new one loses nothing, and gets no more."""
    mine = [item for item in items if "NotPrincipal" not in item]
    assert objections(trusting(*mine)) == []


def trusting(*items: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": [*items]}


BARRED = deny(OLD, "StringEquals", SUBJECTS[0])


@named(
    "items flag told",
    (
        "a Deny of the old cluster takes the role from pods of the new one",
        [allow(OLD, PATTERNS[0]), BARRED, allow(NEW, SUBJECTS[0])],
        FORCE,
        "app would be denied to backend/app of the new cluster",
    ),
    (
        "a pattern and a Deny meet in a subject that neither names",
        [allow(NEW, PATTERNS[0]), deny(OLD, "StringLike", PATTERNS[1])],
        FORCE,
        f"{PATTERNS[1]} and {PATTERNS[0]}",
    ),
    (
        "a Deny for everybody that is about the old issuer",
        [allow(OLD, PATTERNS[0]), {**BARRED, "Principal": "*"}],
        WIDE,
        "backend/app of the new cluster could assume app",
    ),
    (
        "a condition of the new cluster",
        [allow(OLD, SUBJECTS[0]), allow(NEW, PATTERNS[0], **HOME)],
        FORCE,
        "aws:SourceIp matches '10.0.0.0/8'",
    ),
)
def test_what_is_objected_to(items: list[Document], flag: str, told: str) -> None:
    (objection,) = objections(trusting(*items))
    assert objection.flag == flag
    refusal = objection.refusal
    assert told in "".join((refusal.message, *refusal.details))
    assert flag is WIDE or "--force" in refusal.next_steps[-1]


def test_a_run_that_was_cut_off_between_two_statements_is_continued() -> None:
    """The first copy, which has a condition, is there: the second one bypasses nothing that OLD has not."""
    olds = [allow(OLD, SUBJECTS[0], **HOME), allow(OLD, SUBJECTS[0])]
    assert objections(trusting(*olds, allow(NEW, SUBJECTS[0], **HOME))) == []


def test_a_powerful_role_is_given_to_nobody_who_does_not_have_it() -> None:
    powerful = replace(ROLE, attached=frozenset({"arn:aws:iam::aws:policy/AdministratorAccess"}))
    own, of_new = trust_policy.statement(APP), allow(NEW, APP.subject)
    for items, told in (
        ([own], "backend/app"),
        ([own, of_new], ""),
        ([own, of_new, trust_policy.statement(MATE)], "backend/mate"),
    ):
        raised = [*Addition.of(trusting(*items), MOVE).objections(powerful)]
        assert [item.flag for item in raised] == ([WIDE] if told else [])
        assert f"too powerful for {told}" in "".join(item.refusal.message for item in raised) or not told


def test_a_deny_goes_after_what_it_limits() -> None:
    trust = trusting(BARRED, allow(OLD, PATTERNS[0]))
    assert [before["Effect"] for before, _ in repoint.removals(trust, OLD)] == ["Allow", "Deny"]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [("a*", "*b", True), ("a*", "b*", False), ("a?c", "abc", True), ("*:x", "y:*", True), ("a", "a", True),
     ("*", "*", True), ("a*b*", "*c", True), ("a?", "a", False), ("?", "*", True)],
)  # fmt: skip
def test_what_two_patterns_have_in_common(one: str, other: str, meet: bool) -> None:
    found = in_common(one, other)
    assert (found is not None) == meet
    assert found is None or (like(found, one) and like(found, other))


@given(st.text("ab*?", max_size=6), st.text("ab*?", max_size=6), st.text("ab", max_size=5))
@settings(max_examples=examples(400))
def test_what_both_match_is_found(one: str, other: str, text: str) -> None:
    found = in_common(one, other)
    assert found is None or (like(found, one) and like(found, other))
    if like(text, one) and like(text, other):
        assert found is not None
