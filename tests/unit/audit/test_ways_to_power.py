"""Power by rule: no public way is silent, look-alikes are quiet, a limit that one can remove is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.trust.rules.power import Power, PowerLevel
from tests.support.documents import Json, statement
from tests.support.estates import (
    ACCOUNT,
    ADMIN,
    POLICIES,
    READ,
    SA,
    account,
    admits,
    arn_of,
    cluster,
    estate,
    role,
)
from tests.support.public_ways import ALONE, HARMLESS_ALONE, HARMLESS_PASSING, PASSING, ways_of
from tests.support.thoroughness import examples

BOSS = arn_of("boss")
PASSES = f"Allow iam:PassRole on {BOSS}"
IAM = f"arn:aws:iam::{ACCOUNT}"
LIMIT = f"{IAM}:policy/limit"
OWN = arn_of("app")


def trusting(service: str, attached: str = ADMIN, name: str = "boss") -> Any:
    """A role of a service, or of a federated provider (its ARN)."""
    kind, action = ("Federated", "AssumeRoleWithSAML") if ":" in service else ("Service", "AssumeRole")
    trust = {"Effect": "Allow", "Principal": {kind: service}, "Action": f"sts:{action}"}
    return role(name, *([trust] if service else []), attached=(attached,))


def power_of(*texts: str, others: Any = (), policies: Any = None, **more: Any) -> Power:
    """The power of a pods' role with these statements, among other roles."""
    inline = {"p": {"Statement": [statement(text) for text in texts]}}
    own = role("app", admits("c", f"{SA}prod:app"), **{"attached": (), "inline": inline, **more})
    world = estate(
        (own, *others), [cluster("c", account("app", "app"))], policies={**POLICIES, **(policies or {})}
    )
    return Audit(world).trusts.powers(own)


def allowing(actions: list[str]) -> str:
    return f"Allow {','.join(actions)} on *"


@pytest.mark.parametrize(("service", "actions"), ways_of(PASSING))
def test_no_way_that_passes_a_role_is_silent(service: str, actions: list[str]) -> None:
    assert power_of(allowing(actions), PASSES, others=(trusting(service),)).level
    # A role without power, and one that it can't pass, add nothing.
    weak = (trusting(service, READ),)
    assert power_of(allowing(actions), PASSES, others=weak) == power_of(allowing(actions), others=weak)
    other = f"Allow iam:PassRole on {arn_of('other')}"
    powerful = (trusting(service),)
    assert power_of(allowing(actions), other, others=powerful) == power_of(allowing(actions), others=powerful)


@pytest.mark.parametrize(("service", "actions"), ways_of(ALONE))
def test_no_way_without_passing_is_silent(service: str, actions: list[str]) -> None:
    assert power_of(allowing(actions), others=(trusting(service),)).level


@pytest.mark.parametrize(("service", "actions"), ways_of(HARMLESS_PASSING))
def test_look_alikes_that_pass_a_role_are_quiet(service: str, actions: list[str]) -> None:
    assert power_of(allowing(actions), PASSES, others=(trusting(service),)) == Power()


@pytest.mark.parametrize(("service", "actions"), ways_of(HARMLESS_ALONE))
def test_look_alikes_without_passing_are_quiet(service: str, actions: list[str]) -> None:
    assert power_of(allowing(actions), others=(trusting(service),)).level is PowerLevel.NONE


def test_a_role_that_passes_the_powerful_one_is_powerful_itself() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    passes = {"Statement": [statement(PASSES), statement("Allow states:* on *")]}
    middle = role("middle", trust, attached=(), inline={"p": passes})
    boss = trusting("states.amazonaws.com")
    texts = ("Allow ec2:RunInstances on *", f"Allow iam:PassRole on {arn_of('middle')}")
    assert power_of(*texts, others=(middle, boss)).level is PowerLevel.ESCALATION
    assert power_of(*texts, others=(middle,)).level is PowerLevel.NONE


def level_with(
    pattern: str, *more: str, service: str = "newest.amazonaws.com", **settings: Any
) -> PowerLevel:
    texts = (f"Allow {pattern} on *", PASSES, *more)
    return power_of(*texts, others=(trusting(service),), **settings).level


@pytest.mark.parametrize(
    ("pattern", "more", "service", "expected"),
    [
        ("newest:CreateThing", (), "newest.amazonaws.com", True),
        ("newest:*", (), "newest.amazonaws.com", True),
        ("new*:*", (), "newest.amazonaws.com", True),
        ("*:Launch*", (), "newest.amazonaws.com", True),
        ("newest:Get*", (), "newest.amazonaws.com", False),
        ("newest:D*", (), "newest.amazonaws.com", True),
        ("newest:TagResource", (), "newest.amazonaws.com", False),
        ("newest:DeleteThing", (), "newest.amazonaws.com", False),
        ("other:*", (), "newest.amazonaws.com", False),
        ("newest:Create*", ("Deny newest:* on *",), "newest.amazonaws.com", False),
        ("newest:*", ("Deny newest:Create* on *",), "newest.amazonaws.com", True),
        ("newest:*", (f"Deny iam:PassRole on {BOSS}",), "newest.amazonaws.com", False),
        ("newest:*", (), "newest.eu-west-1.amazonaws.com", True),
        ("newest:*", (), "newest.amazonaws.com.cn", True),
        ("newest:*", (), "tasks.newest.amazonaws.com", True),
        ("newest:*", (), "newest.example.com", False),
    ],
)
def test_a_service_that_irsa_does_not_know(pattern: str, more: Any, service: str, expected: bool) -> None:
    assert level_with(pattern, *more, service=service) == (PowerLevel.CONDITIONAL if expected else 0)


def test_an_unknown_service_within_a_boundary_and_for_the_services_of_a_condition() -> None:
    for allowed, expected in (("newest:Create*,iam:PassRole", True), ("s3:*,iam:PassRole", False)):
        limit = {LIMIT: {"Statement": [statement(f"Allow {allowed} on *")]}}
        assert bool(level_with("newest:*", boundary=LIMIT, policies=limit)) is expected
    for service, expected in (("newest.amazonaws.com", True), ("ec2.amazonaws.com", False)):
        passes = {**statement(PASSES), "Condition": {"StringEquals": {"iam:PassedToService": service}}}
        document = {"Statement": [statement("Allow newest:* on *"), passes]}
        inline: Json = {"attached": (), "inline": {"p": document}}
        assert bool(power_of(others=(trusting("newest.amazonaws.com"),), **inline).level) is expected


WORD = st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True)


@settings(max_examples=examples(100), deadline=None)
@given(
    st.sampled_from(
        ["Create", "Start", "Run", "Put", "Update", "Import", "Launch", "Get", "List", "Describe", "Delete"]
    ),
    st.from_regex(r"[a-z][a-z0-9-]{2,12}x", fullmatch=True),
    WORD,
)
def test_the_verb_decides_whether_an_unknown_service_is_a_door(verb: str, service: str, name: str) -> None:
    level = level_with(f"{service}:{verb}{name}", service=f"{service}.amazonaws.com")
    assert bool(level) is (verb not in ("Get", "List", "Describe", "Delete"))


DENIES = "Deny iam:* on *"
REMOVABLE = [
    # What it may do besides, and what is said of an administrator with a limit: 3 can, 1 might, 0 nothing.
    (f"Allow iam:DeleteRolePermissionsBoundary on {OWN}", 3),
    (f"Allow iam:PutRolePermissionsBoundary on {OWN}", 3),
    (f"Allow iam:CreatePolicyVersion on {LIMIT}", 3),
    (f"Allow iam:SetDefaultPolicyVersion on {LIMIT}", 3),
    (f"Allow iam:DeleteRolePermissionsBoundary on {arn_of('other')}", 0),
    (f"Allow iam:CreatePolicyVersion on {IAM}:policy/other", 0),
    (f"Allow iam:DeleteRolePolicy on {OWN}", 0),
]


@pytest.mark.parametrize(("right", "expected"), REMOVABLE)
def test_a_boundary_that_it_can_remove_is_no_limit(right: str, expected: int) -> None:
    limit = {LIMIT: {"Statement": [statement("Allow s3:ListBucket on *"), statement(right)]}}
    assert power_of(right, "Allow * on *", boundary=LIMIT, policies=limit).level == expected
    # A boundary that does not allow the right stays.
    limit = {LIMIT: {"Statement": [statement("Allow s3:ListBucket on *")]}}
    assert power_of(right, "Allow * on *", boundary=LIMIT, policies=limit).level == 0


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (f"Allow iam:DeleteRolePolicy on {OWN}", 3),
        (f"Allow iam:DetachRolePolicy on {OWN}", 0),
        (f"Allow iam:DeleteRolePolicy on {arn_of('other')}", 0),
    ],
)
def test_a_deny_that_it_can_remove_is_no_limit(right: str, expected: int) -> None:
    denies = {"Statement": [statement("Deny iam:Put*,iam:Attach*,iam:Create*,iam:Update*,iam:Add* on *")]}
    allows = {"Statement": [statement("Allow iam:PutRolePolicy on *"), statement(right)]}
    assert power_of(inline={"allows": allows, "denies": denies}).level == expected
    attached = f"{IAM}:policy/denies"
    detached = statement(right.replace("DeleteRolePolicy", "DetachRolePolicy"))
    allows = {"Statement": [statement("Allow iam:PutRolePolicy on *"), detached]}
    level = power_of(inline={"allows": allows}, attached=(attached,), policies={attached: denies}).level
    assert level == (0 if "other" in right else 3)


def test_a_tag_that_it_can_change_is_no_condition() -> None:
    tagged = {
        **statement("Allow iam:PutRolePolicy on *"),
        "Condition": {"StringEquals": {"aws:PrincipalTag/a": "b"}},
    }
    for texts, expected in (([], 0), ([f"Allow iam:TagRole on {OWN}"], 1)):
        document = {"Statement": [tagged, *map(statement, texts)]}
        assert power_of(inline={"p": document}, tags={"a": "x"}).level == expected


SAML = f"{IAM}:saml-provider/corp"


def test_a_provider_that_a_powerful_role_trusts() -> None:
    for right, expected in (
        (f"Allow iam:UpdateSAMLProvider on {SAML}", 3),
        ("Allow iam:UpdateSAMLProvider on *", 3),
        (f"Allow iam:UpdateSAMLProvider on {SAML}2", 0),
        (f"Allow iam:DeleteSAMLProvider,iam:CreateSAMLProvider on {SAML}", 3),
        ("Allow iam:UpdateOpenIDConnectProviderThumbprint on *", 1),
    ):
        assert power_of(right, others=(trusting(SAML),)).level == expected, right
    assert power_of("Allow iam:UpdateSAMLProvider on *").level == PowerLevel.CONDITIONAL


def test_roles_are_no_users() -> None:
    for kind, expected in (("role", 0), ("group", 0), ("user", 3)):
        assert power_of(f"Allow iam:CreateAccessKey on {IAM}:{kind}/*").level == expected
