"""Wishes for one ServiceAccount, and worlds in which a wish is unmet, half met, met, or in somebody's way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from irsa_cli.core.binding.spec import BindingSpec, DesiredState, annotations_of
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    COMMIT_TAG,
    MANAGED_BY_LABEL,
    PENDING,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    ProviderState,
    RoleState,
)
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.cluster import Cluster
from tests.support.trusts import trust_of
from tests.unit.world import Account, Role, World

ACCOUNT = "111122223333"
CLUSTER = Cluster(
    name="demo",
    arn=f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo",
    region="eu-west-1",
    partition="aws",
    account=ACCOUNT,
    issuer="https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
)
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/demo-backend-reader"
POLICIES = tuple(f"arn:aws:iam::aws:policy/{name}" for name in ("A", "B", "C"))
STRANGER = f"arn:aws:iam::{ACCOUNT}:role/stranger"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
OTHER_DOCUMENT = {**DOCUMENT, "Id": "other"}


def desired(**changed: Any) -> DesiredState:
    """A wish for a new role with a policy; `changed` are fields of the wish that differ."""
    audience = changed.get("audience", DEFAULT_AUDIENCE)
    extra = changed.pop("extra", {})
    made = DesiredState(
        cluster=CLUSTER,
        namespace="backend",
        name="reader",
        **{
            "role_arn": ROLE_ARN,
            "policies": POLICIES[:1],
            "audience": audience,
            "annotations": annotations_of(
                BindingSpec("backend", "reader", annotations=extra, audience=audience), ROLE_ARN
            ),
            **changed,
        },
    )
    return made if "role" in changed else replace(made, role=role_for(made))


def role_for(desired: DesiredState, **changed: Any) -> RoleState:
    """The role that the wish means."""
    state = RoleState(
        path="/irsa/demo/",
        trust=trust_of(desired.identity),
        tags={
            "team": "a",
            CLUSTER_TAG: CLUSTER.arn,
            SERVICE_ACCOUNT_TAG: f"{desired.namespace}/{desired.name}",
        },
    )
    return replace(state, **changed)


def provider_for(*audiences: str) -> ProviderState:
    """The cluster's provider."""
    return ProviderState(url=CLUSTER.issuer, audiences=list(audiences), tags={"owner": "platform"})


@st.composite
def desired_states(draw: st.DrawFn) -> DesiredState:
    """Any wish that the command line lets through."""
    flag = st.booleans()
    attach = draw(st.sampled_from([False, False, True]))
    role_only = not attach and draw(st.sampled_from([False, False, True]))
    policies: tuple[str, ...] = ()
    inline: dict[str, Any] = {}
    if not attach:
        policies = tuple(draw(st.lists(st.sampled_from(POLICIES), unique=True, max_size=2)))
        inline = draw(st.dictionaries(st.sampled_from(["p", "q"]), st.just(DOCUMENT)))
    return desired(
        audience=draw(st.sampled_from([DEFAULT_AUDIENCE, DEFAULT_AUDIENCE, "vault"])),
        policies=policies,
        inline=inline,
        extra=draw(st.dictionaries(st.sampled_from(["note", "team"]), st.sampled_from(["1", "2"]))),
        labels=draw(st.dictionaries(st.sampled_from(["app", MANAGED_BY_LABEL]), st.sampled_from(["1", "2"]))),
        create_namespace=draw(st.sampled_from([True, True, False])),
        role_only=role_only,
        override=draw(flag),
        update_trust=attach and draw(flag),
        associate=draw(flag),
        gated=not role_only and draw(flag),
        **({"role": None} if attach else {}),
    )


@dataclass(frozen=True)
class Case:
    """A wish and the world it meets."""

    desired: DesiredState
    world: World


@st.composite
def cases(draw: st.DrawFn, *, clear: bool = False) -> Case:
    """A wish, and a world with some, all or none of it, perhaps (not with `clear`) something in its way."""
    desired_value = draw(desired_states())
    if clear:
        desired_value = replace(desired_value, create_namespace=True)
    world = World(
        providers={"arn:other": provider_for("x")},
        namespaces={"other"},
        roles={"stranger": Role(role_for(desired_value, tags={}), {"arn:x"}, {"x": DOCUMENT})},
        accounts={("other", "reader"): Account({"a": "b"}, {"c": "d"}, "other-uid")},
    )
    usable: list[tuple[str, ...] | None] = [(desired_value.audience,), (desired_value.audience, "x")]
    others: list[tuple[str, ...] | None] = [None, ("x",), ()]
    audiences = draw(st.sampled_from(usable + (others if desired_value.associate or not clear else [])))
    if audiences is not None:
        world.providers[desired_value.identity.provider_arn] = provider_for(*audiences)
    if draw(st.sampled_from([True, True, False])):
        world.namespaces.add(desired_value.namespace)
        if draw(st.booleans()):
            account = draw(service_accounts(desired_value, clear=clear))
            world.accounts[desired_value.namespace, desired_value.name] = account
    if desired_value.role is not None and draw(st.booleans()):
        world.roles[desired_value.role_name] = draw(own_roles(desired_value, clear=clear))
    elif desired_value.role is None and (clear or draw(st.booleans())):
        world.roles[desired_value.role_name] = draw(attached_roles(desired_value, clear=clear))
    return Case(desired_value, world)


@st.composite
def service_accounts(draw: st.DrawFn, desired_value: DesiredState, *, clear: bool) -> Account:
    """A ServiceAccount with some of the wished annotations, and perhaps others, also in the way."""
    annotations = {
        key: value
        for key, value in desired_value.annotations.items()
        if value is not None and draw(st.booleans())
    }
    labels = {
        key: value for key, value in desired_value.labels.items() if value is not None and draw(st.booleans())
    }
    if desired_value.override or not clear:
        obstacles = st.sampled_from([{}, {}, {ROLE_ARN_ANNOTATION: STRANGER}, {AUDIENCE_ANNOTATION: "old"}])
        annotations |= draw(obstacles)
    helm = draw(st.sampled_from([{}, {MANAGED_BY_LABEL: "Helm"}]))
    if clear and not desired_value.override and MANAGED_BY_LABEL in desired_value.labels:
        helm = {}
    theirs = {"meta.helm.sh/release-name": "chart"}
    return Account({**annotations, **theirs}, {**helm, **labels, "chart": "x"}, "their-uid")


@st.composite
def own_roles(draw: st.DrawFn, desired_value: DesiredState, *, clear: bool) -> Role:
    """The wished role with some of its policies; now and then with a difference."""
    assert desired_value.role is not None
    tags = {**desired_value.role.tags, TRANSACTION_TAG: "earlier"}
    attached = {arn for arn in desired_value.policies if draw(st.booleans())}
    inline = {name: document for name, document in desired_value.inline.items() if draw(st.booleans())}
    if draw(st.booleans()):
        tags[COMMIT_TAG] = PENDING
    role = Role(replace(desired_value.role, tags=tags), attached, inline)
    if not clear and draw(st.booleans()):
        different: list[dict[str, Any]] = [
            {"description": "theirs"},
            {"path": "/"},
            {"max_session_duration": 7200},
            {"permissions_boundary": POLICIES[0]},
            {"trust": trust_of(replace(desired_value.identity, subject="other"))},
            {"tags": {}},
            {"tags": {**tags, "team": "b"}},
        ]
        role.state = replace(role.state, **draw(st.sampled_from([{}, *different])))
        role.attached |= draw(st.sampled_from([set(), {"arn:extra"}]))
        role.inline |= draw(st.sampled_from([{}, {"extra": DOCUMENT}, dict.fromkeys(inline, OTHER_DOCUMENT)]))
    return role


@st.composite
def attached_roles(draw: st.DrawFn, desired_value: DesiredState, *, clear: bool) -> Role:
    """A role of somebody else's that admits this ServiceAccount, or another, or has a Deny."""
    ours = trust_policy.statement(desired_value.identity)
    theirs = trust_policy.statement(replace(desired_value.identity, subject="system:serviceaccount:a:b"))
    deny = {**ours, "Effect": "Deny", "Condition": {}}
    possible = [[ours], [theirs, ours], [theirs], []]
    if clear:
        possible = possible if desired_value.update_trust else possible[:2]
    else:
        possible += [[ours, deny], [deny]]
    trusted = {"Version": "2012-10-17", "Statement": draw(st.sampled_from(possible))}
    return Role(RoleState(path="/", trust=trusted, tags={"x": "y"}), {"arn:theirs"}, {"theirs": DOCUMENT})
