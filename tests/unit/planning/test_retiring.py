"""`irsa retire`, pure: which clusters are gone, and which roles nobody needs."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    DocumentState,
    ProviderState,
    RoleState,
)
from irsa_cli.core.planning import retire
from irsa_cli.core.planning.retire import ReadAccount, Retiring
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust import chain, trust_policy
from irsa_cli.core.values.cluster import Reach
from irsa_cli.core.values.errors import Refused
from irsa_cli.sandbox.enforce import Who, admits, of_every_request
from tests.support import makers
from tests.support.documents import doc
from tests.support.named import named
from tests.support.proposals import check_steps
from tests.support.thoroughness import examples

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
ACCOUNT, OTHER = "111122223333", "444455556666"
DAY = 86400.0


def arn_of(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:eks:eu-west-1:{account}:cluster/{name}"


DEAD, LIVE = arn_of("dead"), arn_of("live")


def issuer_of(number: int) -> str:
    return f"oidc.eks.eu-west-1.amazonaws.com/id/{number:032X}"


def provider_of(number: int) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer_of(number)}"


def state(number: int, owner: str = "") -> ProviderState:
    tags = {CLUSTER_TAG: owner} if owner else {}
    return ProviderState(f"https://{issuer_of(number)}", ["sts.amazonaws.com"], tags=tags)


def role(name: str, trust: Document, owner: str = "", days: float = 60, used: float | None = None) -> Role:
    marks = {CLUSTER_TAG: owner, SERVICE_ACCOUNT_TAG: "apps/app", TRANSACTION_TAG: "t"} if owner else {}
    last = None if used is None else NOW - timedelta(days=used)
    return Role(
        f"arn:aws:iam::{ACCOUNT}:role/{name}",
        RoleState("/", trust, tags=marks),
        frozenset({"arn:aws:iam::aws:policy/A"}),
        created=NOW - timedelta(days=days),
        last_used=last,
    )


def account(*roles: Role, **providers: str) -> ReadAccount:
    """The living cluster `live` has issuer 1; `p2="…"` is the provider of issuer 2 with that owner."""
    return ReadAccount(
        ACCOUNT,
        "aws",
        NOW,
        {LIVE: issuer_of(1)},
        frozenset({"eu-west-1"}),
        providers={
            provider_of(int(name[1:])): state(int(name[1:]), owner) for name, owner in providers.items()
        },
        roles=roles,
    )


def trusting(*numbers: int) -> Document:
    parts = [makers.irsa(provider_of(number), "apps/app", "")["Statement"] for number in numbers]
    return {"Version": "2012-10-17", "Statement": [item for part in parts for item in part]}


def kept(found: ReadAccount, *, unmarked: bool = False) -> dict[str, str]:
    dead = retire.find(found)
    retiring = Retiring(found, dead, 30 * DAY, unmarked)
    return {it.name: retiring.why_kept(it, item) for item in dead if not item.doubt for it in item.roles}


def test_a_living_cluster_left_nothing() -> None:
    assert retire.find(account(role("a", trusting(1), LIVE), p1=LIVE)) == []


@pytest.mark.parametrize(
    ("owner", "doubt"),
    [
        (DEAD, ""),
        (LIVE, ""),
        (arn_of("far", OTHER), f"account {OTHER}"),
        (DEAD.replace("eu-west-1", "ap-east-1"), "the clusters of ap-east-1 were not read"),
        (f"https://{issuer_of(2)}", retire.UNMARKED),
        ("", retire.UNMARKED),
    ],
)
def test_only_its_tag_proves_that_an_issuer_is_gone(owner: str, doubt: str) -> None:
    (found,) = retire.find(account(p2=owner))
    assert doubt in found.doubt
    assert bool(doubt) == bool(found.doubt)


def test_a_role_does_not_tell_whose_issuers_it_trusts() -> None:
    """A role of a deleted cluster can trust one of another account by now."""
    found = account(role("moved", trusting(2), DEAD), p2="")
    assert {item.name: bool(item.doubt) for item in retire.find(found)} == {"dead": False, f"{2:032X}": True}
    assert "its trust policy also allows" in kept(found)["moved"]


@pytest.mark.parametrize("owner", ["arn:", "arn:aws:eks:eu-west-1:x:cluster/dead", f"{arn_of('a')} -c b"])
def test_a_tag_that_names_no_cluster_deletes_nothing(owner: str) -> None:
    found = account(role("odd", trusting(2), owner), p2=DEAD)
    assert [item.name for item in retire.find(found)] == ["dead"]
    assert "is not a cluster of EKS" in kept(found, unmarked=True)["odd"]


@pytest.mark.parametrize("text", ["apps/--all", "apps/x --force", "a b/x", "x", "../x/y"])
def test_a_tag_that_names_no_service_account_is_in_no_command(text: str) -> None:
    inline = {chain.POLICY_NAME: chain.permission(f"arn:aws:iam::{OTHER}:role/data")}
    found = role("odd", trusting(2), DEAD)
    tags = {**found.tags, SERVICE_ACCOUNT_TAG: text}
    odd = replace(found, state=replace(found.state, tags=tags), inline=inline)
    assert retire.service_account_of(odd) == ("", "")
    why = kept(account(odd, p2=DEAD))["odd"]
    assert "may have a statement of irsa for it" in why
    assert "irsa delete-sa" not in why


def test_a_role_goes_if_nobody_needs_it() -> None:
    found = account(
        role("idle", trusting(2), DEAD),
        role("old", trusting(2), DEAD, used=31),
        role("used", trusting(2), DEAD, used=29),
        role("young", trusting(2), DEAD, days=29),
        role("both", trusting(1, 2), DEAD),
        role("theirs", trusting(2)),
        role("living", trusting(2), LIVE),
        role("absent", trusting(9), DEAD),
        p1=LIVE,
        p2=DEAD,
    )
    assert {name for name, why in kept(found).items() if not why} == {"idle", "old", "absent"}
    assert {name for name, why in kept(found, unmarked=True).items() if not why} == {
        "idle", "old", "absent", "theirs",
    }  # fmt: skip


def test_a_deletion_takes_the_policies_first() -> None:
    plan = retire.deletion(role("idle", trusting(2), DEAD)).plan
    assert [change.kind for change in plan] == [
        Kind.ROLE_OWNER, Kind.ROLE_COMMIT, Kind.ATTACHMENT, Kind.ROLE,
    ]  # fmt: skip


def test_of_a_shared_role_only_its_own_statement_goes() -> None:
    shared = role("both", trusting(1, 2), DEAD)
    found = account(shared, p1=LIVE, p2=DEAD)
    (dead,) = retire.find(found)
    unwanted = Retiring(found, [dead], 30 * DAY).statements(shared, dead)
    plan, why = retire.removals(shared, unwanted)
    assert (len(plan), why, len(unwanted)) == (1, "", 1)
    assert trust_policy.without_statement(trusting(1, 2), unwanted[0]) == trusting(1)
    assert retire.removals(shared, trusting(1, 2)["Statement"])[0].stages == ()


def test_a_name_is_that_of_one_cluster() -> None:
    found = account(p2=DEAD, p3="")
    dead = retire.find(found)
    for name in ("dead", DEAD, issuer_of(2), f"https://{issuer_of(2)}", f"{2:032x}"):
        assert [item.arn for item in retire.chosen(dead, [name, name], found)] == [DEAD]
    reach = Reach("-r eu-west-1 -p 'my profile'")
    twice = [dead[0], replace(dead[0], arn=dead[0].arn.replace("eu-west-1", "eu-west-2"))]
    for there, name, count in (
        *((dead, name, 1) for name in ("live", issuer_of(1), "nobody")),
        (twice, "dead", 2),
    ):
        with pytest.raises(Refused) as caught:
            retire.chosen(there, [name], found, reach)
        steps = check_steps(caught.value.next_steps, "retire")
        assert len(steps) == count
        assert count == 2 or steps == [shlex.split("retire --list -r eu-west-1 -p 'my profile'")]


GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


@named(
    "provider why",
    ("of a living cluster", provider_of(1), "a cluster of this account has its issuer"),
    (
        "its id in lower case",
        provider_of(0xAB).replace("AB", "ab"),
        "a cluster of this account has its issuer",
    ),
    (
        "its other host",
        provider_of(0xAB).replace("oidc.eks.eu-west-1.amazonaws.com", "oidc-eks.eu-west-1.api.aws"),
        "a cluster of this account has its issuer",
    ),
    ("of GitHub", GITHUB, "its issuer is not one of EKS"),
    (
        "of a region that was not read",
        provider_of(9).replace("eu-west-1", "ap-east-1"),
        "the clusters of ap-east-1 were not read",
    ),
    ("of another account", provider_of(9).replace(ACCOUNT, OTHER), "it is in another account"),
)
def test_a_provider_that_does_not_exist_can_be_of_a_living_cluster(provider: str, why: str) -> None:
    trust = {"Statement": [*trusting(2)["Statement"], *makers.irsa(provider, "apps/app", "")["Statement"]]}
    found = account(role("shared", trust, DEAD), p2=DEAD)
    found = replace(found, living={**found.living, arn_of("upper"): issuer_of(0xAB)})
    said = kept(found)["shared"]
    assert f"Federated {provider} (" in said
    assert why in said


def test_an_absent_provider_of_a_cluster_elsewhere_counts() -> None:
    shared = role("shared", trusting(2, 9), DEAD)
    found = account(shared, p2=DEAD)
    (dead,) = retire.find(found)
    assert Retiring(found, [dead], 30 * DAY).why_kept(shared, dead) == ""
    unclear = {provider_of(9): "its issuer answers"}
    assert "(its issuer answers)" in Retiring(found, [dead], 30 * DAY, unclear=unclear).why_kept(shared, dead)


FORMS = (makers.irsa, makers.eksctl, makers.terraform)


@st.composite
def statements_of_roles(draw: st.DrawFn) -> list[Document]:
    """What one role trusts: several clusters, in the forms of several tools, and others."""
    numbers = draw(st.lists(st.sampled_from([1, 2, 3, 4, 9]), min_size=1, max_size=4))
    found = []
    for number in numbers:
        form, name = draw(st.sampled_from(FORMS)), draw(st.sampled_from(["apps/app", "apps/other"]))
        found += form(provider_of(number), name, "")["Statement"]
    if draw(st.booleans()):
        found += draw(st.sampled_from([[EC2], makers.terraform(GITHUB, "apps/app", "")["Statement"]]))
    if draw(st.booleans()):
        shared = makers.terraform(provider_of(1), "apps/app", "")["Statement"][0]
        found.append({**shared, "Principal": {"Federated": [provider_of(1), provider_of(2)]}})
    return draw(st.permutations(found))


EC2 = doc('{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}')
OWNERS = st.sampled_from(["", DEAD, arn_of("gone"), LIVE, arn_of("far", OTHER)])
ROLES = st.lists(st.tuples(statements_of_roles(), OWNERS), min_size=1, max_size=6)
PRESENT = st.sets(st.sampled_from([1, 2, 3, 4, 9]))
"""The issuers with a provider: one of a living cluster may be missing."""


def living_users(trust: Document) -> set[tuple[str, ...]]:
    """Who can assume a role, by the sandbox's evaluation, of those that are not gone.

    A living cluster's pods count whether its provider exists or not; issuer 9 is of nobody known.
    """
    found: set[tuple[str, ...]] = set()
    for number in (1, 4):
        for name in ("apps:app", "apps:other"):
            keys = {
                f"{issuer_of(number)}:sub".lower(): [f"system:serviceaccount:{name}"],
                f"{issuer_of(number)}:aud".lower(): ["sts.amazonaws.com"],
            }
            who = Who(federated=provider_of(number))
            if admits(json.dumps(trust), ACTION, who, {**of_every_request(), **keys}):
                found.add((str(number), name))
    if admits(json.dumps(trust), "sts:AssumeRole", Who(service="ec2.amazonaws.com"), of_every_request()):
        found.add(("ec2",))
    hub = doc(
        '{"token.actions.githubusercontent.com:sub": ["system:serviceaccount:apps:app"],'
        ' "token.actions.githubusercontent.com:aud": ["sts.amazonaws.com"]}'
    )
    if admits(json.dumps(trust), ACTION, Who(federated=GITHUB), {**of_every_request(), **hub}):
        found.add(("github",))
    return found


@given(ROLES, PRESENT)
@hypothesis_settings(max_examples=examples(300))
def test_nobody_who_lives_loses_a_role(drawn: list[tuple[list[Document], str]], present: set[int]) -> None:
    """Of roles that dead and living clusters share, with providers that are missing."""
    roles = [role(f"r{number}", {"Statement": items}, owner) for number, (items, owner) in enumerate(drawn)]
    owners = {1: LIVE, 2: DEAD, 3: arn_of("gone"), 4: arn_of("far", OTHER), 9: ""}
    found = account(*roles, **{f"p{number}": owners[number] for number in present})
    clusters = retire.find(found)
    # The issuer of the cluster in the other account answers, that of nobody does not.
    unclear = {provider_of(4): "its issuer answers"}
    clusters = [
        replace(item, doubt="its issuer answers" if provider_of(4) in item.providers else known)
        for item in clusters
        for known in [item.doubt.replace(retire.UNMARKED, "")]
    ]
    retiring = Retiring(found, clusters, 30 * DAY, unmarked=True, unclear=unclear)
    for dead in (item for item in clusters if not item.doubt):
        for left in dead.roles:
            users = living_users(left.trust)
            if not retiring.why_kept(left, dead):
                assert not users, left.name
                assert left.owner not in found.living
                continue
            plan, _ = retire.removals(left, retiring.statements(left, dead))
            trust = left.trust
            for change in plan:
                assert isinstance(change.before, DocumentState)
                trust = trust_policy.without_statement(trust, change.before.document)
            assert living_users(trust) == users
