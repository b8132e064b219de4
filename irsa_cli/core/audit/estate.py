"""The values that an audit reads: roles, policies, providers, clusters. `Unreadable` marks unread parts.

They also come from the JSON output of `aws` and `kubectl`; ignored entries are reported.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from irsa_cli.core.binding.role_only import HandOver, hand_over
from irsa_cli.core.inventory.bindings import policy_details, role_details, text_of
from irsa_cli.core.objects import kinds, service_accounts
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ROLE_MARK
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.rbac.objects import RbacObjects
from irsa_cli.core.rbac.principals import NOT_GIVEN, RBAC_KEYS, ClusterAccess, RbacFiles
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, check_issuer, check_role, host_path, issuer_of
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.names import Namespaced
from irsa_cli.core.values.shown import plural


@dataclass(frozen=True)
class AuditedAccount(Namespaced):
    """A ServiceAccount with its annotated role ('' for none) and the audience of its token.

    `lost_role`: the role of irsa's mark, if the annotation has it no more. Of all clusters of an account, no
    more of it is kept.
    """

    namespace: str
    name: str
    role_arn: str = ""
    audience: str = DEFAULT_AUDIENCE
    lost_role: str = ""

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations about roles, as far as they are kept."""
        annotations = {ROLE_ARN_ANNOTATION: self.role_arn, ROLE_MARK: self.lost_role}
        return {key: value for key, value in annotations.items() if value}

    @property
    def subject(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @classmethod
    def read(cls, body: kinds.Json) -> AuditedAccount:
        """Read Kubernetes' JSON; raise TypeError and similar errors for an invalid object."""
        account = service_accounts.service_account(body)
        if not all(isinstance(text, str) for text in account.annotations.values()):
            raise TypeError
        audience = Injection.read(account.annotations).audience
        marked = account.annotations.get(ROLE_MARK, "")
        lost_role = "" if marked == account.role_arn else marked
        return cls(account.namespace, account.name, account.role_arn, audience, lost_role)


def living_pods(bodies: Iterable[kinds.Json]) -> dict[str, int]:
    """Count the living pods of each ServiceAccount (namespace/name) in Kubernetes' JSON."""
    pods = map(kinds.pod, bodies)
    return dict(Counter(f"{pod.namespace}/{pod.service_account}" for pod in pods if pod.is_alive))


def pod_security(body: kinds.Json) -> tuple[str, str]:
    """Read a namespace's name and enforced Pod Security level ('': the default)."""
    labels = body["metadata"].get("labels") or {}
    return str(body["metadata"]["name"]), str(labels.get("pod-security.kubernetes.io/enforce", ""))


@dataclass(frozen=True)
class AuditedAssociation(Namespaced):
    """An EKS Pod Identity association; its role assumes `target`. ARNs are '' if unknown."""

    namespace: str
    name: str
    id: str = ""
    role_arn: str = ""
    target: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> AuditedAssociation:
        """Read EKS's JSON, described or listed (without roles)."""
        namespace = text_of(item["namespace"])
        name = text_of(item["serviceAccount"])
        role = text_of(item.get("roleArn") or "")
        target = text_of(item.get("targetRoleArn") or "")
        return cls(namespace, name, str(item.get("associationId", "")), role, target)


@dataclass(frozen=True)
class AuditedCluster:
    """A cluster as far as it was read: pods by ServiceAccount, Pod Security levels by namespace.

    `version` is that of Kubernetes (`1.33`), '' if unknown.
    """

    name: str
    issuer: str = ""
    region: str = ""
    account: str = ""
    arn: str = ""
    accounts: tuple[AuditedAccount, ...] | Unreadable = ()
    pods: Mapping[str, int] | Unreadable = field(default_factory=dict)
    associations: tuple[AuditedAssociation, ...] | Unreadable = ()
    rbac: RbacObjects = field(default_factory=RbacObjects)
    levels: Mapping[str, str] | Unreadable = field(default_factory=dict)
    access: ClusterAccess = field(default_factory=ClusterAccess)
    version: str = ""

    @cached_property
    def host_path(self) -> str:
        """The issuer without `https://`."""
        return host_path(self.issuer)

    @property
    def known_accounts(self) -> tuple[AuditedAccount, ...]:
        """The ServiceAccounts; none if they were not read."""
        return () if isinstance(self.accounts, Unreadable) else self.accounts

    @property
    def known_associations(self) -> tuple[AuditedAssociation, ...]:
        """The EKS Pod Identity associations; none if they were not read."""
        return () if isinstance(self.associations, Unreadable) else self.associations

    @property
    def annotated(self) -> tuple[AuditedAccount, ...]:
        """The ServiceAccounts with a role; none if they were not read."""
        return tuple(account for account in self.known_accounts if account.role_arn)

    @cached_property
    def _annotations(self) -> Mapping[str, Mapping[str, str]]:
        return {account.full_name: account.annotations for account in self.known_accounts}

    def waits_for_git(self, role: Role, account: str) -> bool:
        """Whether a role-only role lacks only the annotation of a ServiceAccount (namespace/name)."""
        if not self.arn or role.owner != self.arn or isinstance(self.accounts, Unreadable):
            return False
        return hand_over(role, self._annotations.get(account, {})) is HandOver.WAITS


@dataclass(frozen=True)
class Estate:
    """Everything that was read. `policies` are the known documents of managed policies by ARN.

    `providers` has the audiences of each OIDC provider by ARN; None means not read. `accounts` are the AWS
    accounts whose roles were read, `regions` those with all clusters known. `unread` lists the gaps.
    """

    roles: tuple[Role, ...] = ()
    policies: Mapping[str, Document] = field(default_factory=dict)
    providers: Mapping[str, tuple[str, ...] | None] | None = None
    clusters: tuple[AuditedCluster, ...] = ()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    now: datetime | None = None
    caller: str = ""

    @cached_property
    def by_issuer(self) -> Mapping[str, AuditedCluster]:
        """The clusters by issuer without `https://`."""
        return {cluster.host_path: cluster for cluster in self.clusters if cluster.issuer}

    @cached_property
    def roles_by_arn(self) -> Mapping[str, Role]:
        return {role.arn: role for role in self.roles}

    def cluster_of(self, provider: str) -> AuditedCluster | None:
        return self.by_issuer.get(provider.partition("oidc-provider/")[2])


T = TypeVar("T")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class AuditFile:
    """A file: its name, the folder named after its cluster ('' for none), and its text."""

    source: str
    folder: str
    text: str


@dataclass
class _Cluster:
    name: str = ""
    described: Json = field(default_factory=dict)
    associations: list[Json] | None = None
    rbac: RbacFiles = field(default_factory=RbacFiles)


@dataclass
class _Gathered:
    roles: list[tuple[str, Any]] = field(default_factory=list)
    has_roles: bool = False
    policies: list[tuple[str, Any]] = field(default_factory=list)
    provider_arns: set[str] | None = None
    audiences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: dict[str, _Cluster] = field(default_factory=dict)
    listed: list[str] | None = None
    unread: list[str] = field(default_factory=list)

    @property
    def providers(self) -> dict[str, tuple[str, ...] | None] | None:
        """The audiences of each OIDC provider (None: not given) by ARN; None if no file lists them."""
        if self.provider_arns is None:
            return None
        return {arn: self.audiences.get(issuer_of(arn)) for arn in sorted(self.provider_arns)}


def estate_of(files: Iterable[AuditFile], now: datetime) -> Estate:
    """Build the account; raise `InvalidInput` for an unknown document, or if there are no roles."""
    gathered = _Gathered()
    for file in files:
        document = _parsed(file)
        _take_account(gathered, file.source, document)
        _take_cluster(gathered.clusters.setdefault(file.folder, _Cluster(file.folder)), document)
    if not gathered.has_roles:
        raise InvalidInput(
            "no file contains the account's roles",
            reason="create it: aws iam get-account-authorization-details > roles.json",
        )
    roles = list(_each(gathered, gathered.roles, _role))
    clusters = list(_clusters(gathered))
    policies = _each(gathered, gathered.policies, policy_details)
    return Estate(
        roles=tuple(roles),
        policies=dict(policy for policy in policies if policy is not None),
        providers=gathered.providers,
        clusters=tuple(clusters),
        accounts=frozenset(role.arn.split(":")[4] for role in roles),
        regions=_regions(gathered, clusters),
        unread=tuple(gathered.unread),
        now=now,
    )


def _parsed(file: AuditFile) -> dict[str, Any]:
    try:
        document = json.loads(file.text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise InvalidInput(f"{file.source} is not JSON", reason=where) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file.source} can't be read as JSON", reason=str(error)) from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{file.source} is not a JSON object", reason=_KNOWN)
    if not document.keys() & (_OF_ACCOUNTS | _OF_CLUSTERS):
        raise InvalidInput(f"{file.source} is not a document that irsa audit can read", reason=_KNOWN)
    return document


_KNOWN = (
    "expected the output of one of these commands. aws iam: get-account-authorization-details,"
    " list-open-id-connect-providers, get-open-id-connect-provider. aws eks: describe-cluster, list-clusters,"
    " list-pod-identity-associations, describe-pod-identity-association, list-access-entries,"
    " describe-access-entry, list-associated-access-policies. kubectl get"
    " ns,sa,pods,roles,rolebindings,clusterroles,clusterrolebindings -A -o json"
)


def _dicts(value: Any) -> list[Json]:
    return [element for element in as_list(value) if isinstance(element, dict)]


_OF_ACCOUNTS = {"RoleDetailList", "OpenIDConnectProviderList", "ClientIDList", "clusters"}


def _take_account(gathered: _Gathered, source: str, document: Json) -> None:
    if "RoleDetailList" in document:
        gathered.has_roles = True
        gathered.roles += [(source, role) for role in as_list(document["RoleDetailList"])]
        gathered.policies += [(source, policy) for policy in as_list(document.get("Policies", []))]
        if document.get("IsTruncated"):
            gathered.unread.append(f"{source} is one page of several: roles on other pages were not read")
    if "OpenIDConnectProviderList" in document:
        providers = _dicts(document["OpenIDConnectProviderList"])
        arns = {str(provider.get("Arn", "")) for provider in providers}
        gathered.provider_arns = (gathered.provider_arns or set()) | arns
    if "ClientIDList" in document:
        url = str(document.get("Url", "")).removeprefix("https://")
        gathered.audiences[url] = tuple(map(str, as_list(document["ClientIDList"])))
    if "clusters" in document:
        gathered.listed = [*(gathered.listed or ()), *map(str, as_list(document["clusters"]))]


_OF_CLUSTERS = {"items", "associations", "association", "cluster", *RBAC_KEYS}


def _take_cluster(cluster: _Cluster, document: Json) -> None:
    if "items" in document:
        objects = _dicts(document["items"])
        kinds = {str(body.get("kind", "")) for body in (*objects, document)}
        cluster.rbac.take_objects(objects, kinds)
    for key in document.keys() & {"associations", "association"}:
        cluster.associations = [*(cluster.associations or ()), *_dicts(document[key])]
    if isinstance(document.get("cluster"), dict):
        cluster.described = document["cluster"]
    cluster.rbac.take(document)


def _each(gathered: _Gathered, entries: Iterable[tuple[str, Any]], read: Callable[[Any], T]) -> Iterator[T]:
    """Read each entry; report the number of invalid ones."""
    invalid: list[str] = []
    for source, entry in entries:
        try:
            yield read(entry)
        except (LookupError, TypeError, ValueError, AttributeError, InvalidInput):
            invalid.append(source)
    if invalid:
        count = plural(len(invalid), "entry")
        gathered.unread.append(f"{count} of {invalid[0]} without the expected format: ignored")


def _role(entry: Any) -> Role:
    role = role_details(entry)
    check_role(role.arn)
    return role


def _clusters(gathered: _Gathered) -> Iterator[AuditedCluster]:
    for cluster in gathered.clusters.values():
        described = cluster.described
        associations = cluster.associations
        if not described and associations is None and cluster.rbac.is_empty:
            continue
        accounts = cluster.rbac.objects.get("ServiceAccount")
        pods = cluster.rbac.objects.get("Pod")
        namespaces = cluster.rbac.objects.get("Namespace")
        arn = str(described.get("arn", ""))
        _, _, _, region, account, *_ = [*arn.split(":"), "", "", "", "", ""]
        name = str(described.get("name", "")) or cluster.name or "(without a name)"
        config = described.get("accessConfig")
        mode = str(config.get("authenticationMode", "")) if isinstance(config, dict) else ""
        yield AuditedCluster(
            name,
            _issuer(gathered, name, described),
            region,
            account,
            arn,
            NOT_GIVEN if accounts is None else tuple(_of(gathered, accounts, AuditedAccount.read)),
            NOT_GIVEN if pods is None else _pods(gathered, pods),
            NOT_GIVEN if associations is None else _associations(gathered, associations),
            cluster.rbac.rbac,
            NOT_GIVEN if namespaces is None else dict(_of(gathered, namespaces, pod_security)),
            cluster.rbac.access(mode),
            str(described.get("version") or ""),
        )


def _of(gathered: _Gathered, entries: Iterable[Json], read: Callable[[Any], T]) -> Iterator[T]:
    return _each(gathered, (("a cluster's file", entry) for entry in entries), read)


def _pods(gathered: _Gathered, bodies: Iterable[Json]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for count in _of(gathered, bodies, lambda body: living_pods([body])):
        counts.update(count)
    return dict(counts)


def _associations(gathered: _Gathered, entries: Iterable[Json]) -> tuple[AuditedAssociation, ...]:
    """The described associations, and the others as listed (without roles)."""
    known: dict[str, AuditedAssociation] = {}
    for association in _of(gathered, entries, AuditedAssociation.read):
        if association.role_arn or association.full_name not in known:
            known[association.full_name] = association
    return tuple(known.values())


def _issuer(gathered: _Gathered, name: str, described: Json) -> str:
    try:
        return check_issuer(described["identity"]["oidc"]["issuer"])
    except (KeyError, TypeError, AttributeError):
        return ""
    except InvalidInput as error:
        gathered.unread.append(f"the issuer of cluster {name} is not valid: {error}")
        return ""


def _regions(gathered: _Gathered, clusters: Iterable[AuditedCluster]) -> frozenset[str]:
    """The region whose clusters are all known: every listed cluster was described, in one region."""
    described = {cluster.name: cluster.region for cluster in clusters if cluster.region}
    regions = frozenset(described.values())
    is_whole = gathered.listed is not None and described.keys() >= set(gathered.listed)
    return regions if is_whole and len(regions) == 1 else frozenset()
