"""Reading the remains of deleted clusters: all roles and providers of an account, clusters of all regions."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from irsa_cli.aws import details, issuer_keys
from irsa_cli.aws import iam as reading
from irsa_cli.aws.bindings import provider_arns
from irsa_cli.aws.gone import enabled_regions, issuers
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.role import Role
from irsa_cli.core.planning import retire as planning
from irsa_cli.core.planning.dead_cluster_list import DeadClusterList, as_json
from irsa_cli.core.planning.retire import DeadCluster, ReadAccount
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.values.arn import Arn, host_path, issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, ServiceError, Unreadable, read, unless_denied
from irsa_cli.core.values.shown import caller_name
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Target, WireLog, check_expected
from irsa_cli.usecases.command.settings import Note
from irsa_cli.usecases.read.reads import parted

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PARALLEL = 16
"""How many regions, or issuers, are read at the same time."""
PROVIDERS = 100
"""OIDC providers of an account: https://docs.aws.amazon.com/general/latest/gr/iam-service.html"""


def open_session(target: Target, log: WireLog) -> AwsSession:
    """The caller's session; no cluster is asked for."""
    return AwsSession(profile=target.profile, region=target.region, assume_role=target.assume_role, log=log)


def read_account(aws: AwsSession, target: Target, note: Note) -> ReadAccount:
    """All roles, OIDC providers and clusters; raises `ServiceError` if regions or roles can't be listed.

    Regions whose clusters can't be read are in `unread`.
    """
    with naming_caller(lambda _: aws.caller()), ThreadPoolExecutor(PARALLEL) as pool:
        number = Arn.parse(aws.identity()).account
        iam = aws.client("iam")
        check_expected(target, Cluster("", "", aws.region, aws.partition, number, ""))
        roles = pool.submit(details.read_account, iam, policies=False)
        regions = enabled_regions(aws)
        note(f"account {number} · {len(regions)} regions · {caller_name(aws.caller())}")
        clusters = [*pool.map(lambda name: read(lambda: issuers(aws.moved_to(name).client("eks"))), regions)]
        arns = provider_arns(iam)
        states = [*pool.map(lambda arn: read(lambda: reading.provider(iam, arn)), arns)]
        found = tuple(roles.result()[0])
    known, unread = parted(dict(zip(regions, clusters, strict=True)))
    there = {arn: state for arn, state in zip(arns, states, strict=True) if state is not None}
    return ReadAccount(
        number,
        aws.partition,
        datetime.now(timezone.utc),
        {arn: host_path(issuer) for item in known.values() for arn, issuer in item.items()},
        frozenset(known),
        tuple(f"the clusters of {name} were not read: {why}" for name, why in unread.items()),
        {arn: None if isinstance(state, Unreadable) else state for arn, state in there.items()},
        found,
    )


def check_read(account: ReadAccount) -> None:
    """Raise if a cluster may exist that nobody saw: then nothing is known to be gone."""
    if account.unread:
        raise IrsaError(
            f"the clusters of {len(account.unread)} of {len(account.regions) + len(account.unread)} regions"
            " could not be read",
            reason="a cluster there may use any role of the account",
            details=account.unread,
            next_steps=("run this again with eks:ListClusters and eks:DescribeCluster in all regions",),
        )


def dead_clusters(account: ReadAccount, log: WireLog) -> list[DeadCluster]:
    """The deleted clusters that left something; without irsa's tag only if EKS answers 404 for the issuer."""

    def judged(item: DeadCluster) -> DeadCluster:
        if item.doubt != planning.UNMARKED:
            return item
        reasons = filter(None, (_why_issuer_may_live(provider, log) for provider in item.providers))
        return replace(item, doubt="; ".join(dict.fromkeys(reasons)))

    with ThreadPoolExecutor(PARALLEL) as pool:
        return [*pool.map(judged, planning.find(account))]


def unclear_providers(account: ReadAccount, roles: Iterable[Role], log: WireLog) -> dict[str, str]:
    """The providers that roles trust and that do not exist, each with why its issuer may be in use.

    A cluster of another account may have it; those of this account are known.
    """
    named = {provider for role in roles for provider in trusted_providers(role.trust)}
    absent = [
        provider
        for provider in sorted(named - account.providers.keys())
        if not account.why_absent_counts(provider)
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        reasons = pool.map(lambda provider: _why_issuer_may_live(provider, log), absent)
    return {provider: why for provider, why in zip(absent, reasons, strict=True) if why}


def _why_issuer_may_live(provider: str, log: WireLog) -> str:
    """Why a cluster may have the issuer of a provider; '' if EKS answers that it does not exist."""
    try:
        issuer_keys.fetch(f"https://{issuer_of(provider)}", log)
    except ServiceError as error:
        return "" if error.status == 404 else f"{planning.UNMARKED}; {error.reason}"
    return "its issuer answers: a cluster of another account has it"


def list_dead(target: Target, note: Note, log: WireLog) -> DeadClusterList:
    """All clusters that are gone and left something, and how much of its quotas the account uses."""
    aws = open_session(target, log)
    account = read_account(aws, target, note)
    asked = unless_denied(lambda: reading.quotas(aws.client("iam")))
    numbers = {} if isinstance(asked, Unreadable) else asked
    quotas = {"OIDC providers": (len(account.providers), PROVIDERS)}
    for name, key in (("roles", "Roles"), ("policies", "Policies")):
        if {key, f"{key}Quota"} <= numbers.keys():
            quotas[name] = (numbers[key], numbers[f"{key}Quota"])
    rows = [as_json(cluster, account) for cluster in dead_clusters(account, log)]
    counts = {"region": len(account.regions), "role": len(account.roles)}
    return DeadClusterList(rows=rows, quotas=quotas, examined=counts, unread=account.unread)


def left_by(iam: IAMClient, cluster: str) -> list[Role]:
    """The roles that irsa created, or adopted, for a cluster by its ARN."""
    roles, _ = details.read_account(iam, policies=False)
    return [role for role in roles if role.owner == cluster]
