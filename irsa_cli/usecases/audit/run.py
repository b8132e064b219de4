"""`irsa audit` and `irsa who-can`: read an account, live or from files, and answer from it.

Of several accounts, each is read at its own pace. A part that can't be read becomes a gap of the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from pathlib import Path

from irsa_cli.aws import account, details
from irsa_cli.aws.cluster import NoCluster, cluster_names
from irsa_cli.aws.errors import pages
from irsa_cli.aws.permissions import check_action
from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.sts import assume
from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import AuditedAccount, AuditedCluster, Estate, living_pods, pod_security
from irsa_cli.core.audit.reach import who_can
from irsa_cli.core.audit.report import AuditReport, WhoCanReport
from irsa_cli.core.audit.trusts import Fixes
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.objects import RbacObjects
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.values.arn import Arn, check_account, role_arn
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable, read
from irsa_cli.core.values.names import near
from irsa_cli.usecases.audit.files import RiskRequest, read_files
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Target, WireLog, connect
from irsa_cli.usecases.command.project_settings import expected_by_project
from irsa_cli.usecases.read.rbac import read_access, read_rbac
from irsa_cli.usecases.read.reads import parted

ACCOUNTS = 8
"""Accounts that are read at the same time."""
PARALLEL = 4
"""The number of clusters that are read at the same time."""


@dataclass(frozen=True)
class LiveSource:
    """The account and clusters to read: `clusters`, or all clusters of the regions.

    `readers` are roles for reading the IAM of other accounts. `accounts` are roles of accounts that are read
    like the caller's; `organization`: the name of such a role in all accounts of the organization.
    """

    clusters: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    profile: str | None = None
    assume_role: str | None = None
    readers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    organization: str = ""
    account: str = ""
    """The account, if it is one of several: errors name it."""


def read_accounts(
    source: LiveSource, log: WireLog, read_one: Callable[[LiveSource, WireLog], Estate]
) -> Estate:
    """Read the caller's account and all others; raises `IrsaError` if none can be read.

    An account that can't be read is a gap.
    """
    region = source.regions[0] if source.regions else None
    session = AwsSession(profile=source.profile, region=region, log=log)
    own = Arn.parse(session.identity()).account
    roles: list[str] = list(source.accounts)
    gaps: list[str] = []
    if source.organization:
        roles, gaps = _organization(session, source.organization, own)
    alone = replace(source, accounts=(), organization="")
    sources = {own: alone}
    for role in roles:
        number = Arn.parse(role).account
        sources[number] = replace(alone, assume_role=role, account=number)

    def read_source(account_source: LiveSource) -> Estate | Unreadable:
        return read(lambda: read_one(account_source, log))

    with ThreadPoolExecutor(ACCOUNTS) as pool:
        answers = list(pool.map(read_source, sources.values()))
    estates, unread = parted(dict(zip(sources, answers, strict=True)))
    gaps += [f"account {account} was not read: {why}" for account, why in unread.items()]
    if not estates:
        raise IrsaError("no account could be read", details=gaps)
    return _joined(estates, gaps)


def _organization(session: AwsSession, name: str, own: str) -> tuple[list[str], list[str]]:
    """The role of this name in each other account, and accounts that AWS lets nobody use.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """
    roles: list[str] = []
    gaps: list[str] = []
    for page in pages(session.client("organizations").list_accounts, "NextToken"):
        for listed in page["Accounts"]:
            account = check_account(listed["Id"])
            state = listed.get("State") or listed.get("Status")
            if account == own:
                continue
            if state == "ACTIVE":
                roles.append(f"arn:{session.partition}:iam::{account}:role/{name}")
            elif state != "CLOSED":  # Nothing runs in a closed one.
                gaps.append(f"account {account} was not read: it is {state}")
    return roles, gaps


def _joined(accounts: Mapping[str, Estate], gaps: list[str]) -> Estate:
    """One estate. A region is known as a whole if it is in all accounts: issuers do not name theirs."""
    estates = list(accounts.values())
    names = Counter(cluster.name for cluster in chain.from_iterable(estate.clusters for estate in estates))
    policies: dict[str, Document] = {}
    providers: dict[str, tuple[str, ...] | None] = {}
    clusters: list[AuditedCluster] = []
    unread = list(gaps)
    for account_id, estate in accounts.items():
        policies.update(estate.policies)
        providers.update(estate.providers or {})
        for cluster in estate.clusters:
            is_unique = names[cluster.name] == 1
            clusters.append(cluster if is_unique else replace(cluster, name=f"{account_id}/{cluster.name}"))
        unread += [f"account {account_id}: {line}" for line in estate.unread]
    all_read = all(estate.providers is not None for estate in estates)
    return replace(
        estates[0],
        roles=tuple(chain.from_iterable(estate.roles for estate in estates)),
        policies=policies,
        providers=providers if all_read else None,
        clusters=tuple(clusters),
        accounts=frozenset().union(*(estate.accounts for estate in estates)),
        regions=frozenset() if gaps else frozenset.intersection(*(estate.regions for estate in estates)),
        unread=tuple(unread),
    )


def read_live(source: LiveSource, log: WireLog) -> Estate:
    """Read the account; raise `ServiceError` if the roles of the caller's account can't be read."""
    regions: tuple[str | None, ...] = source.regions or (None,)
    sessions = [
        AwsSession(
            profile=source.profile,
            region=region,
            assume_role=source.assume_role,
            log=log,
            account=source.account,
        )
        for region in regions
    ]
    first = sessions[0]
    with naming_caller(lambda _: first.caller()), ThreadPoolExecutor(3) as pool:
        clusters = pool.submit(lambda: [_in_region(source, session, log) for session in sessions])
        providers = pool.submit(read, lambda: account.providers(first.client("iam")))
        caller = pool.submit(first.caller)
        roles, policies = details.read_account(first.client("iam"))
        estate = Estate(tuple(roles), policies, now=datetime.now(timezone.utc), caller=caller.result())
        known = providers.result()
        if isinstance(known, Unreadable):
            estate = replace(estate, unread=(f"the OIDC providers were not read: {known.why}",))
        else:
            estate = replace(estate, providers=known)
        estate = _with_others(estate, source, first)
        own = _accounts_of([role.arn for role in roles]) or _accounts_of([estate.caller])
        return _with_clusters(replace(estate, accounts=estate.accounts | own), clusters.result())


def _accounts_of(arns: Iterable[str]) -> set[str]:
    """The account in each ARN; a caller that is not known has none."""
    return {arn.split(":")[4] for arn in arns if arn.count(":") > 4}


def _with_others(estate: Estate, source: LiveSource, session: AwsSession) -> Estate:
    """Add the roles and providers of other accounts."""
    for reader in source.readers:
        number = role_arn(reader).account
        answer = read(partial(_iam_of, session, reader))
        if isinstance(answer, Unreadable):
            gap = f"account {number} was not read: {answer.why}"
            estate = replace(estate, unread=(*estate.unread, gap))
            continue
        roles, policies, providers = answer
        estate = replace(
            estate,
            roles=(*estate.roles, *roles),
            policies={**estate.policies, **policies},
            providers=None if estate.providers is None else {**estate.providers, **providers},
            accounts=estate.accounts | {number},
        )
    return estate


def _iam_of(
    session: AwsSession, reader: str
) -> tuple[list[Role], dict[str, Document], dict[str, tuple[str, ...] | None]]:
    """The roles, policies and providers that another account's role can read."""
    iam = session.client_of("iam", assume(session.client("sts"), reader))
    return (*details.read_account(iam), account.providers(iam))


@dataclass(frozen=True)
class _Region:
    """The clusters of a region; `whole`: all of them; `missing`: named ones not there; `unread`: gaps."""

    name: str
    clusters: tuple[AuditedCluster, ...] = ()
    whole: bool = False
    unread: tuple[str, ...] = ()
    missing: Mapping[str, NoCluster] = field(default_factory=dict)


def _in_region(source: LiveSource, session: AwsSession, log: WireLog) -> _Region:
    names = source.clusters or read(lambda: cluster_names(session.client("eks")))
    if isinstance(names, Unreadable):
        why = f"the clusters of {session.region} were not read: {names.why}"
        return _Region(session.region, unread=(why,))
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(lambda name: read(lambda: _cluster(source, session, name, log)), names))
    clusters: list[AuditedCluster] = []
    unread: list[str] = []
    missing: dict[str, NoCluster] = {}
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, Unreadable):
            unread.append(f"cluster {name} of {session.region} was not read: {answer.why}")
        elif isinstance(answer, AuditedCluster):
            clusters.append(answer)
        elif source.clusters:
            missing[name] = answer
    is_whole = not source.clusters and not unread
    return _Region(session.region, tuple(clusters), is_whole, tuple(unread), missing)


def _cluster(source: LiveSource, session: AwsSession, name: str, log: WireLog) -> AuditedCluster | NoCluster:
    target = Target(
        name, session.region, source.profile, source.assume_role, expect_project=expected_by_project
    )
    try:
        connection = connect(target, kube=True, log=log, check=lambda aws: None)
    except NoCluster as error:
        return error
    seen = connection.cluster
    audited = AuditedCluster(
        seen.name, seen.issuer, seen.region, seen.account, seen.arn, version=connection.version
    )
    with ThreadPoolExecutor(4) as pool:
        _ = connection.aws.client("eks")
        associations = pool.submit(read, lambda: account.associations(connection.aws.client("eks"), name))
        kube = read(lambda: connection.kube)
        access = pool.submit(read_access, connection)
        if isinstance(kube, Unreadable):
            unread = RbacObjects(kube, kube, kube, kube)
            audited = replace(audited, accounts=kube, pods=kube, rbac=unread, levels=kube)
        else:
            pods = pool.submit(read, lambda: living_pods(kube.pods()))
            rbac = pool.submit(read_rbac, kube)
            levels = pool.submit(read, lambda: dict(map(pod_security, kube.namespaces())))
            accounts = read(lambda: tuple(map(AuditedAccount.read, kube.service_accounts())))
            audited = replace(audited, accounts=accounts, pods=pods.result(), rbac=rbac.result())
            audited = replace(audited, levels=levels.result())
        return replace(audited, associations=associations.result(), access=access.result())


def _with_clusters(estate: Estate, regions: Sequence[_Region]) -> Estate:
    """Add the clusters; raise `IrsaError` if one of those asked for is in no region, or if there is none."""
    for name, error in regions[0].missing.items():
        if all(name in region.missing for region in regions):
            raise error.but(next_steps=("check --cluster, --region and --profile",))
    clusters: list[AuditedCluster] = []
    unread = list(estate.unread)
    for region in regions:
        clusters += region.clusters
        unread += region.unread
    has_answer = clusters or any(region.unread or region.whole for region in regions)
    if not has_answer:
        raise IrsaError("no EKS cluster was found", next_steps=("check --cluster and --region",))
    return replace(
        estate,
        clusters=_with_own_names(clusters),
        regions=frozenset(region.name for region in regions if region.whole),
        unread=tuple(unread),
    )


def _with_own_names(clusters: Sequence[AuditedCluster]) -> tuple[AuditedCluster, ...]:
    """The clusters, each with a name of its own: with the region if another one is called the same."""
    count = Counter(cluster.name for cluster in clusters)
    renamed: list[AuditedCluster] = []
    for cluster in clusters:
        is_unique = count[cluster.name] == 1
        renamed.append(cluster if is_unique else replace(cluster, name=f"{cluster.region}/{cluster.name}"))
    return tuple(renamed)


@dataclass(frozen=True)
class AuditSource:
    """The source of the account: files if there are any, else AWS and its clusters."""

    live: LiveSource = field(default_factory=LiveSource)
    files: tuple[Path, ...] = ()

    def read(self, log: WireLog) -> Estate:
        """Read it; raise `InvalidInput` for files, `IrsaError` for AWS."""
        if self.files:
            return read_files(self.files)
        many = self.live.accounts or self.live.organization
        return read_accounts(self.live, log, read_live) if many else read_live(self.live, log)


@dataclass(frozen=True)
class Request(RiskRequest):
    """The request of an audit; `with_paths` adds role paths, `with_fixes` commands and corrected policies."""

    source: AuditSource
    scope: AuditScope = field(default_factory=AuditScope)
    with_paths: bool = False


def audit(request: Request, log: WireLog) -> AuditReport:
    """Audit an account; raise `IrsaError` if nothing can be read."""
    choose = request.chooser()
    judged = Audit(request.source.read(log), request.scope)
    _check(judged)
    today = (judged.estate.now or datetime.now(timezone.utc)).date()
    selection = choose(judged.risks, today=today)
    selection = replace(selection, notes=(*selection.notes, *judged.notes))
    if request.with_fixes:
        selection = replace(selection, shown=Fixes(judged.trusts).of(selection.shown))
    scope = request.scope
    reach = judged.reach
    paths = None
    if request.with_paths or scope != AuditScope():
        paths = tuple(reach.paths(scope.role) if scope.role else reach.all_paths(scope.account))
    return AuditReport(
        judged,
        paths,
        selection=selection,
        fail_on=request.fail_on,
        fail_on_broken=request.fail_on_broken,
        allow=request.allow,
    )


def _check(judged: Audit) -> None:
    """Raise `Refused` if the role or ServiceAccount of the scope does not exist."""
    scope = judged.scope
    estate = judged.estate
    if scope.role and scope.role not in estate.roles_by_arn:
        error = Refused(f"the role {scope.role} was not found")
        raise error.but(details=_similar(scope.role, estate.roles_by_arn))
    if not scope.account:
        return
    subject = "system:serviceaccount:" + scope.account.replace("/", ":", 1)
    names: list[str] = []
    for cluster in estate.clusters:
        if subject in judged.reach.index(cluster).accounts:
            return
        if not isinstance(cluster.accounts, Unreadable):
            names += [account.full_name for account in cluster.accounts]
    error = Refused(f"the ServiceAccount {scope.account} was not found in any cluster")
    raise error.but(details=_similar(scope.account, names))


def _similar(name: str, names: Iterable[str]) -> tuple[str, ...]:
    similar = near(name, list(names))
    return (f"similar names: {', '.join(similar)}",) if similar else ()


def ask_who_can(
    source: AuditSource, action: str, resource: str, log: WireLog, allow: Allowance
) -> WhoCanReport:
    """Find the ServiceAccounts that can perform an action; raise `IrsaError` if nothing can be read."""
    note = check_action(action)
    estate = source.read(log)
    if note:
        estate = replace(estate, unread=(*estate.unread, note))
    judged = Audit(estate)
    able = tuple(who_can(judged.reach, action, resource))
    return WhoCanReport(action, resource, judged, able, allow=allow)
