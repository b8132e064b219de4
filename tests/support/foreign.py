"""A world of objects that are not the business of the run under test, and whether each is still as it was.

Roles, statements, providers and policies in IAM, namespaces and ServiceAccounts in Kubernetes: of Terraform,
eksctl, Helm, Argo CD, Crossplane, ACK, a hand, GitHub, another cluster of the same name, and another team
that uses irsa. Most are near-misses: each looks like irsa's in one respect. `stage.world()` leaves them out;
they are compared here with all that was stored of them, down to dates and resourceVersions. When a role was
used last is left out: STS writes that.

They are made and read past all logs, faults and lags. What a run does to its own objects is not judged here.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

from irsa_cli.sandbox import RoleSpec, Sandbox
from irsa_cli.sandbox.kube.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from irsa_cli.sandbox.kube.store import Store
from tests.support.kubeclient import KubeClient

Json = dict[str, Any]
Piece = tuple[str, str]
"""Kind and name."""

ROLE_ARN = "eks.amazonaws.com/role-arn"
MANAGED_BY = "app.kubernetes.io/managed-by"
RUN = "20260301T101500000Z-5ca1ab1e"
"""The run of irsa's that made another team's binding, long ago."""
READ_ONLY = "policy/AmazonS3ReadOnlyAccess"
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
OTHER_REGION = "us-west-2"
ELSEWHERE = "oidc.eks.us-west-2.amazonaws.com/id/" + "0DDBA11" * 4 + "0000"
"""The issuer of a cluster of the same name in another region."""
GITHUB = "token.actions.githubusercontent.com"
STANDING = ("theirs-helm", "theirs-argo", "theirs-hand", "theirs-empty", "theirs-team")
"""Namespaces of the foreign world, the same on every stage."""
GUESTS = ("theirs-chart", "theirs-gitops", "theirs-bare")
"""ServiceAccounts of others in the very namespace that a run is about."""
AWS_NODE = "kube-system/aws-node"


class Cluster(Protocol):
    """Kubernetes as the administrator sees it, with nothing in between."""

    def create(self, kind: str, namespace: str, body: Json) -> None:
        """Make an object, unless it is there."""

    def read(self, kind: str) -> list[Json]:
        """All objects of a kind, whole."""


class OwnCluster:
    """The sandbox's Kubernetes API, by its memory."""

    _KINDS: ClassVar = {
        "namespaces": NAMESPACES,
        "serviceaccounts": SERVICE_ACCOUNTS,
        "configmaps": CONFIG_MAPS,
    }

    def __init__(self, sandbox: Sandbox, arn: str) -> None:
        self._store: Store = sandbox._own[arn].api._store

    def create(self, kind: str, namespace: str, body: Json) -> None:
        """See `Cluster`; the sandbox is as new for each test."""
        self._store.create(self._KINDS[kind], namespace, body)

    def read(self, kind: str) -> list[Json]:
        """See `Cluster`."""
        return self._store.list(self._KINDS[kind])[1]


class RealCluster:
    """A real API server. What stands there already is kept: it is made once for all tests."""

    def __init__(self, admin: KubeClient) -> None:
        self._admin = admin

    def create(self, kind: str, namespace: str, body: Json) -> None:
        """See `Cluster`."""
        place = f"namespaces/{namespace}/{kind}" if namespace else kind
        answer = self._admin.create(f"/api/v1/{place}", body)
        assert answer.status in (201, 409), answer.text

    def read(self, kind: str) -> list[Json]:
        """See `Cluster`."""
        found: list[Json] = self._admin.get(f"/api/v1/{kind}").body["items"]
        return found


@dataclass
class Foreign:
    """The foreign world beside one stage, made at once; `trusting`: roles of others trust its provider."""

    sandbox: Sandbox
    arn: str
    issuer: str
    kube: Cluster
    trusting: bool = True
    _namespaces: set[str] = field(default_factory=lambda: set(STANDING))
    _guests: set[str] = field(default_factory=lambda: {AWS_NODE})
    _before: dict[Piece, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._make_iam()
        self._make_kubernetes()
        self._before = self._pieces()

    def move_in(self, namespace: str) -> None:
        """Put ServiceAccounts of others into a namespace that a run will be about."""
        helm = {MANAGED_BY: "Helm", "helm.sh/chart": "reports-1.4.2"}
        release = {"meta.helm.sh/release-name": "reports", "meta.helm.sh/release-namespace": namespace}
        argo = {"argocd.argoproj.io/tracking-id": f"web:/ServiceAccount:{namespace}/{GUESTS[1]}"}
        annotations = {
            GUESTS[0]: {**release, ROLE_ARN: self._role_arn("theirs-tf-exact")},
            GUESTS[1]: {**argo, ROLE_ARN: self._role_arn("theirs-tf-shared"), **_OPTIONS},
            GUESTS[2]: {},
        }
        for name, marks in annotations.items():
            labels = helm if name == GUESTS[0] else {}
            self._account(namespace, name, labels, marks)
            self._guests.add(f"{namespace}/{name}")
        self._before |= {
            key: value for key, value in self._pieces().items() if key[1].startswith(f"{namespace}/")
        }

    def harmed(self) -> list[Piece]:
        """The foreign objects that are not as they were made, also those that are new among them."""
        there = self._pieces()
        keys = there.keys() | self._before.keys()
        return sorted(key for key in keys if there.get(key) != self._before.get(key))

    def is_standing(self) -> bool:
        """Whether what is the same on every stage is in Kubernetes as it was made."""
        before, there = self._before, self._kube_pieces()
        return all(there.get(key) == before.get(key) for key in {*before, *there} if _stands(key))

    def without_iam(self, world: Json) -> Json:
        """An account's world without what is foreign."""
        return {
            **world,
            "roles": {name: role for name, role in world["roles"].items() if name not in self._roles},
            "policies": {arn: policy for arn, policy in world["policies"].items() if arn != self._policy},
            "oidc_providers": {
                arn: provider
                for arn, provider in world["oidc_providers"].items()
                if arn not in self._provider_arns
            },
        }

    def without_kubernetes(self, world: Json) -> Json:
        """A cluster's world without what is foreign."""
        namespaces, accounts = world["namespaces"].items(), world["serviceaccounts"].items()
        return {
            **world,
            "namespaces": {name: state for name, state in namespaces if name not in self._namespaces},
            "serviceaccounts": {name: state for name, state in accounts if not self._is_foreign(name)},
        }

    # What there is.

    @cached_property
    def _roles(self) -> dict[str, RoleSpec]:
        return {spec.name: spec for spec in self._specs()}

    def _specs(self) -> Iterator[RoleSpec]:
        here, policies = self._provider(self.issuer if self.trusting else ELSEWHERE), (self._aws(READ_ONLY),)
        app, terraform = _subject("apps", "app"), {"ManagedBy": "Terraform", "Env": "prod"}
        own, home = {"irsa/cluster": self.arn}, f"/irsa/{self._name}/"
        other = self.arn.replace(self._region, OTHER_REGION)
        # In exactly the form that irsa writes, for the ServiceAccount that the runs are about.
        yield RoleSpec("theirs-tf-exact", _trust(_statement(here, app)), "/", terraform, policies)
        shared = _statement(here, [app, _subject("apps", "web"), _subject("theirs-helm", "reports")])
        yield RoleSpec("theirs-tf-shared", _trust(_EC2, shared), "/platform/", terraform, policies)
        # In irsa's path, with no mark; and with the marks of a cluster of the same name.
        yield RoleSpec("theirs-hand-in-path", _trust(_statement(here, app)), home, {}, policies)
        for region, arn, provider in (("far", other, self._provider(ELSEWHERE)), ("near", self.arn, here)):
            place = ("apps", "app") if region == "far" else ("theirs-team", "api")
            marks = {"irsa/cluster": arn, "irsa/service-account": "/".join(place), "irsa/transaction": RUN}
            trust = _trust(_statement(provider, _subject(*place)))
            yield RoleSpec(_name_of(arn, *place), trust, home, {**marks, "team": "b"}, policies)
        # Half of irsa's tags, copied by somebody from a role that he liked.
        yield RoleSpec("theirs-half-tagged", _trust(_statement(here, app)), "/", own, ())
        yield RoleSpec("theirs-eksctl-Role1-1JQ2X", _trust(_eksctl(here)), "/", self._eksctl_tags(), policies)
        web = _subject("theirs-argo", "web")
        crossplane = {
            "crossplane-kind": "role.iam.aws.upbound.io",
            "crossplane-name": "web",
            "crossplane-providerconfig": "default",
        }
        yield RoleSpec("theirs-crossplane", _trust(_statement(here, web)), "/", crossplane, policies)
        ack = {
            "services.k8s.aws/controller-version": "iam-v1.4.3",
            "services.k8s.aws/namespace": "theirs-hand",
        }
        yield RoleSpec(
            "theirs-ack", _trust(_statement(here, _subject("theirs-hand", "job"))), "/", ack, policies
        )
        yield RoleSpec("theirs-hand", _trust(_EC2), "/", {}, policies)
        github = {
            "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{GITHUB}:sub": "repo:theirs/*"},
        }
        deploy = {**_statement(self._provider(GITHUB), ""), "Condition": github}
        yield RoleSpec("theirs-github-deploy", _trust(deploy), "/", {}, policies)

    def _make_iam(self) -> None:
        """As the owners of these did, long ago: nothing of it lags."""
        with self._cloud.lock:
            for spec in self._roles.values():
                self._cloud.put_role(self._account_id, self._partition, spec)
            iam = self._iam
            policy = iam.create_policy("", "/theirs/", json.dumps(DOCUMENT), "theirs-boundary", [])
            assert policy.arn == self._policy
            for name in ("theirs-hand", "theirs-tf-exact", _name_of(self.arn, "theirs-team", "api")):
                role = self._by_name(iam)[name]
                role.put_policy("queue", json.dumps(DOCUMENT, indent=1))
                role.permissions_boundary_arn = policy.arn
                role.description = "Do not touch: ask ops"
            for url in (GITHUB, ELSEWHERE):
                tags = [{"Key": "ManagedBy", "Value": "Terraform"}] if url == GITHUB else []
                iam.create_open_id_connect_provider(
                    f"https://{url}", [], ["sts.amazonaws.com", "theirs"], tags
                )

    def _make_kubernetes(self) -> None:
        run, ours = {"irsa/transaction": RUN}, {MANAGED_BY: "irsa"}
        for name in STANDING:
            team = name == "theirs-team"
            body = {"name": name, "labels": ours if team else {}, "annotations": run if team else {}}
            self.kube.create("namespaces", "", {"metadata": body})
        helm = {MANAGED_BY: "Helm"}
        release = {"meta.helm.sh/release-name": "reports", "meta.helm.sh/release-namespace": "theirs-helm"}
        reports = {**release, ROLE_ARN: self._role_arn("theirs-tf-shared")}
        self._account("theirs-helm", "reports", helm, reports)
        track = {"argocd.argoproj.io/tracking-id": "web:/ServiceAccount:theirs-argo/web"}
        web = {**track, ROLE_ARN: self._role_arn("theirs-crossplane")}
        self._account("theirs-argo", "web", {}, web)
        job = {ROLE_ARN: self._role_arn("theirs-ack"), **_OPTIONS}
        self._account("theirs-hand", "job", {}, job)
        self._account("theirs-hand", "dead", {}, {ROLE_ARN: self._role_arn("theirs-nobody")})
        notes = {"metadata": {"name": "notes"}, "data": {"who": "a hand"}}
        self.kube.create("configmaps", "theirs-hand", notes)
        arn = self._role_arn(_name_of(self.arn, "theirs-team", "api"))
        self._account("theirs-team", "api", ours, {**run, ROLE_ARN: arn, "irsa/role-arn": arn})
        node = {ROLE_ARN: self._role_arn("theirs-eksctl-Role1-1JQ2X")}
        self._account("kube-system", "aws-node", {MANAGED_BY: "eksctl"}, node)

    def _account(
        self, namespace: str, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]
    ) -> None:
        metadata = {"name": name, "labels": dict(labels), "annotations": dict(annotations)}
        self.kube.create("serviceaccounts", namespace, {"metadata": metadata})

    # What is stored of it.

    def _pieces(self) -> dict[Piece, Any]:
        return {**self._iam_pieces(), **self._kube_pieces()}

    def _iam_pieces(self) -> dict[Piece, Any]:
        found: dict[Piece, Any] = {}
        with self._cloud.lock:
            iam = self._iam
            for name, role in self._by_name(iam).items():
                if name in self._roles:
                    found["Role", name] = _role_as_stored(role)
            for arn in self._provider_arns & iam.open_id_providers.keys():
                found["OIDCProvider", arn] = _as_stored(iam.open_id_providers[arn])
            if self._policy in iam.managed_policies:
                found["Policy", self._policy] = _as_stored(iam.managed_policies[self._policy])
        return found

    def _kube_pieces(self) -> dict[Piece, Any]:
        found: dict[Piece, Any] = {}
        for item in self.kube.read("namespaces"):
            if item["metadata"]["name"] in self._namespaces:
                found["Namespace", item["metadata"]["name"]] = item
        for item in self.kube.read("serviceaccounts"):
            if self._is_foreign(_full_name(item)):
                found["ServiceAccount", _full_name(item)] = item
        for item in self.kube.read("configmaps"):
            if item["metadata"]["namespace"] in self._namespaces:
                found["ConfigMap", _full_name(item)] = item
        return found

    def _is_foreign(self, full_name: str) -> bool:
        return full_name in self._guests or full_name.partition("/")[0] in self._namespaces

    @property
    def _cloud(self) -> Any:
        return self.sandbox._front.cloud

    @property
    def _iam(self) -> Any:
        return self._cloud.iam(self._account_id, self._partition)

    @staticmethod
    def _by_name(iam: Any) -> dict[str, Any]:
        return {role.name: role for role in iam.roles.values()}

    # Names.

    @property
    def _partition(self) -> str:
        return self.arn.split(":")[1]

    @property
    def _region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def _account_id(self) -> str:
        return self.arn.split(":")[4]

    @property
    def _name(self) -> str:
        return self.arn.rpartition("/")[2]

    def _aws(self, resource: str) -> str:
        return f"arn:{self._partition}:iam::aws:{resource}"

    def _provider(self, url: str) -> str:
        return f"arn:{self._partition}:iam::{self._account_id}:oidc-provider/{url.removeprefix('https://')}"

    def _role_arn(self, name: str) -> str:
        path = self._roles[name].path if name in self._roles else "/"
        return f"arn:{self._partition}:iam::{self._account_id}:role{path}{name}"

    @property
    def _policy(self) -> str:
        return f"arn:{self._partition}:iam::{self._account_id}:policy/theirs/theirs-boundary"

    @property
    def _provider_arns(self) -> set[str]:
        return {self._provider(GITHUB), self._provider(ELSEWHERE)}

    def _eksctl_tags(self) -> dict[str, str]:
        stack = f"eksctl-{self._name}-addon-iamserviceaccount-kube-system-aws-node"
        return {
            "alpha.eksctl.io/cluster-name": self._name,
            "alpha.eksctl.io/iamserviceaccount-name": AWS_NODE,
            "aws:cloudformation:stack-name": stack,
            "aws:cloudformation:logical-id": "Role1",
        }


_EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
_OPTIONS = {
    "eks.amazonaws.com/audience": "sts.amazonaws.com",
    "eks.amazonaws.com/sts-regional-endpoints": "true",
    "eks.amazonaws.com/token-expiration": "3600",
}
"""The webhook's other annotations, as anybody may write them."""


def _stands(key: Piece) -> bool:
    kind, name = key
    of_kubernetes = kind in ("Namespace", "ServiceAccount", "ConfigMap")
    return of_kubernetes and (name == AWS_NODE or name.partition("/")[0] in STANDING)


def _subject(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def _statement(provider: str, subject: str | list[str]) -> Json:
    """A statement as irsa writes it."""
    issuer = provider.partition("oidc-provider/")[2]
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}},
    }


def _eksctl(provider: str) -> Json:
    """A statement as eksctl writes it: its action is a list."""
    whole = _statement(provider, _subject(*AWS_NODE.split("/")))
    return {**whole, "Action": [whole["Action"]]}


def _trust(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _name_of(arn: str, namespace: str, name: str) -> str:
    """A role's name as irsa gives it (docs/reference/names-and-tags.md)."""
    digest = hashlib.sha256("\0".join((arn, namespace, name)).encode()).hexdigest()[:8]
    return f"{arn.rpartition('/')[2]}-{namespace}-{name}"[:55] + f"-{digest}"


def _role_as_stored(role: Any) -> Json:
    return {
        "id": role.id,
        "arn": role.arn,
        "created": str(role.create_date),
        "trust": role.assume_role_policy_document,
        "description": role.description,
        "session": role.max_session_duration,
        "boundary": role.permissions_boundary_arn,
        "tags": _copy(role.tags),
        "attached": list(role.managed_policies),
        "inline": dict(role.policies),
    }


def _as_stored(thing: Any) -> Json:
    """All plain values that moto keeps of a provider or a policy."""
    plain = {key: value for key, value in vars(thing).items() if isinstance(value, str | int | list | dict)}
    return {**{key: _copy(value) for key, value in plain.items()}, "tags": _copy(thing.get_tags())}


def _copy(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _full_name(item: Json) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
