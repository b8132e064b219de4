"""A planted account for audits: risks by hand, among many roles in which nothing is unsafe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation, AuditedCluster, Estate
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.rbac.objects import RBAC_GROUP, rbac_objects

ACCOUNT, REGION = "111122223333", "eu-west-1"
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
STS = "sts.amazonaws.com"
VAULT = "https://vault.example.com"
SA = "system:serviceaccount:"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
READ_ALL = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
POLICIES: dict[str, Document] = {
    READ_ALL: {"Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]},
    ADMIN: {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    READ: {"Statement": [{"Effect": "Allow", "Action": ["sqs:Get*", "sqs:List*"], "Resource": "*"}]},
}


def issuer_of(name: str, region: str = REGION) -> str:
    """The issuer of a cluster, without `https://`."""
    return f"oidc.eks.{region}.amazonaws.com/id/{name.encode().hex().upper():0>32}"


def provider_of(name: str, region: str = REGION) -> str:
    """The ARN of its provider."""
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer_of(name, region)}"


def arn_of(name: str) -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def admits(
    cluster: str, subject: Any, *, operator: str = "StringEquals", audience: Any = STS, **more: Any
) -> Document:
    """A statement that admits a subject of a cluster; None for no test of subject or audience."""
    issuer = issuer_of(cluster)
    block: dict[str, dict[str, Any]] = {}
    if audience is not None:
        block["StringEquals"] = {f"{issuer}:aud": audience}
    if subject is not None:
        block[operator] = {**block.get(operator, {}), f"{issuer}:sub": subject}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider_of(cluster)},
        "Action": ACTION,
        **({"Condition": block} if block else {}),
        **more,
    }


def trust(*statements: Document) -> Document:
    """A trust policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(
    name: str,
    *statements: Document,
    attached: Collection[str] = (READ,),
    tags: Mapping[str, str] | None = None,
    boundary: str = "",
    **more: Any,
) -> Role:
    """A role that was used yesterday."""
    state = RoleState("/", trust(*statements), permissions_boundary=boundary, tags={**(tags or {})})
    known = {"created": NOW - timedelta(days=300), "last_used": NOW - timedelta(days=1)}
    return Role(arn_of(name), state, frozenset(attached), **{**known, **more})


def account(name: str, role_name: str = "", namespace: str = "prod", **more: Any) -> AuditedAccount:
    """A ServiceAccount."""
    return AuditedAccount(namespace, name, arn_of(role_name) if role_name else "", **more)


def cluster(name: str, *accounts: AuditedAccount, **more: Any) -> AuditedCluster:
    """A cluster of the account."""
    return AuditedCluster(
        name,
        f"https://{issuer_of(name)}",
        REGION,
        ACCOUNT,
        f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}",
        accounts,
        **more,
    )


def estate(
    roles: Any, clusters: Any, providers: Mapping[str, tuple[str, ...]] | None = None, **more: Any
) -> Estate:
    """An account, read as a whole."""
    found = tuple(clusters)
    known = {provider_of(item.name): (STS, VAULT) for item in found} if providers is None else providers
    settings = {"policies": POLICIES, "accounts": frozenset((ACCOUNT,)), "regions": frozenset((REGION,))}
    return Estate(tuple(roles), providers=known, clusters=found, now=NOW, **{**settings, **more})


PODS: Document = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "prod"}},
}


@dataclass(frozen=True)
class Planted:
    """A role that is unsafe: the rules that it breaks, with how bad that is."""

    role: Role
    breaks: tuple[tuple[str, str], ...]


def named(name: str) -> str:
    """The subject of that ServiceAccount."""
    return f"{SA}prod:{name}"


def planted() -> Iterator[Planted]:
    """The roles that are unsafe, each in its own way."""

    def plant(name: str, *statements: Document, breaks: str, **more: Any) -> Planted:
        pairs = tuple((rule, severity) for rule, _, severity in (t.partition("=") for t in breaks.split()))
        return Planted(role(name, *statements, **more), pairs)

    like = {"operator": "StringLike"}
    yield plant("w1", admits("shop-prod", None, audience=None), breaks="no-condition=high")
    yield plant("w2", admits("shop-prod", None), breaks="no-subject=high")
    yield plant(
        "w3",
        admits("shop-prod", None),
        breaks="administrator-role=high no-subject=critical",
        attached=(ADMIN,),
    )
    yield plant("w4", admits("shop-prod", f"{SA}*:*", **like), breaks="every-subject=high")
    yield plant("w5", admits("shop-prod", f"{SA}*:app", **like), breaks="every-namespace=high")
    yield plant("w6", admits("shop-prod", f"{SA}prod*", **like), breaks="pattern-crosses-colon=high")
    yield plant("w7", admits("shop-prod", f"{SA}prod*:app", **like), breaks="namespace-pattern=medium")
    yield plant("w8", admits("shop-prod", f"{SA}prod:*", **like), breaks="every-name=medium")
    yield plant("w9", admits("shop-prod", f"{SA}prod:a*", **like), breaks="name-pattern=low")
    yield plant(
        "w10", admits("shop-prod", f"{SA}prod:x", operator="StringNotEquals"), breaks="only-negative=high"
    )
    yield plant("w11", admits("shop-prod", f"{SA}prod:w11", audience=None), breaks="no-audience=low")
    yield plant("w12", admits("shop-prod", named("w12"), audience=[STS, VAULT]), breaks="extra-audience=low")
    yield plant("w35", admits("shop-prod", f"{SA}prod:w3?"), breaks="literal-wildcard=medium")
    yield plant(
        "w13",
        admits("shop-prod", f"{SA}prod:w13", operator="ForAllValues:StringEquals"),
        breaks="for-all-values=medium",
    )
    yield plant(
        "w14",
        admits("shop-prod", None)
        | {
            "Condition": {
                "StringEquals": {f"{issuer_of('shop-prod')}:aud": STS},
                "StringEqualsIfExists": {f"{issuer_of('shop-dev')}:sub": f"{SA}prod:w14"},
            }
        },
        breaks="no-subject=high wrong-issuer-key=high",
    )
    yield plant(
        "w15",
        admits("shop-prod", f"{SA}prod:w15"),
        admits("shop-prod", f"{SA}prod:*", **like),
        breaks="every-name=medium loose-beside-tight=medium",
    )
    yield plant("w16", admits("shop-prod", f"{SA}prod:w16", Action="sts:*"), breaks="all-sts-actions=low")
    yield plant("w17", admits("shop-prod", f"{SA}prod:default"), breaks="default-service-account=medium")
    yield plant(
        "w18",
        admits("shop-prod", f"{SA}prod:w18"),
        admits("shop-dev", f"{SA}prod:w18"),
        breaks="several-stages=medium",
    )
    yield plant(
        "w19",
        admits("shop-prod", named("w19")),
        admits("gone", named("w19")),
        breaks="provider-gone=low",
    )
    yield plant(
        "w20",
        admits("shop-prod", f"{SA}prod:w20"),
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        breaks="other-services=medium",
    )
    yield plant(
        "w21",
        {key: value for key, value in PODS.items() if key != "Condition"},
        breaks="pod-identity-no-condition=low",
    )
    yield plant(
        "w22", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}, breaks="everybody=high"
    )
    yield plant("w23", admits("dead", f"{SA}prod:w23"), breaks="dead-issuer=low")
    yield plant(
        "w24",
        admits("shop-prod", named("w24")),
        breaks="unused-role=low",
        last_used=NOW - timedelta(days=120),
    )
    yield plant("w25", admits("shop-prod", f"{SA}prod:nobody"), breaks="subject-gone=medium")
    yield plant("w26", admits("shop-prod", f"{SA}prod:silent"), breaks="admitted-not-annotated=medium")
    yield plant(
        "w27", admits("shop-dev", named("w27")), breaks="annotated-refused=medium subject-gone=medium"
    )
    yield plant(
        "w28",
        admits("shop-prod", None, audience=None),
        breaks="changed-since-irsa=medium no-condition=high",
        tags={
            "irsa/cluster": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop-prod",
            "irsa/service-account": "prod/w28",
            "irsa/spec-hash": "1",
            "irsa/commit": "done",
        },
    )
    yield plant(
        "w29",
        admits("shop-prod", f"{SA}prod:b*", **like),
        breaks="can-become-administrator=high name-pattern=medium",
        attached=(),
        inline={"p": {"Statement": {"Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*"}}},
    )
    yield plant(
        "w30",
        admits("shop-prod", f"{SA}prod:c*", **like),
        breaks="name-pattern=low",
        attached=(ADMIN,),
        boundary=READ,
    )
    yield plant(
        "w32", admits("shop-prod", f"{SA}prod:w32"), breaks="reads-all-data=note", attached=(READ_ALL,)
    )
    yield plant("w33", {**PODS, "Action": "sts:TagSession"}, breaks="association-refused=medium")
    yield plant("w31", admits("shop-prod", f"{SA}prod:w31"), breaks="shadowed-by-pod-identity=low")


BESIDE = (
    "annotation-no-role",
    "node-role-fallback",
    "provider-without-cluster",
    "role-gone",
    "everybody-may-become",
    "powerful-service-account",
)
"""What else is planted, and is about no role."""
ONLY_IN_FILES = ("annotation-misplaced", "annotation-placeholder", "service-account-missing")
"""What irsa lint alone finds."""
OPEN_TO_ALL: dict[str, list[dict[str, Any]]] = {
    "Role": [],
    "ClusterRole": [
        {
            "metadata": {"name": "runner"},
            "rules": [{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}],
        }
    ],
    "RoleBinding": [
        {
            "metadata": {"name": "everybody", "namespace": "prod"},
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "runner"},
            "subjects": [{"apiGroup": RBAC_GROUP, "kind": "Group", "name": "system:authenticated"}],
        }
    ],
    "ClusterRoleBinding": [],
}
"""RBAC of shop-dev: whoever the cluster knows may make pods in the namespace prod."""
FOR_DEVELOPERS = {
    **OPEN_TO_ALL,
    "RoleBinding": [
        {**item, "subjects": [{"apiGroup": RBAC_GROUP, "kind": "Group", "name": "developers"}]}
        for item in OPEN_TO_ALL["RoleBinding"]
    ],
}
"""RBAC of shop-prod: developers may make them there, where w3 admits every ServiceAccount."""
NO_ROLE = f"arn:aws:iam::{ACCOUNT}:user/w1"
DECLARED = ("w11", "w12", "w13", "w15", "w16", "w18", "w19", "w20", "w24", "w27", "w28", "w31", "w32")


def account_with_risks(tight: int = 100) -> Estate:
    """The planted account, with that many roles beside in which nothing is unsafe."""
    accounts = [account(name, name) for name in DECLARED]
    accounts += [
        account("default", "w17"),
        account("silent"),
        account("lost", "no-such-role"),
        account("by-association"),
        AuditedAccount("prod", "misspelt", NO_ROLE),
    ]
    good = [f"tight{number}" for number in range(tight)]
    roles = [role(name, admits("shop-prod", f"{SA}ok:{name}")) for name in good]
    accounts += [account(name, name, "ok") for name in good]
    roles += [item.role for item in planted()]
    roles += [role("other", PODS), role("w21-free", PODS)]
    associations = (
        AuditedAssociation("prod", "w31", "a-1", arn_of("other")),
        AuditedAssociation("prod", "by-association", "a-2", arn_of("w21-free")),
        AuditedAssociation("prod", "w33", "a-3", arn_of("w33")),
    )
    production = cluster(
        "shop-prod",
        *accounts,
        associations=associations,
        rbac=rbac_objects(FOR_DEVELOPERS),
        pods={"prod/silent": 2, "prod/w18": 1, "kube-system/x": 9, "prod/by-association": 1},
    )
    development = cluster("shop-dev", account("w18", "w18"), rbac=rbac_objects(OPEN_TO_ALL))
    third = cluster("tools")
    found = estate(roles, (production, development, third))
    dead = {provider_of("dead"): (STS,)}
    return replace(found, providers={**(found.providers or {}), **dead})
