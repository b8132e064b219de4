"""Build an account from the JSON output of `aws` and `kubectl`; ignored entries are reported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from irsa_cli.core.audit import estate
from irsa_cli.core.inventory.bindings import BoundRole, policy_details, role_details
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.rbac.principals import NOT_GIVEN, RBAC_KEYS, RbacFiles
from irsa_cli.core.values.arn import check_issuer, check_role, issuer_of
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.shown import plural

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


def estate_of(files: Iterable[AuditFile], now: datetime) -> estate.Estate:
    """Build the account; raise `InvalidInput` for an unknown document, or if there are no roles."""
    found = _Gathered()
    for file in files:
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
        _take_account(found, file.source, document)
        _take_cluster(found.clusters.setdefault(file.folder, _Cluster(file.folder)), document)
    if not found.has_roles:
        raise InvalidInput(
            "no file contains the account's roles",
            reason="create it: aws iam get-account-authorization-details > roles.json",
        )
    roles = list(_each(found, found.roles, _role))
    clusters = list(_clusters(found))
    accounts = frozenset(role.arn.split(":")[4] for role in roles)
    return estate.Estate(
        roles=tuple(roles),
        policies=dict(item for item in _each(found, found.policies, policy_details) if item is not None),
        providers=None
        if found.provider_arns is None
        else {arn: found.audiences.get(issuer_of(arn)) for arn in sorted(found.provider_arns)},
        clusters=tuple(clusters),
        accounts=accounts,
        regions=_regions(found, clusters),
        unread=tuple(found.unread),
        now=now,
    )


_KNOWN = (
    "expected the output of one of these commands. aws iam: get-account-authorization-details,"
    " list-open-id-connect-providers, get-open-id-connect-provider. aws eks: describe-cluster, list-clusters,"
    " list-pod-identity-associations, describe-pod-identity-association, list-access-entries,"
    " describe-access-entry, list-associated-access-policies. kubectl get"
    " ns,sa,pods,roles,rolebindings,clusterroles,clusterrolebindings -A -o json"
)


def _dicts(value: Any) -> list[Json]:
    return [item for item in as_list(value) if isinstance(item, dict)]


_OF_ACCOUNTS = {"RoleDetailList", "OpenIDConnectProviderList", "ClientIDList", "clusters"}


def _take_account(found: _Gathered, source: str, document: Json) -> None:
    if "RoleDetailList" in document:
        found.has_roles = True
        found.roles += [(source, item) for item in as_list(document["RoleDetailList"])]
        found.policies += [(source, item) for item in as_list(document.get("Policies", []))]
        if document.get("IsTruncated"):
            found.unread.append(f"{source} is one page of several: roles on other pages were not read")
    if "OpenIDConnectProviderList" in document:
        arns = {str(item.get("Arn", "")) for item in _dicts(document["OpenIDConnectProviderList"])}
        found.provider_arns = (found.provider_arns or set()) | arns
    if "ClientIDList" in document:
        url = str(document.get("Url", "")).removeprefix("https://")
        found.audiences[url] = tuple(map(str, as_list(document["ClientIDList"])))
    if "clusters" in document:
        found.listed = [*(found.listed or ()), *map(str, as_list(document["clusters"]))]


_OF_CLUSTERS = {"items", "associations", "association", "cluster", *RBAC_KEYS}


def _take_cluster(cluster: _Cluster, document: Json) -> None:
    if "items" in document:
        items = _dicts(document["items"])
        kinds = {str(item.get("kind", "")) for item in (*items, document)}
        cluster.rbac.take_objects(items, kinds)
    for key in document.keys() & {"associations", "association"}:
        cluster.associations = [*(cluster.associations or ()), *_dicts(document[key])]
    if isinstance(document.get("cluster"), dict):
        cluster.described = document["cluster"]
    cluster.rbac.take(document)


def _each(found: _Gathered, items: Iterable[tuple[str, Any]], read: Callable[[Any], T]) -> Iterator[T]:
    """Read each entry; report the number of invalid ones."""
    wrong = 0
    first = ""
    for source, item in items:
        try:
            yield read(item)
        except (LookupError, TypeError, ValueError, AttributeError, InvalidInput):
            wrong, first = wrong + 1, first or source
    if wrong:
        found.unread.append(f"{plural(wrong, 'entry')} of {first} without the expected format: ignored")


def _role(item: Any) -> BoundRole:
    role = role_details(item)
    check_role(role.arn)
    return role


def _clusters(found: _Gathered) -> Iterator[estate.AuditedCluster]:
    for gathered in found.clusters.values():
        described, associations = gathered.described, gathered.associations
        if not described and associations is None and gathered.rbac.is_empty:
            continue
        kinds = ("ServiceAccount", "Pod", "Namespace")
        accounts, pods, namespaces = map(gathered.rbac.objects.get, kinds)
        arn = str(described.get("arn", ""))
        parts = [*arn.split(":"), "", "", "", "", ""]
        name = str(described.get("name", "")) or gathered.name or "(without a name)"
        config = described.get("accessConfig")
        mode = str(config.get("authenticationMode", "")) if isinstance(config, dict) else ""
        yield estate.AuditedCluster(
            name,
            _issuer(found, name, described),
            parts[3],
            parts[4],
            arn,
            NOT_GIVEN if accounts is None else tuple(_of(found, accounts, estate.AuditedAccount.read)),
            NOT_GIVEN if pods is None else _pods(found, pods),
            NOT_GIVEN if associations is None else _associations(found, associations),
            gathered.rbac.rbac,
            NOT_GIVEN if namespaces is None else dict(_of(found, namespaces, estate.pod_security)),
            gathered.rbac.access(mode),
        )


def _of(found: _Gathered, items: Iterable[Json], read: Callable[[Any], T]) -> Iterator[T]:
    return _each(found, (("a cluster's file", item) for item in items), read)


def _pods(found: _Gathered, items: Iterable[Json]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in _of(found, items, lambda item: estate.living_pods([item])):
        counts.update(one)
    return dict(counts)


def _associations(found: _Gathered, items: Iterable[Json]) -> tuple[estate.AuditedAssociation, ...]:
    """The described associations, and the others as listed (without roles)."""
    known: dict[tuple[str, str], estate.AuditedAssociation] = {}
    for item in _of(found, items, estate.AuditedAssociation.read):
        if item.role_arn or (item.namespace, item.name) not in known:
            known[item.namespace, item.name] = item
    return tuple(known.values())


def _issuer(found: _Gathered, name: str, described: Json) -> str:
    try:
        return check_issuer(described["identity"]["oidc"]["issuer"])
    except (KeyError, TypeError, AttributeError):
        return ""
    except InvalidInput as error:
        found.unread.append(f"the issuer of cluster {name} is not valid: {error}")
        return ""


def _regions(found: _Gathered, clusters: Iterable[estate.AuditedCluster]) -> frozenset[str]:
    """The region whose clusters are all known: every listed cluster was described, in one region."""
    described = {item.name: item.region for item in clusters if item.region}
    regions = set(described.values())
    whole = found.listed is not None and set(found.listed) <= set(described) and len(regions) == 1
    return frozenset(regions) if whole else frozenset()
