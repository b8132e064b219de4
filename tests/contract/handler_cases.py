"""One list of changes, at least one for each kind: what is there before, and what others may make of it.

Each case is played by its kind's handler on every stage of tests/contract/test_handlers.py. What is there
after it, `apply` of tests/unit/world.py says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    DELETING,
    ROLE_ARN_ANNOTATION,
    BoundaryState,
    CommitState,
    ConfigMapState,
    DocumentState,
    NamespaceState,
    OwnerState,
    Present,
    ProviderState,
    RoleState,
    ServiceAccountState,
    SettingsState,
    State,
    TagsState,
)
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.chain import Chain
from tests.unit.world import THIS_RUN, Account, Role, World

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/FEDCBA9876543210FEDCBA9876543210"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER.removeprefix('https://')}"
AUDIENCE = "sts.amazonaws.com"
S3, SQS = (f"arn:aws:iam::aws:policy/Amazon{name}ReadOnlyAccess" for name in ("S3", "SQS"))
EARLIER, OTHER_RUN = "20261101T000000000Z-00000001", "20261101T000000000Z-00000002"
MARK = "irsa/transaction"
GET, PUT, DELETE = (
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
)
OURS, NEXT = (
    trust_policy.marked_statement(
        WebIdentity(PROVIDER, ISSUER, f"system:serviceaccount:backend:{name}", AUDIENCE)
    )
    for name in ("reader", "writer")
)


def service(name: str) -> Document:
    """A statement that trusts a service of AWS."""
    return {"Effect": "Allow", "Principal": {"Service": f"{name}.amazonaws.com"}, "Action": "sts:AssumeRole"}


EC2, ECS = service("ec2"), service("ecs")
ADMITTED = Chain("arn:aws:iam::111122223333:role/own", "arn:aws:iam::111122223333:role/r").statement
ARN = "arn:aws:iam::111122223333:role/r"
BOUND = {ROLE_ARN_ANNOTATION: ARN, "irsa/role-arn": ARN}
TEAM = {"team": "a", "old": "1"}

Edit = Callable[[World], World]


@dataclass(frozen=True)
class Case:
    """One change; `theirs` makes of the world before it one that is neither before nor after.

    `since` does the same with the world after it, for a rollback; None: as `theirs`. Where there is nothing
    between before and after, both are None.
    """

    change: Change
    before: World
    theirs: Edit | None
    since: Edit | None = None


def with_role(*, owner: str = "", statements: tuple[Document, ...] = (EC2,), bare: bool = False) -> World:
    """A world with the role `r`, what is on it unless it is `bare`, and a provider."""
    state = RoleState(
        path="/",
        trust={"Version": "2012-10-17", "Statement": [*statements]},
        description="d",
        permissions_boundary=S3,
        tags={**TEAM, **({MARK: owner} if owner else {})},
    )
    role = Role(state) if bare else Role(state, {S3}, {"p": GET, "kept": DELETE})
    return World(roles={"r": role}, providers={PROVIDER: provider_state("x")})


def provider_state(*more: str) -> ProviderState:
    """The provider, with further audiences."""
    return ProviderState(ISSUER, [AUDIENCE, *more], tags={"team": "a"})


def with_namespace(maker: str = "", **annotations: str | None) -> World:
    """A world with the namespace `backend`, and where annotations are given, with a ServiceAccount in it."""
    found = {key: value for key, value in annotations.items() if value is not None}
    accounts = (
        {("backend", "reader"): Account({"note": "x", **found}, {"app": "y"}, "")} if annotations else {}
    )
    makers = {"backend": maker} if maker else {}
    return World(namespaces={"backend"}, accounts=accounts, makers=makers)


def with_config_map(data: dict[str, str], maker: str = EARLIER) -> World:
    """A world with a ConfigMap of the ServiceAccount's."""
    found = {("backend", "aws"): ConfigMapState(data, "backend/reader", maker)}
    return World(namespaces={"backend"}, config_maps=found)


def config_map_edit(data: dict[str, str]) -> Edit:
    """Somebody else writes the ConfigMap."""

    def edit(world: World) -> World:
        there = world.config_maps.get(("backend", "aws"))
        maker = OTHER_RUN if there is None else there.transaction
        found = {("backend", "aws"): ConfigMapState(data, "backend/reader", maker)}
        return replace(world, config_maps=found)

    return edit


def account(annotations: Mapping[str, str | None], uid: str = "") -> ServiceAccountState:
    """What irsa manages of the ServiceAccount; `manifest` makes it again as it is in `with_namespace`."""
    found = {key: value for key, value in annotations.items() if value is not None}
    manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "reader",
            "namespace": "backend",
            "annotations": {"note": "x", MARK: THIS_RUN, **found},
            "labels": {"app": "y"},
        },
    }
    return ServiceAccountState(dict(annotations), uid=uid, manifest=manifest)


def of_role(kind: Kind, *target: str, before: State | None, after: State | None) -> Change:
    """A change of the role `r`."""
    return Change(kind, ("r", *target), before, after)


def role_edit(**fields: Any) -> Edit:
    """Somebody else changes the role's fields."""

    def edit(world: World) -> World:
        role = world.roles["r"]
        return replace(world, roles={"r": replace(role, state=replace(role.state, **fields))})

    return edit


def tags_edit(**tags: str) -> Edit:
    """Somebody else sets tags of the role; `irsa` is the transaction's."""

    def edit(world: World) -> World:
        named = {(MARK if key == "irsa" else key): value for key, value in tags.items()}
        return role_edit(tags={**world.roles["r"].state.tags, **named})(world)

    return edit


def inline_edit(name: str) -> Edit:
    """Somebody else puts an inline policy."""

    def edit(world: World) -> World:
        role = world.roles["r"]
        return replace(world, roles={"r": replace(role, inline={**role.inline, name: DELETE})})

    return edit


def account_edit(**annotations: str) -> Edit:
    """Somebody else annotates the ServiceAccount with another role."""

    def edit(world: World) -> World:
        there = world.accounts["backend", "reader"]
        changed = replace(there, annotations={**there.annotations, ROLE_ARN_ANNOTATION: f"{ARN}-theirs"})
        return replace(world, accounts={("backend", "reader"): changed})

    return edit


def provider_edit(**changed: Any) -> Edit:
    """Somebody else changes the provider."""
    return lambda world: replace(
        world, providers={arn: replace(item, **changed) for arn, item in world.providers.items()}
    )


def namespace_taken(world: World) -> World:
    """Another run has marked the namespace."""
    return replace(world, namespaces={"backend"}, makers={"backend": OTHER_RUN})


def inhabited(world: World) -> World:
    """Somebody has put something into the namespace."""
    return replace(world, accounts={("backend", "theirs"): Account({"a": "b"}, {}, "")})


NEW_ROLE = RoleState(
    path="/irsa/demo/",
    trust={"Version": "2012-10-17", "Statement": [OURS]},
    description="made",
    max_session_duration=7200,
    permissions_boundary=S3,
    tags=dict(TEAM),
)
TRUSTED = with_role(statements=(EC2, OURS))
OWN_ROLE = with_role(owner=THIS_RUN, bare=True)
A_DOCUMENT, ANOTHER = ({"Version": "2012-10-17", "Statement": [item]} for item in (EC2, ECS))
THEIR_TRUST = role_edit(trust={"Version": "2012-10-17", "Statement": [{**EC2, "Sid": "Theirs"}]})
UNBOUND, MADE = account(dict.fromkeys(BOUND)), account({MARK: THIS_RUN, **BOUND})

CASES: dict[str, Case] = {
    "a provider is made": Case(
        Change(Kind.PROVIDER, (PROVIDER,), None, provider_state()),
        World(),
        lambda world: World(providers={PROVIDER: replace(provider_state(), audiences=["theirs"])}),
        provider_edit(audiences=[AUDIENCE, "theirs"]),
    ),
    "a provider is deleted": Case(
        Change(Kind.PROVIDER, (PROVIDER,), provider_state(), None),
        World(providers={PROVIDER: provider_state()}),
        provider_edit(audiences=[AUDIENCE, "theirs"]),
        lambda world: World(providers={PROVIDER: provider_state("theirs")}),
    ),
    "an audience is added": Case(
        Change(Kind.AUDIENCE, (PROVIDER, "vault"), None, Present()), with_role(), None
    ),
    "an audience is removed": Case(
        Change(Kind.AUDIENCE, (PROVIDER, "x"), Present(), None), with_role(), None
    ),
    "a namespace is made": Case(
        Change(Kind.NAMESPACE, ("backend",), None, NamespaceState()), World(), namespace_taken, inhabited
    ),
    "a role is made": Case(
        of_role(Kind.ROLE, before=None, after=NEW_ROLE),
        World(),
        lambda world: with_role(owner=OTHER_RUN),
        tags_edit(irsa=OTHER_RUN),
    ),
    "a role is deleted": Case(
        of_role(Kind.ROLE, before=OWN_ROLE.roles["r"].state, after=None),
        OWN_ROLE,
        role_edit(description="theirs"),
        lambda world: with_role(owner=OTHER_RUN, statements=(ECS,)),
    ),
    "a policy is attached": Case(
        of_role(Kind.ATTACHMENT, SQS, before=None, after=Present()), with_role(), None
    ),
    "a policy is detached": Case(
        of_role(Kind.ATTACHMENT, S3, before=Present(), after=None), with_role(), None
    ),
    "an inline policy is put": Case(
        of_role(Kind.INLINE_POLICY, "q", before=None, after=DocumentState(PUT)), with_role(), inline_edit("q")
    ),
    "an inline policy is replaced": Case(
        of_role(Kind.INLINE_POLICY, "p", before=DocumentState(GET), after=DocumentState(PUT)),
        with_role(),
        inline_edit("p"),
    ),
    "an inline policy is deleted": Case(
        of_role(Kind.INLINE_POLICY, "p", before=DocumentState(GET), after=None), with_role(), inline_edit("p")
    ),
    "a statement is added": Case(
        of_role(Kind.TRUST_STATEMENT, "s", before=None, after=DocumentState(OURS)), with_role(), None
    ),
    "a statement is replaced": Case(
        of_role(Kind.TRUST_STATEMENT, "s", before=DocumentState(OURS), after=DocumentState(NEXT)),
        TRUSTED,
        THEIR_TRUST,
    ),
    "a statement is removed": Case(
        of_role(Kind.TRUST_STATEMENT, "s", before=DocumentState(OURS), after=None), TRUSTED, None
    ),
    "a ServiceAccount is made": Case(
        Change(Kind.SERVICE_ACCOUNT, ("backend", "reader"), None, MADE),
        with_namespace(),
        lambda world: with_namespace(theirs="x"),
        account_edit(),
    ),
    "a ServiceAccount is annotated": Case(
        Change(Kind.SERVICE_ACCOUNT, ("backend", "reader"), UNBOUND, account(BOUND)),
        with_namespace(team="a"),
        account_edit(),
    ),
    "a ServiceAccount loses its annotation": Case(
        Change(Kind.SERVICE_ACCOUNT, ("backend", "reader"), account(BOUND), UNBOUND),
        with_namespace(**BOUND),
        account_edit(),
    ),
    "a ServiceAccount is deleted": Case(
        Change(Kind.SERVICE_ACCOUNT, ("backend", "reader"), account(BOUND), None),
        with_namespace(**{MARK: THIS_RUN, **BOUND}),
        account_edit(),
        lambda world: with_namespace(theirs="x"),
    ),
    "a target role admits a role": Case(
        Change(Kind.TARGET_TRUST, (ARN, f"{ARN}-own"), None, DocumentState(ADMITTED)), with_role(), None
    ),
    "a target role admits a role no more": Case(
        Change(Kind.TARGET_TRUST, (ARN, f"{ARN}-own"), DocumentState(ADMITTED), None),
        with_role(statements=(EC2, ADMITTED)),
        None,
    ),
    "a ConfigMap is made": Case(
        Change(Kind.CONFIG_MAP, ("backend", "aws"), None, ConfigMapState({"config": "a"}, "backend/reader")),
        with_namespace(),
        config_map_edit({"config": "theirs"}),
        config_map_edit({"config": "theirs"}),
    ),
    "a ConfigMap changes": Case(
        Change(
            Kind.CONFIG_MAP,
            ("backend", "aws"),
            ConfigMapState({"config": "a", "old": "x"}, "backend/reader"),
            ConfigMapState({"config": "b"}, "backend/reader"),
        ),
        with_config_map({"config": "a", "old": "x"}),
        config_map_edit({"config": "theirs"}),
    ),
    "a ConfigMap is deleted": Case(
        Change(
            Kind.CONFIG_MAP,
            ("backend", "aws"),
            ConfigMapState({"config": "a"}, "backend/reader", EARLIER),
            None,
        ),
        with_config_map({"config": "a"}),
        config_map_edit({"config": "theirs"}),
    ),
    "a role is taken over": Case(
        of_role(Kind.ROLE_OWNER, before=OwnerState(EARLIER), after=OwnerState("")),
        with_role(owner=EARLIER),
        tags_edit(irsa=OTHER_RUN),
    ),
    "a role of nobody's gets an owner": Case(
        of_role(Kind.ROLE_OWNER, before=OwnerState("nobody"), after=OwnerState("")),
        with_role(),
        tags_edit(irsa=OTHER_RUN),
    ),
    "a role's deletion begins": Case(
        of_role(Kind.ROLE_COMMIT, before=None, after=CommitState(DELETING)),
        with_role(owner=THIS_RUN),
        tags_edit(irsa=OTHER_RUN),
    ),
    "a role's settings change": Case(
        of_role(Kind.ROLE_SETTINGS, before=SettingsState("d", 3600), after=SettingsState("e", 7200)),
        with_role(),
        role_edit(description="theirs"),
    ),
    "a boundary is replaced": Case(
        of_role(Kind.BOUNDARY, before=BoundaryState(S3), after=BoundaryState(SQS)),
        with_role(),
        role_edit(permissions_boundary=""),
    ),
    "a boundary is removed": Case(
        of_role(Kind.BOUNDARY, before=BoundaryState(S3), after=None),
        with_role(),
        role_edit(permissions_boundary=SQS),
    ),
    "tags change": Case(
        of_role(
            Kind.ROLE_TAGS,
            before=TagsState({"team": "a", "old": "1", "new": None}),
            after=TagsState({"team": "b", "old": None, "new": "2"}),
        ),
        with_role(),
        tags_edit(team="theirs"),
    ),
    "the trust policy changes": Case(
        of_role(Kind.TRUST_POLICY, before=DocumentState(A_DOCUMENT), after=DocumentState(ANOTHER)),
        with_role(),
        THEIR_TRUST,
    ),
}
WITHOUT_AN_OWNER = {Kind.ATTACHMENT, Kind.AUDIENCE, Kind.TARGET_TRUST}
"""Kinds that tell nobody's change from ours: docs/explanation/transaction.md says so."""
