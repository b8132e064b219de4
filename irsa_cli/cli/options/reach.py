"""The flags for a cluster and other accounts, and their `Target` (`irsa_cli.usecases.command.caller`).

A command has the groups that it needs, and joins them to a `Destination`; a group without flags is empty.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.contradictions import Needs, check
from irsa_cli.cli.options.fields import either, group, many, once, switch
from irsa_cli.cli.options.kinds import ACCOUNT_ID, CLUSTER, FILE, ROLE_ARN, TEXT, Checked
from irsa_cli.cli.terminal.screen import is_terminal, say
from irsa_cli.core.values import arn, names

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

CLUSTER_ARN = Checked("arn", arn.check_cluster)
ISSUER_URL = Checked("url", arn.check_issuer)
TARGET_ROLE_ARN = Checked("arn", arn.check_target)
EXTERNAL_ID = Checked("id", names.external_id)
CONFIG_MAP = Checked("name", names.config_map)


def cluster_flag(more: str = "") -> str | None:
    return once(
        "-c",
        "--cluster",
        kind=CLUSTER,
        shell_complete=completion.clusters,
        help=f"Name of the EKS cluster{more}.",
    )


def region_flag(more: str = "") -> str | None:
    default = "" if more else " [default: as in the AWS CLI]"
    return once(
        "-r",
        "--region",
        kind=TEXT,
        metavar="REGION",
        shell_complete=completion.regions,
        help=f"AWS region of the cluster{more}.{default}",
    )


def profile_flag() -> str | None:
    return once(
        "-p",
        "--profile",
        kind=TEXT,
        metavar="PROFILE",
        shell_complete=completion.profiles,
        help="Profile of the AWS configuration.",
    )


def assume_role_flag() -> str | None:
    return once("--assume-role", kind=ROLE_ARN, help="Assume this role first.")


def readers_flag(help_text: str) -> tuple[str, ...]:
    """The field of --iam-assume-role: roles to read other accounts."""
    return many("--iam-assume-role", kind=ROLE_ARN, help=help_text)


@dataclass(frozen=True, kw_only=True)
class WhereFlags:
    """A cluster of EKS, and the caller."""

    cluster: str | None = cluster_flag()
    region: str | None = region_flag()
    any_region: bool = switch(
        "--any-region", help="If the cluster is not in this region, search all regions."
    )
    profile: str | None = profile_flag()
    assume_role: str | None = assume_role_flag()


@dataclass(frozen=True, kw_only=True)
class ExternalFlags:
    """A cluster outside EKS."""

    issuer_url: str | None = once(
        "--issuer-url", kind=ISSUER_URL, help="Issuer URL of a cluster outside EKS."
    )
    account: str | None = once("--account", kind=ACCOUNT_ID, help="AWS account for --issuer-url.")


_EXTERNAL = (
    Needs(("issuer_url",), "account", "{flag} needs {needed}, the account of the OIDC provider"),
    Needs(("account",), "issuer_url", "{flag} needs {needed}; with --cluster, use --role-account"),
)


@dataclass(frozen=True, kw_only=True)
class ExpectFlags:
    """Guards: the account and the clusters that are meant."""

    expect_account: str | None = once(
        "--expect-account",
        kind=ACCOUNT_ID,
        help="Refuse to run (exit 4) unless the cluster is in this account.",
    )
    expect_cluster_arn: tuple[str, ...] = many(
        "--expect-cluster-arn",
        kind=CLUSTER_ARN,
        help="Refuse to run (exit 4) unless this is the cluster (repeat for several).",
    )


@dataclass(frozen=True, kw_only=True)
class RoleAccountFlags:
    """Another account that has the role and the OIDC provider."""

    role_account: str | None = once(
        "--role-account",
        kind=ACCOUNT_ID,
        help="AWS account of the role and the OIDC provider. [default: the cluster's]",
    )
    role_assume_role: str | None = once(
        "--role-assume-role",
        kind=ROLE_ARN,
        help="Assume this role for the role's account; it sets --role-account.",
    )
    role_profile: str | None = once(
        "--role-profile",
        kind=TEXT,
        metavar="PROFILE",
        help="Profile of the AWS configuration for --role-account.",
    )


@dataclass(frozen=True, kw_only=True)
class TargetWayFlags:
    """Access to the account of the target role."""

    target_assume_role: str | None = once(
        "--target-assume-role",
        kind=ROLE_ARN,
        help="Assume this role to read the target role's trust policy.",
    )
    target_profile: str | None = once(
        "--target-profile",
        kind=TEXT,
        metavar="PROFILE",
        help="Use this profile to read the target role's trust policy.",
    )


@dataclass(frozen=True, kw_only=True)
class TargetRoleFlags:
    """The role that a ServiceAccount's role may assume."""

    target_role: str | None = once(
        "--target-role",
        kind=TARGET_ROLE_ARN,
        help="Allow the role to assume this role, usually of another account.",
    )
    external_id: str | None = once(
        "--external-id", kind=EXTERNAL_ID, help="External ID that the target role requires."
    )
    target_tag_session: bool | None = either(
        "--target-tag-session/--no-target-tag-session",
        help="Allow the role to tag the target's sessions (sts:TagSession).",
    )
    update_target_trust: bool = switch(
        "--update-target-trust", help="Add the missing statement to the target role's trust policy."
    )
    aws_config_map: str | None = once(
        "--aws-config-map",
        kind=CONFIG_MAP,
        help="Write the AWS configuration for the target role to this ConfigMap.",
    )
    way: TargetWayFlags = group(TargetWayFlags)


@dataclass(frozen=True, kw_only=True)
class KubeFlags:
    """Access to the cluster's API."""

    kubeconfig: str | None = once(
        "--kubeconfig", kind=FILE, help="Use this kubeconfig instead of the endpoint from EKS."
    )
    context: str | None = once(
        "--context", kind=TEXT, metavar="NAME", help="Use this context of the kubeconfig."
    )


@dataclass(frozen=True, kw_only=True)
class ClusterFlags:
    """A cluster of EKS or outside, the caller, and guards."""

    where: WhereFlags = group(WhereFlags)
    external: ExternalFlags = group(ExternalFlags)
    expected: ExpectFlags = group(ExpectFlags)


@dataclass(frozen=True)
class Destination:
    """A cluster, its API, and other accounts; a group without flags is empty."""

    cluster: ClusterFlags
    role_account: RoleAccountFlags = RoleAccountFlags()
    target_way: TargetWayFlags = TargetWayFlags()
    target_role: str | None = None
    kube: KubeFlags = KubeFlags()

    def check_reachable(self) -> None:
        """Refuse an issuer URL without a way to the cluster's API."""
        if self.cluster.external.issuer_url and not (self.kube.kubeconfig or self.kube.context):
            raise click.UsageError("--issuer-url needs --kubeconfig or --context to reach the cluster's API")

    def target(self, *, by_profile: bool = False, state: str | None = None) -> Target:
        """The target; without a cluster in flags, it is the kubeconfig's. `state`: the folder of journals.

        `by_profile`: --role-profile alone is enough, as the ServiceAccount's annotation names the account.
        """
        target = self.named_target(by_profile=by_profile)
        if target.cluster:
            return target
        current = current_cluster(target)
        if current is not None:
            return current
        from irsa_cli.usecases.local.known_names import clusters

        folder = state_dir(state or os.environ.get("IRSA_STATE_DIR"))
        known = [] if target.region else clusters(folder)
        advice = "To list clusters: aws eks list-clusters"
        if known:
            advice = f"Known clusters: {', '.join(known)}"
        raise click.UsageError(f"Missing option '--cluster' / '-c'. {advice}")

    def named_target(self, *, by_profile: bool = False, yields: tuple[str, ...] = ()) -> Target:
        """The target in the flags; its cluster may be ''. `yields`: see `Target`."""
        from irsa_cli.usecases.command.connect import Target
        from irsa_cli.usecases.command.project_settings import expected_by_project

        role_account = self._role_account(by_profile=by_profile)
        target_account = self._target_account()
        where = self.cluster.where
        external = self.cluster.external
        expected = self.cluster.expected
        check(external, _EXTERNAL)
        return Target(
            where.cluster or ("external" if external.issuer_url else ""),
            region=where.region,
            profile=where.profile,
            assume_role=where.assume_role,
            kubeconfig=self.kube.kubeconfig,
            context=self.kube.context,
            issuer_url=external.issuer_url,
            account=external.account,
            role_account=role_account,
            role_assume_role=self.role_account.role_assume_role,
            role_profile=self.role_account.role_profile,
            target_account=target_account,
            target_assume_role=self.target_way.target_assume_role,
            target_profile=self.target_way.target_profile,
            expect_account=expected.expect_account or "",
            expect_clusters=expected.expect_cluster_arn,
            expect_project=expected_by_project,
            tell_region=_note if where.any_region else None,
            yields=yields,
            asks_caller=is_terminal(sys.stderr),
        )

    def _role_account(self, *, by_profile: bool) -> str | None:
        """The account of the role, or that of --role-assume-role."""
        flags = self.role_account
        in_arn = _account_in(flags.role_assume_role)
        account = flags.role_account or in_arn
        if in_arn and in_arn != account:
            raise click.UsageError(f"--role-assume-role is in account {in_arn}, --role-account is {account}")
        if flags.role_profile and not account and not by_profile:
            raise click.UsageError("--role-profile needs --role-account, the account of that profile")
        if account and self.cluster.external.issuer_url:
            raise click.UsageError("--role-account is for EKS clusters; with --issuer-url, use --account")
        return account

    def _target_account(self) -> str | None:
        """The account of the target role, if there is another way to it."""
        way = self.target_way
        in_arn = _account_in(way.target_assume_role)
        account = _account_in(self.target_role) or in_arn
        if in_arn and in_arn != account:
            raise click.UsageError(f"--target-assume-role is in account {in_arn}, --target-role in {account}")
        return account if way.target_assume_role or way.target_profile else None


def _account_in(role_arn: str | None) -> str | None:
    return role_arn.split(":")[4] if role_arn else None


@dataclass(frozen=True, kw_only=True)
class ReachFlags:
    """A cluster, its API, and the accounts of the role and of the target role."""

    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    target_way: TargetWayFlags = group(TargetWayFlags)
    kube: KubeFlags = group(KubeFlags)

    def joined(self) -> Destination:
        return Destination(self.cluster, self.role_account, self.target_way, kube=self.kube)

    def overriding(self, target: Target) -> Target:
        """The target of an earlier run, with the caller and the accesses that the flags have instead."""
        where = self.cluster.where
        role_account = self.role_account
        return replace(
            target,
            region=where.region or target.region,
            profile=where.profile or target.profile,
            assume_role=where.assume_role or target.assume_role,
            kubeconfig=self.kube.kubeconfig or target.kubeconfig,
            context=self.kube.context or target.context,
            role_account=role_account.role_account or target.role_account,
            role_assume_role=role_account.role_assume_role or target.role_assume_role,
            role_profile=role_account.role_profile or target.role_profile,
            target_assume_role=self.target_way.target_assume_role or target.target_assume_role,
            target_profile=self.target_way.target_profile or target.target_profile,
        )


def current_cluster(target: Target) -> Target | None:
    """The target with the EKS cluster of the kubeconfig's context; None if there is none.

    A different --region means that the context does not count.
    """
    from irsa_cli.usecases.local.kubeconfig import eks_cluster

    current = eks_cluster(target.kubeconfig, target.context)
    if current is None or target.region not in (None, current.region):
        return None
    place = f"context {current.context} in {current.source}"
    _note(f"using cluster {current.name} ({current.region}) of {place}")
    return replace(target, cluster=current.name, region=current.region, meant=(current.arn, current.server))


def _note(text: str) -> None:
    say(f"Note: {text}", err=True)
