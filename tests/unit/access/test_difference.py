"""Who gains and who loses by changes: each way, other principals, conditions, chains, what was not read."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.access.difference import AccessChange
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.texts import access_lines
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.trust import assuming
from irsa_cli.core.trust.chain import Chain, permission
from irsa_cli.core.values.errors import Unreadable
from tests.unit.access.states import (
    APP,
    BLUE,
    GREEN,
    NUMBER,
    allow,
    annotation,
    association,
    provider,
    role,
    shifts,
    statement,
    trust,
)

APP_ROLE = role("app")
SERVICE = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
GITHUB = "token.actions.githubusercontent.com"
FOR_PODS = assuming.statement(BLUE, "backend", "app")


def test_a_new_role_and_its_annotation() -> None:
    made = Change(Kind.ROLE, ("app",), None, states.RoleState("/", trust(allow(BLUE, "backend/app"))))
    changes = [made, annotation(APP_ROLE)]
    assert shifts(Documents(), *changes) == (["backend/app app >irsa,token"], [])
    taken = [item.inverse for item in changes]
    there = Documents(accounts={APP: {states.ROLE_ARN_ANNOTATION: APP_ROLE}})
    assert shifts(there, *taken) == ([], ["backend/app app irsa,token>"])


def test_an_annotation_alone_gives_nothing() -> None:
    there = Documents(trusts={APP_ROLE: trust(SERVICE)})
    assert shifts(there, annotation(APP_ROLE)) == ([], [])


def test_an_annotation_of_a_role_that_trusts_it_gives_it_to_pods() -> None:
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/*"))})
    assert shifts(there, annotation(APP_ROLE)) == (["backend/app app token>irsa,token"], [])


def test_an_association_goes_before_the_annotation() -> None:
    """EKS serves new pods by the association; if the role does not trust EKS, they get nothing."""
    there = Documents(
        trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))},
        accounts={APP: {states.ROLE_ARN_ANNOTATION: APP_ROLE}},
    )
    assert shifts(there, association(APP_ROLE)) == ([], ["backend/app app irsa,token>token"])
    added = statement("app", None, FOR_PODS)
    assert shifts(there, added, association(APP_ROLE)) == ([], [])


def test_pod_identity_without_a_token() -> None:
    there = Documents(trusts={APP_ROLE: trust(FOR_PODS)})
    assert shifts(there, association(APP_ROLE)) == (["backend/app app >pod-identity"], [])
    assert shifts(there, association(APP_ROLE, tagged=False)) == ([], [])


def test_a_condition_that_decides_before_and_after_is_no_change() -> None:
    office: dict[str, Any] = allow(BLUE, "backend/app")
    office = {**office, "Condition": {**office["Condition"], "IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    there = Documents(trusts={APP_ROLE: trust(office)}, accounts={APP: {}})
    assert shifts(there, statement("app", None, allow(BLUE, "backend/other"))) == (
        ["backend/other app >token"],
        [],
    )
    assert shifts(there, statement("app", office, allow(BLUE, "backend/app"))) == (
        ["backend/app app token>token ?"],
        [],
    )
    assert shifts(there, statement("app", office, None)) == ([], ["backend/app app token> ?"])
    other = {**office, "Condition": {**office["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    gains, losses = shifts(there, statement("app", office, other))
    assert (gains, losses) == (["backend/app app token>token ?"], ["backend/app app token>token ?"])


def test_a_deny_takes_from_everybody_that_it_may_cover() -> None:
    deny = {**allow(BLUE, "backend/app"), "Effect": "Deny"}
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app", "backend/other"), SERVICE)})
    assert shifts(there, statement("app", None, deny)) == ([], ["backend/app app token>"])
    all_of_them = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"}
    assert shifts(there, statement("app", None, all_of_them)) == (
        [],
        ["backend/app app token>", "backend/other app token>"],
    )


def test_a_pattern_matches_itself_and_who_it_names() -> None:
    there = Documents(
        (BLUE, GREEN),
        trusts={APP_ROLE: trust(allow(BLUE, "backend/app"), allow(GREEN, "backend/*"))},
    )
    wider = statement("app", allow(BLUE, "backend/app"), allow(BLUE, "backend/*"))
    assert shifts(there, wider) == (["every ServiceAccount like backend/* app >token"], [])
    assert shifts(there, wider.inverse)[1] == []
    gone = statement("app", allow(GREEN, "backend/*"), None)
    assert shifts(there, gone) == ([], ["every ServiceAccount like backend/* of green app token>"])


def test_other_principals_statement_by_statement() -> None:
    hub = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{NUMBER}:oidc-provider/{GITHUB}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:repository": "x/y"},
            "StringLike": {f"{GITHUB}:sub": "repo:x/y:*"},
        },
    }
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{NUMBER}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": role("one")}},
    }
    changes = [
        Change(Kind.ROLE, ("app",), states.RoleState("/", trust(hub, SERVICE, root)), None),
    ]
    assert shifts(Documents(), *changes) == (
        [],
        [
            f"'repo:x/y:*' of {GITHUB} app token> ?",
            f"AWS {role('one')} app principal>",
            "Service ec2.amazonaws.com app principal>",
        ],
    )
    there = Documents(trusts={APP_ROLE: trust(hub, SERVICE, root, allow(BLUE, "backend/app"))})
    assert shifts(there, statement("app", None, allow(BLUE, "backend/b")))[1] == []


def test_a_provider_gives_roles_to_those_that_they_trust() -> None:
    state = states.ProviderState(BLUE.issuer, ["sts.amazonaws.com"])
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))}, unread=("other roles",))
    made = Change(Kind.PROVIDER, (provider(BLUE),), None, state)
    assert shifts(there, made) == (["backend/app app >token"], [])
    assert shifts(there, made.inverse) == ([], ["backend/app app token>"])
    audience = Change(Kind.AUDIENCE, (provider(BLUE), "vault"), None, states.Present())
    there = Documents(
        trusts={APP_ROLE: trust(allow(BLUE, "backend/app", audience="vault"))},
        providers={provider(BLUE): ["sts.amazonaws.com"]},
    )
    assert shifts(there, audience) == (["backend/app app >token"], [])


def test_nobody_has_tokens_of_a_cluster_that_is_gone() -> None:
    gone = frozenset({BLUE.issuer.removeprefix("https://")})
    role_state = states.RoleState("/", trust(allow(BLUE, "backend/app"), SERVICE))
    found = shifts(Documents(gone=gone), Change(Kind.ROLE, ("app",), role_state, None))
    assert found == ([], ["Service ec2.amazonaws.com app principal>"])


def test_a_chain_and_its_session_tags() -> None:
    """Session tags of EKS Pod Identity stay with the session: sts:TagSession is needed for them."""
    target = role("target")
    chain = Chain(APP_ROLE, target)
    there = Documents(
        trusts={APP_ROLE: trust(allow(BLUE, "backend/app"), FOR_PODS), target: trust(chain.statement)},
        accounts={APP: {states.ROLE_ARN_ANNOTATION: APP_ROLE}},
        policies={APP_ROLE: {"chain": permission(target)}},
    )
    assert shifts(there, association(APP_ROLE)) == ([], ["backend/app target chain>"])
    only_eks = Documents(
        trusts={APP_ROLE: trust(FOR_PODS), target: trust(chain.statement)},
        policies={APP_ROLE: {"chain": permission(target)}},
        associations={APP: states.AssociationState(APP_ROLE, without_session_tags=True)},
    )
    assert shifts(only_eks, association(APP_ROLE, APP_ROLE))[1] == []
    taken = Change(Kind.TARGET_TRUST, (target, APP_ROLE), states.DocumentState(chain.statement), None)
    assert shifts(there, taken) == (
        [],
        ["backend/app target chain>", f"AWS {APP_ROLE} target principal>"],
    )
    with_target = association(APP_ROLE, target=target, tagged=False)
    plain = Documents(
        trusts={APP_ROLE: trust(assuming.statement(BLUE, "backend", "app", tagged=False))}
        | {target: trust(chain.statement)},
        policies={APP_ROLE: {"chain": permission(target)}},
    )
    assert shifts(plain, with_target) == (["backend/app target >pod-identity"], [])


def test_what_was_not_read_is_never_nobody() -> None:
    there = Documents(trusts={APP_ROLE: Unreadable("access denied")}, unread=("some clusters",))
    found = AccessChange.of(there, [annotation(APP_ROLE)], BLUE)
    assert (found.gains, found.losses) != ((), ())
    assert not found.gains[0].certain
    other = AccessChange.of(there, [annotation(None, None)], BLUE)
    lines = list(access_lines(other))
    said = f"not read: some clusters; the trust policy of {APP_ROLE}"
    assert lines == [f"Access: nobody gains or loses a role ({said})"]


def test_many_are_counted() -> None:
    names = [f"backend/app-{number}" for number in range(5)]
    found = AccessChange.of(
        Documents(trusts={APP_ROLE: trust(SERVICE)}), [statement("app", None, allow(BLUE, *names))], BLUE
    )
    lines = list(access_lines(found))
    assert lines[0] == "Access: + backend/app-0 can assume app"
    assert lines[3:] == [
        "Access: + 2 more gain a role (-v shows them)",
        "Access: nobody loses a role",
    ]
    assert len(list(access_lines(found, whole=True))) == 6


def test_a_statement_of_a_policy_that_was_not_read_is_known() -> None:
    """As `irsa recover` knows it from its journal: what else there is may allow, or deny, the same."""
    added = statement("app", None, allow(BLUE, "backend/app"))
    assert shifts(Documents(), added) == (["backend/app app token>token ?"], [])
    assert shifts(Documents(), added.inverse) == ([], ["backend/app app token>token ?"])


def test_an_annotation_that_is_no_arn_gives_nothing() -> None:
    assert shifts(Documents(), annotation("not an ARN")) == ([], [])
    assert shifts(Documents(), annotation("not an ARN").inverse) == ([], [])


def test_statements_for_one_principal_are_told_apart_by_what_they_want() -> None:
    """Somebody else's statement for EKS Pod Identity says nothing of the ServiceAccount of irsa's."""
    theirs = {
        "Effect": "Allow",
        "Principal": {"Service": assuming.SERVICE},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "other"}},
    }
    there = Documents(trusts={APP_ROLE: trust(allow(BLUE, "backend/app"), theirs)})
    assert shifts(there, statement("app", None, FOR_PODS)) == ([], [])
    assert shifts(there, statement("app", theirs, None)) == (
        [],
        [
            "Service pods.eks.amazonaws.com with aws:requesttag/kubernetes-namespace other app principal>",
        ],
    )
