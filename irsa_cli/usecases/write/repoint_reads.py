"""Reads of `irsa repoint`: both clusters, the roles, their ServiceAccounts, and evidence of use."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from functools import partial

from irsa_cli.aws.cluster import cluster_names, describe
from irsa_cli.aws.gone import recognize
from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.sts import exchange
from irsa_cli.aws.trail import look_for_use, sts_regions, use_in_trail
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.inventory.bindings import annotation_of
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import not_known_yet
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.planning import repoint as planning
from irsa_cli.core.planning.repoint import Name
from irsa_cli.core.planning.retire import EKS, is_cluster
from irsa_cli.core.policies.statements import names_provider, trusted_providers
from irsa_cli.core.values.arn import Arn, issuer_of, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError, Unreadable, read
from irsa_cli.core.values.patience import current
from irsa_cli.core.values.shown import moment, plural
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.read.bindings import BindingsScope, read_accounts

ISSUER_ID = re.compile(r"[0-9A-F]{32}", re.ASCII)
"""The id of an issuer of EKS, the end of its URL."""
_EKS = re.compile(
    r"(?:https://|arn:[\w-]+:iam::\d*:oidc-provider/)?(oidc[.-]eks[^/]*/id/([0-9A-F]{32}))/?", re.ASCII
)
"""An issuer of EKS as people paste it: without https://, with a slash at the end, as the provider's ARN."""
IAM_LATE = timedelta(days=1)
"""IAM shows the use of a role some hours later; CloudTrail shows it sooner."""
SPREAD_SECONDS = 60.0
"""For how long STS may refuse a statement that IAM has confirmed."""


@dataclass(frozen=True)
class OldCluster:
    """The old cluster: its provider, its ARN and a connection if it is there, else why it is not asked."""

    provider: str
    arn: str = ""
    connection: Connection | None = None
    why: str = ""

    def accounts(self, namespace: str) -> list[ServiceAccount] | Unreadable:
        connection = self.connection
        if connection is None:
            return Unreadable(self.why)
        return read(lambda: read_accounts(connection, BindingsScope(namespace)))


def as_id(text: str) -> str:
    """The id of an issuer of EKS that is given by its URL; any other text as it is."""
    found = _EKS.fullmatch(text)
    return found[2] if found else text


def connect_new(target: Target, log: WireLog) -> Connection:
    """Connect to the new cluster, which may be named by its issuer's id."""
    if ISSUER_ID.fullmatch(target.cluster):
        name = _name_of(target, log)
        if not name:
            raise Refused(
                f"no cluster in the region has the issuer {target.cluster}",
                next_steps=("check --to, --region",),
            )
        target = replace(target, cluster=name)
    return connect(target, kube=True, log=log)


def _name_of(target: Target, log: WireLog) -> str:
    """The name of the cluster in the region whose issuer has this id; '' for none."""
    if not ISSUER_ID.fullmatch(target.cluster):
        return ""
    aws = AwsSession(profile=target.profile, region=target.region, assume_role=target.assume_role, log=log)
    for name in cluster_names(aws.client("eks")):
        found = read(lambda name=name: describe(aws, name))  # type: ignore[misc]
        if not isinstance(found, Unreadable) and found.cluster.issuer.endswith(f"/id/{target.cluster}"):
            return name
    return ""


def find_old(old: str, new: Connection, log: WireLog, roles: Iterable[Role]) -> OldCluster:
    """The old cluster by its name, ARN, issuer or the issuer's id; it may be gone. Raises `Refused`."""
    target = _target_of(old, new)
    provider = _provider_of(old, new.cluster, roles)
    if provider:
        region = EKS.fullmatch(issuer_of(provider))
        target = replace(target, cluster=as_id(old), region=region["region"] if region else target.region)
        target = replace(target, cluster=_name_of(target, log))
    if not target.cluster:
        place = target.region or new.cluster.region
        return OldCluster(provider, why=f"no cluster of {place} has its issuer")
    connection = connect(target, kube=True, log=log, gone=recognize)
    cluster = connection.cluster
    if not cluster.issuer:
        raise Refused(
            f"cluster {old} is gone, and nothing in IAM shows its issuer",
            next_steps=("give its issuer, or the id of it: --from https://oidc.eks…/id/…",),
        )
    provider = provider_arn(cluster.partition, new.cluster.home, cluster.issuer)
    if connection.gone is not None:
        return OldCluster(provider, cluster.arn, why="it is gone")
    return OldCluster(provider, cluster.arn, connection)


def _target_of(old: str, new: Connection) -> Target:
    """How to connect to the old cluster: as to the new one under another name. Raises `Refused`."""
    name = old
    region = new.target.region
    if is_cluster(old):
        arn = Arn.parse(old)
        if arn.account != new.cluster.account:
            raise Refused(f"cluster {old} is in another account: give its issuer URL")
        name = arn.name
        region = arn.region
    return replace(
        new.target,
        cluster=name,
        region=region,
        issuer_url=None,
        account=None,
        kubeconfig=None,
        context=None,
        meant=("", ""),
        expect_clusters=(),
    )


def _provider_of(old: str, cluster: Cluster, roles: Iterable[Role]) -> str:
    """The provider (ARN) if the old cluster is given by its issuer or the issuer's id, else ''."""
    issuer = _EKS.fullmatch(old)
    if issuer:
        return provider_arn(cluster.partition, cluster.home, issuer[1])
    if old.startswith("https://"):
        return provider_arn(cluster.partition, cluster.home, old)
    if not ISSUER_ID.fullmatch(old):
        return ""
    trusted = {arn for role in roles for arn in trusted_providers(role.trust)}
    providers = sorted(arn for arn in trusted if arn.endswith(f"/id/{old}"))
    if len(providers) > 1:
        raise Refused(f"several issuers have the id {old}: give the URL of one", details=providers)
    if providers:
        return providers[0]
    same_place = f"{cluster.issuer.rpartition('/')[0]}/{old}"
    return provider_arn(cluster.partition, cluster.home, same_place)


def select(
    roles: Iterable[Role], providers: Sequence[str], patterns: Sequence[str], namespace: str
) -> Iterator[Role]:
    """The roles that trust one of the providers, with a name like a pattern, for the namespace."""
    for role in roles:
        known = [arn for arn in providers if names_provider(role.trust, arn)]
        named = not patterns or any(fnmatchcase(role.name, pattern) for pattern in patterns)
        within = not namespace or any(planning.trusted(role.trust, it).concerns(namespace) for it in known)
        if known and named and within:
            yield role


def check_names(roles: Sequence[Role], patterns: Sequence[str], path: str) -> None:
    """Raise `Refused` for names and patterns that are those of no role, so that a typing error is seen."""
    of_none = [text for text in patterns if not any(fnmatchcase(role.name, text) for role in roles)]
    if of_none:
        raise Refused(
            f"no role is called {', '.join(of_none)}",
            reason=f"{plural(len(roles), 'role')} under {path} were read",
            next_steps=("check the ROLE arguments and --role-path; omit ROLE to list all roles",),
        )


def moved(roles: Sequence[Role], new: str, patterns: Sequence[str], namespace: str) -> Iterator[Role]:
    """The roles that the user named and that need no step: they trust NEW, or have exactly that name."""
    trusting = {role.name for role in select(roles, (new,), patterns, namespace)}
    for role in roles:
        if role.name in (trusting if patterns else ()) or role.name in patterns:
            yield role


def subjects(
    old: OldCluster, roles: Sequence[Role], namespace: str
) -> tuple[dict[str, list[ExportedAccount]], list[str]]:
    """The ServiceAccounts for each role (ARN), by the old cluster or else by exact subjects; and notes."""
    wanted: dict[str, list[ExportedAccount]] = {role.arn: [] for role in roles}
    accounts = old.accounts(namespace)
    if not isinstance(accounts, Unreadable):
        for account in accounts:
            if (arn := annotation_of(account)) in wanted:
                found = account.annotations.items()
                kept = {key: text for key, text in found if key.startswith("eks.amazonaws.com/")}
                wanted[arn].append(ExportedAccount(account.namespace, account.name, kept))
        return wanted, []
    notes = [
        f"the old cluster's ServiceAccounts were not read ({accounts.why}): those in trust policies count"
    ]
    users: dict[Name, list[Role]] = {}
    for role in roles:
        said = planning.trusted(role.trust, old.provider)
        if said.patterns:
            texts = ", ".join(said.patterns)
            notes.append(f"{role.name} also allows {texts}: annotate these ServiceAccounts yourself")
        for name in said.names:
            if namespace in ("", name[0]):
                users.setdefault(name, []).append(role)
    for name, (role, *others) in users.items():
        if others:
            names = ", ".join(item.name for item in (role, *others))
            notes.append(f"{'/'.join(name)} is not annotated: several roles allow it ({names})")
        else:
            wanted[role.arn].append(ExportedAccount(*name, {ROLE_ARN_ANNOTATION: role.arn}))
    return wanted, notes


def unused(connection: Connection, role: Role, provider: str, seconds: float) -> tuple[bool, str]:
    """Whether it is shown that no token of the provider is used for a role, and by what, or why not."""
    if not seconds:
        return True, "its use was not checked (--unused-for 0s)"
    now = datetime.now(timezone.utc)
    since = now - timedelta(seconds=seconds)
    day = moment(since)
    if role.is_younger(since):
        return False, f"it was created after {day}"
    if late := not_known_yet(since, now):
        return False, f"{late} (use --unused-for 15m or longer, or 0s)"
    aws = connection.home.moved_to(connection.cluster.region)
    if seconds >= IAM_LATE.total_seconds() and (role.last_used is None or role.last_used < since):
        recent = look_for_use(aws, role.trust, provider, now - IAM_LATE)
        if recent.seen:
            return False, f"IAM does not show it yet, but {recent.seen}"
        return True, f"IAM shows no use of the role since {day}"
    if used := use_in_trail(aws, role.trust, provider, since):
        return False, f"the role is used, and {used}"
    regions = ", ".join(sts_regions(aws, provider, aws.region))
    return True, f"CloudTrail in {regions} shows no token of the old cluster since {day}"


def exchanged(
    connection: Connection, arn: str, names: Sequence[tuple[Name, str]], until: float
) -> dict[Name, str]:
    """Exchange a token of each ServiceAccount (with its audience) for the role; what refused it, or ''.

    A refused one is tried again until this moment of the monotonic clock.
    """

    def again(_error: ServiceError) -> bool:
        if time.monotonic() > until:
            return False
        current().pause(1)
        return True

    def one(item: tuple[Name, str]) -> str:
        names, audience = item
        try:
            exchange(connection.aws, arn, partial(connection.kube.token, *names, audience), again)
        except IrsaError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as pool:
        return dict(zip((name for name, _ in names), pool.map(one, names), strict=True))


def users_of(accounts: Iterable[ServiceAccount], arn: str) -> list[tuple[Name, str]]:
    """The ServiceAccounts annotated with a role, each with the audience of its tokens."""
    return [
        ((account.namespace, account.name), Injection.read(account.annotations).audience)
        for account in accounts
        if annotation_of(account) == arn
    ]
