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
from tests.support.documents import doc
from tests.support.named import named
from tests.unit.access.states import (
    APP,
    BLUE,
    GREEN,
    allow,
    annotation,
    association,
    provider,
    role,
    shifts,
    statement,
    trust,
)

APP_ROLE, TARGET = role("app"), role("target")
ANNOTATED = {APP: {states.ROLE_ARN_ANNOTATION: APP_ROLE}}
SERVICE = doc(
    '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
)
HUB = doc(
    '{"Effect": "Allow", "Principal": {"Federated":'
    ' "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},'
    ' "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals":'
    ' {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com",'
    ' "token.actions.githubusercontent.com:repository": "x/y"},'
    ' "StringLike": {"token.actions.githubusercontent.com:sub": "repo:x/y:*"}}}'
)
ROOT = doc(
    '{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole",'
    ' "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/one"}}}'
)
THEIRS = doc(
    '{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},'
    ' "Action": ["sts:AssumeRole", "sts:TagSession"],'
    ' "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "other"}}}'
)
DENY_ALL = doc('{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"}')
MINE, OTHERS = allow(BLUE, "backend/app"), allow(BLUE, "backend/other")
FOR_PODS = assuming.statement(BLUE, "backend", "app")
UNTAGGED = assuming.statement(BLUE, "backend", "app", tagged=False)
CHAIN = Chain(APP_ROLE, TARGET).statement
CHAINED = {APP_ROLE: {"chain": permission(TARGET)}}
EVERY, OF_GREEN = allow(BLUE, "backend/*"), allow(GREEN, "backend/*")


def at(address: str) -> dict[str, Any]:
    """The statement for the ServiceAccount, from some addresses only."""
    return {**MINE, "Condition": {**MINE["Condition"], "IpAddress": {"aws:SourceIp": address}}}


OFFICE = at("192.0.2.0/24")


def there(*statements: dict[str, Any], **more: Any) -> Documents:
    """The role `app` with these statements."""
    trusts = {APP_ROLE: trust(*statements), **more.pop("trusts", {})}
    return Documents(trusts=trusts, **more)


def made(*statements: dict[str, Any]) -> Change:
    return Change(Kind.ROLE, ("app",), None, states.RoleState("/", trust(*statements)))


def added(item: dict[str, Any] | None, before: dict[str, Any] | None = None) -> Change:
    return statement("app", before, item)


MADE_PROVIDER = Change(
    Kind.PROVIDER, (provider(BLUE),), None, states.ProviderState(BLUE.issuer, ["sts.amazonaws.com"])
)
VAULT = Change(Kind.AUDIENCE, (provider(BLUE), "vault"), None, states.Present())
UNKNOWN = there(MINE, unread=("other roles",))
BOTH = there(MINE, FOR_PODS, trusts={TARGET: trust(CHAIN)}, accounts=ANNOTATED, policies=CHAINED)


@named(
    "before changes gains losses",
    (
        "a role and its annotation",
        Documents(),
        [made(MINE), annotation(APP_ROLE)],
        "backend/app app >irsa,token",
        "",
    ),
    (
        "both go",
        Documents(accounts=ANNOTATED),
        [made(MINE).inverse, annotation(APP_ROLE).inverse],
        "",
        "backend/app app irsa,token>",
    ),
    ("an annotation alone gives nothing", there(SERVICE), [annotation(APP_ROLE)], "", ""),
    (
        "pods get what tokens have",
        there(EVERY),
        [annotation(APP_ROLE)],
        "backend/app app token>irsa,token",
        "",
    ),
    (
        "EKS serves new pods by the association; if the role does not trust EKS, they get nothing",
        there(MINE, accounts=ANNOTATED),
        [association(APP_ROLE)],
        "",
        "backend/app app irsa,token>token",
    ),
    (
        "an association with its statement",
        there(MINE, accounts=ANNOTATED),
        [added(FOR_PODS), association(APP_ROLE)],
        "",
        "",
    ),
    ("no token", there(FOR_PODS), [association(APP_ROLE)], "backend/app app >pod-identity", ""),
    ("session tags", there(FOR_PODS), [association(APP_ROLE, tagged=False)], "", ""),
    (
        "a condition that decides before and after",
        there(OFFICE, accounts={APP: {}}),
        [added(OTHERS)],
        "backend/other app >token",
        "",
    ),
    ("a condition goes", there(OFFICE), [added(MINE, OFFICE)], "backend/app app token>token ?", ""),
    ("with its statement", there(OFFICE), [added(None, OFFICE)], "", "backend/app app token> ?"),
    (
        "another condition",
        there(OFFICE),
        [added(at("10.0.0.0/8"), OFFICE)],
        "backend/app app token>token ?",
        "backend/app app token>token ?",
    ),
    ("a Deny", there(MINE, OTHERS), [added({**MINE, "Effect": "Deny"})], "", "backend/app app token>"),
    (
        "a Deny of everybody",
        there(MINE, OTHERS, SERVICE),
        [added(DENY_ALL)],
        "",
        "backend/app app token>, backend/other app token>",
    ),
    (
        "a pattern matches itself",
        there(MINE, OF_GREEN, clusters=(BLUE, GREEN)),
        [added(EVERY, MINE)],
        "every ServiceAccount like backend/* app >token",
        "",
    ),
    (
        "a pattern of another cluster",
        there(MINE, OF_GREEN, clusters=(BLUE, GREEN)),
        [added(None, OF_GREEN)],
        "",
        "every ServiceAccount like backend/* of green app token>",
    ),
    (
        "other principals, statement by statement",
        Documents(),
        [made(HUB, SERVICE, ROOT).inverse],
        "",
        "'repo:x/y:*' of token.actions.githubusercontent.com app token> ?,"
        " AWS arn:aws:iam::111122223333:role/one app principal>, Service ec2.amazonaws.com app principal>",
    ),
    (
        "a statement beside others'",
        there(HUB, SERVICE, ROOT, MINE),
        [added(allow(BLUE, "backend/b"))],
        "backend/b app >token",
        "",
    ),
    ("a provider", UNKNOWN, [MADE_PROVIDER], "backend/app app >token", ""),
    ("a provider goes", UNKNOWN, [MADE_PROVIDER.inverse], "", "backend/app app token>"),
    (
        "an audience",
        there(
            allow(BLUE, "backend/app", audience="vault"), providers={provider(BLUE): ["sts.amazonaws.com"]}
        ),
        [VAULT],
        "backend/app app >token",
        "",
    ),
    (
        "nobody has tokens of a cluster that is gone",
        Documents(gone=frozenset({BLUE.issuer.removeprefix("https://")})),
        [made(MINE, SERVICE).inverse],
        "",
        "Service ec2.amazonaws.com app principal>",
    ),
    (
        "session tags stay with the session: sts:TagSession is needed for a chain",
        BOTH,
        [association(APP_ROLE)],
        "",
        "backend/app target chain>",
    ),
    (
        "the target's statement goes",
        BOTH,
        [Change(Kind.TARGET_TRUST, (TARGET, APP_ROLE), states.DocumentState(CHAIN), None)],
        "",
        f"backend/app target chain>, AWS {APP_ROLE} target principal>",
    ),
    (
        "an association with a target",
        there(UNTAGGED, trusts={TARGET: trust(CHAIN)}, policies=CHAINED),
        [association(APP_ROLE, target=TARGET, tagged=False)],
        "backend/app target >pod-identity",
        "",
    ),
    # As `irsa recover` knows it from its journal: what else there is may allow, or deny, the same.
    ("of a policy that was not read", Documents(), [added(MINE)], "backend/app app token>token ?", ""),
    ("it goes", Documents(), [added(None, MINE)], "", "backend/app app token>token ?"),
    ("an annotation that is no ARN", Documents(), [annotation("not an ARN")], "", ""),
    ("it goes, too", Documents(), [annotation("not an ARN").inverse], "", ""),
    # Somebody else's statement for EKS Pod Identity says nothing of the ServiceAccount of irsa's.
    ("one principal, another wish", there(MINE, THEIRS), [added(FOR_PODS)], "", ""),
    (
        "theirs goes",
        there(MINE, THEIRS),
        [added(None, THEIRS)],
        "",
        "Service pods.eks.amazonaws.com with aws:requesttag/kubernetes-namespace other app principal>",
    ),
)
def test_who_gains_and_who_loses(before: Documents, changes: list[Change], gains: str, losses: str) -> None:
    found = [", ".join(texts) for texts in shifts(before, *changes)]
    assert found == [gains, losses]


def test_what_is_not_lost() -> None:
    wider = added(EVERY, MINE).inverse
    assert shifts(there(MINE, OF_GREEN, clusters=(BLUE, GREEN)), wider)[1] == []
    untagged = {APP: states.AssociationState(APP_ROLE, without_session_tags=True)}
    only_eks = there(FOR_PODS, trusts={TARGET: trust(CHAIN)}, policies=CHAINED, associations=untagged)
    assert shifts(only_eks, association(APP_ROLE, APP_ROLE))[1] == []


def test_what_was_not_read_is_never_nobody() -> None:
    unread = Documents(trusts={APP_ROLE: Unreadable("access denied")}, unread=("some clusters",))
    found = AccessChange.of(unread, [annotation(APP_ROLE)], BLUE)
    assert (found.gains, found.losses) != ((), ())
    assert not found.gains[0].certain
    other = AccessChange.of(unread, [annotation(None, None)], BLUE)
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
