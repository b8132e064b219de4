"""Many accounts as one estate: those of a file, or of an organization. Each is read at its own pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from irsa_cli.aws.errors import pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.values.arn import Arn, check_account
from irsa_cli.core.values.errors import IrsaError, Unreadable, read
from irsa_cli.usecases.command.connect import WireLog

ACCOUNTS = 8
"""Accounts that are read at the same time."""


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
    each = replace(source, accounts=(), organization="")
    named = {Arn.parse(role).account: role for role in roles}
    sources = {own: each} | {key: replace(each, assume_role=role, account=key) for key, role in named.items()}
    with ThreadPoolExecutor(ACCOUNTS) as pool:
        answers = list(pool.map(lambda one: read(lambda: read_one(one, log)), sources.values()))
    found = {account: it for account, it in zip(sources, answers, strict=True) if isinstance(it, Estate)}
    gaps += [
        f"account {account} was not read: {it.why}"
        for account, it in zip(sources, answers, strict=True)
        if isinstance(it, Unreadable)
    ]
    if not found:
        raise IrsaError("no account could be read", details=gaps)
    return _joined(found, gaps)


def _organization(session: AwsSession, name: str, own: str) -> tuple[list[str], list[str]]:
    """The role of this name in each other account, and accounts that AWS lets nobody use.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """
    roles, gaps = [], []
    for page in pages(session.client("organizations").list_accounts, "NextToken"):
        for item in page["Accounts"]:
            account, state = check_account(item["Id"]), item.get("State") or item.get("Status")
            if state == "ACTIVE" and account != own:
                roles.append(f"arn:{session.partition}:iam::{account}:role/{name}")
            elif state != "CLOSED" and account != own:  # Nothing runs in a closed one.
                gaps.append(f"account {account} was not read: it is {state}")
    return roles, gaps


def _joined(found: Mapping[str, Estate], gaps: list[str]) -> Estate:
    """One estate. A region is known as a whole if it is in all accounts: issuers do not name theirs."""
    estates = list(found.values())
    names = Counter(cluster.name for one in estates for cluster in one.clusters)
    providers = [one.providers for one in estates]
    known = [item for item in providers if item is not None]
    unread = [f"account {account}: {line}" for account, one in found.items() for line in one.unread]
    return replace(
        estates[0],
        roles=tuple(role for one in estates for role in one.roles),
        policies={arn: document for one in estates for arn, document in one.policies.items()},
        providers={arn: it for one in known for arn, it in one.items()} if known == providers else None,
        clusters=tuple(
            replace(cluster, name=f"{account}/{cluster.name}") if names[cluster.name] > 1 else cluster
            for account, one in found.items()
            for cluster in one.clusters
        ),
        accounts=frozenset().union(*(one.accounts for one in estates)),
        regions=frozenset() if gaps else frozenset.intersection(*(one.regions for one in estates)),
        unread=(*gaps, *unread),
    )
