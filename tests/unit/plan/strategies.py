"""What the properties are tried on: valid names, ARNs, documents, states and changes.

No test lives here. Every strategy makes values that IAM or Kubernetes would take, unless it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    AssociationState,
    BoundaryState,
    CommitState,
    ConfigMapState,
    DocumentState,
    NamespaceState,
    OwnerState,
    Present,
    ProviderState,
    RestartState,
    RoleState,
    ServiceAccountState,
    SettingsState,
    State,
    TagsState,
)
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.values.arn import provider_arn

ALNUM = "abcdefghijklmnopqrstuvwxyz0123456789"

partitions = st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"])
accounts = st.text("0123456789", min_size=12, max_size=12)
regions = st.sampled_from(["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
long_labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
subdomains = st.lists(labels, min_size=1, max_size=4).map(".".join)
cluster_names = st.from_regex(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", fullmatch=True)
role_names = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,64}", fullmatch=True)
paths = st.sampled_from(["/", "/irsa/demo/", "/a/b/c/"])
issuers = st.builds(
    "https://oidc.eks.{}.amazonaws.com/id/{}".format,
    regions,
    st.text("0123456789ABCDEF", min_size=32, max_size=32),
)
audiences = st.sampled_from(["sts.amazonaws.com", "vault", "https://example.com"])
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
json_scalars = st.one_of(texts, st.booleans(), st.integers(-(10**6), 10**6))

cluster_arns = st.builds("arn:{}:eks:{}:{}:cluster/{}".format, partitions, regions, accounts, cluster_names)


@st.composite
def identities(draw: st.DrawFn) -> WebIdentity:
    """The token of some ServiceAccount of some cluster."""
    issuer = draw(issuers)
    return WebIdentity(
        provider_arn(draw(partitions), draw(accounts), issuer),
        issuer,
        f"system:serviceaccount:{draw(labels)}:{draw(subdomains)}",
        draw(audiences),
    )


def one_or_many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, or a list of some: IAM takes either."""
    return values | st.lists(values, min_size=1, max_size=3, unique_by=repr)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """A statement of a permissions policy."""
    actions = st.sampled_from(["s3:GetObject", "s3:*", "sqs:SendMessage", "*"])
    resources = st.sampled_from(["*", "arn:aws:s3:::a", "arn:aws:s3:::a/*"])
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        "Action": draw(one_or_many(actions)),
        "Resource": draw(one_or_many(resources)),
    }
    if draw(st.booleans()):
        statement["Sid"] = draw(st.text(ALNUM, min_size=1, max_size=8))
    if draw(st.booleans()):
        keys = st.sampled_from(["aws:RequestedRegion", "aws:SecureTransport", "s3:prefix"])
        values = one_or_many(texts | st.booleans())
        operators = st.sampled_from(["StringEquals", "StringLike", "Bool"])
        statement["Condition"] = draw(
            st.dictionaries(
                operators, st.dictionaries(keys, values, min_size=1, max_size=2), min_size=1, max_size=2
            )
        )
    return statement


documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"Version": st.sampled_from(["2012-10-17", "2008-10-17"]), "Statement": one_or_many(statements())},
    optional={"Id": st.text(ALNUM, min_size=1, max_size=8)},
)

string_maps = st.dictionaries(st.text(ALNUM, min_size=1, max_size=6), st.text(ALNUM, max_size=6), max_size=3)
# Keys in upper and lower case, of which no two are one to IAM.
tags = st.dictionaries(
    st.text("abAB1", min_size=1, max_size=3), st.text(ALNUM, max_size=6), max_size=3
).filter(lambda pairs: len({key.lower() for key in pairs}) == len(pairs))
nullable_maps: st.SearchStrategy[dict[str, str | None]] = st.dictionaries(
    st.text(ALNUM, min_size=1, max_size=6), st.none() | st.text(ALNUM, max_size=6), max_size=3
)

STATES_OF_ROLES = st.builds(
    RoleState,
    path=paths,
    trust=documents,
    description=texts,
    max_session_duration=st.integers(3600, 43200),
    permissions_boundary=st.sampled_from(["", "arn:aws:iam::111122223333:policy/b"]),
    tags=tags,
)

STATES: dict[Kind, st.SearchStrategy[State]] = {
    Kind.PROVIDER: st.builds(
        ProviderState,
        url=issuers,
        audiences=st.lists(audiences, unique=True),
        thumbprints=st.lists(st.text("0123456789abcdef", min_size=40, max_size=40), max_size=2),
        tags=string_maps,
    ),
    Kind.AUDIENCE: st.just(Present()),
    Kind.NAMESPACE: st.builds(NamespaceState, labels=string_maps),
    Kind.ROLE: STATES_OF_ROLES,
    Kind.ATTACHMENT: st.just(Present()),
    Kind.INLINE_POLICY: st.builds(DocumentState, document=documents),
    Kind.TRUST_STATEMENT: st.builds(DocumentState, document=statements()),
    Kind.TARGET_TRUST: st.builds(DocumentState, document=statements()),
    Kind.CONFIG_MAP: st.builds(
        ConfigMapState, data=string_maps, service_account=texts, transaction=st.text(ALNUM, max_size=8)
    ),
    Kind.ASSOCIATION: st.builds(
        AssociationState,
        role_arn=texts,
        target_role_arn=texts,
        session_policy=statements(),
        without_session_tags=st.booleans(),
        tags=string_maps,
        association_id=st.text(ALNUM, max_size=8),
    ),
    Kind.RESTART: st.builds(
        RestartState, way=st.sampled_from(["irsa", "pod-identity"]), workloads=st.lists(texts, max_size=2)
    ),
    Kind.ROLE_OWNER: st.builds(OwnerState, transaction=st.text(ALNUM, max_size=8)),
    Kind.ROLE_SETTINGS: st.builds(
        SettingsState, description=texts, max_session_duration=st.integers(3600, 43200)
    ),
    Kind.BOUNDARY: st.builds(BoundaryState, arn=st.sampled_from(["arn:aws:iam::aws:policy/A", "b"])),
    Kind.ROLE_TAGS: st.builds(TagsState, values=nullable_maps),
    Kind.TRUST_POLICY: st.builds(DocumentState, document=documents),
    Kind.ROLE_COMMIT: st.builds(CommitState, value=st.sampled_from(["pending", "done"])),
    Kind.SERVICE_ACCOUNT: st.builds(
        ServiceAccountState,
        annotations=nullable_maps,
        labels=nullable_maps,
        uid=texts,
        resource_version=texts,
    ),
}


@st.composite
def changes(draw: st.DrawFn, kinds: Sequence[Kind] = tuple(Kind)) -> Change:
    """A change of any kind whose two states differ."""
    kind = draw(st.sampled_from(kinds))
    names = len(kind.traits.target)
    target = draw(st.lists(st.text(ALNUM, min_size=1, max_size=5), min_size=names, max_size=names).map(tuple))
    before, after = draw(STATES[kind]), draw(STATES[kind])
    pairs: list[tuple[State | None, State | None]] = [(None, after), (before, None), (before, after)]
    return Change(kind, target, *draw(st.sampled_from(pairs if before != after else pairs[:2])))


LIGHT = (Kind.NAMESPACE, Kind.ATTACHMENT, Kind.SERVICE_ACCOUNT)
"""Kinds that are made quickly, and that are created, updated and deleted."""


def plans(kinds: Sequence[Kind] = LIGHT, max_stages: int = 3) -> st.SearchStrategy[Plan]:
    """A plan in which each object is changed once."""
    stage = st.lists(changes(kinds), min_size=1, max_size=3)
    stages = st.lists(stage, min_size=1, max_size=max_stages)
    return stages.map(_distinct).filter(lambda plan: len(plan) > 0)


def _distinct(stages: list[list[Change]]) -> Plan:
    seen: set[tuple[Kind, tuple[str, ...]]] = set()
    kept: list[list[Change]] = []
    for stage in stages:
        kept.append([])
        for change in stage:
            key = (change.kind, change.target)
            if key not in seen:
                kept[-1].append(change)
            seen.add(key)
    return Plan.of(*kept)
