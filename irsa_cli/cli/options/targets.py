"""The options that name a cluster and accounts beside its own, and taking them as a `Target`.

What they mean is in `irsa_cli.usecases.command.caller`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.options.common import cluster_options, kube_options
from irsa_cli.cli.options.types import (
    ACCOUNT_ID,
    ROLE_ARN,
    Checked,
    Decorator,
    group,
    many,
    once,
    once_filled,
    switch,
)
from irsa_cli.cli.terminal.wording import say
from irsa_cli.usecases.local.kubeconfig import eks_cluster

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

ROLE_TARGET = ("role_account", "role_assume_role", "role_profile")
"""The options of `role_account_options`, as a `Target` has them."""
TARGET_WAY = ("target_assume_role", "target_profile")
"""The options of `target_way_options`, as a `Target` has them."""


role_account_options = group(
    once(
        "--role-account",
        type=ACCOUNT_ID,
        help="AWS account of the role and the OIDC provider. [default: the cluster's]",
    ),
    once(
        "--role-assume-role",
        type=ROLE_ARN,
        help="Work in the role's account as this role; its account is --role-account's default.",
    ),
    once_filled(
        "--role-profile", metavar="PROFILE", help="Profile of the AWS configuration for --role-account."
    ),
)
"""The account of the roles and the OIDC provider, where that is not the cluster's."""


target_way_options = group(
    once(
        "--target-assume-role",
        type=ROLE_ARN,
        help="Look at the target role's trust policy as this role of its account.",
    ),
    once_filled(
        "--target-profile",
        metavar="PROFILE",
        help="Look at the target role's trust policy by this profile of the AWS configuration.",
    ),
)
"""How the account of a target role is reached, where its trust policy is to be looked at."""


target_role_options = group(
    once(
        "--target-role",
        type=Checked("arn", "arn.check_target"),
        help="Let the role assume this role, of another account mostly (chaining).",
    ),
    once(
        "--external-id",
        type=Checked("id", "names.external_id"),
        help="What the target role's trust policy wants to be told by who assumes it.",
    ),
    click.option(
        "--target-tag-session/--no-target-tag-session",
        "target_tag_session",
        default=None,
        help="Let the role tag the target's sessions, too (sts:TagSession).",
    ),
    switch("--update-target-trust", help="Add the statement that the target role's trust policy lacks."),
    once(
        "--aws-config-map",
        type=Checked("name", "names.config_map"),
        help="Write the AWS configuration by which SDKs assume the target into this ConfigMap.",
    ),
    target_way_options,
)
"""The role, of another account mostly, that a ServiceAccount's role may assume."""


reach_options = group(cluster_options, role_account_options, target_way_options, kube_options)
"""Which cluster, as whom, and the other accounts that a command reads."""


def readers_option(help_text: str) -> Decorator:
    """The roles by which the IAM of other accounts is read; what that is for is said in the text."""
    return many("--iam-assume-role", "readers", type=ROLE_ARN, help=help_text)


def take_target_way(options: dict[str, Any]) -> dict[str, str | None]:
    """Take the options of `target_way_options` out of a command's options, where it has them."""
    found: dict[str, str | None] = {name: options.pop(name, None) for name in TARGET_WAY}
    role, target = found["target_assume_role"], options.get("target_role")
    account = str(target or role or "").split(":")[4:5]
    if role and role.split(":")[4:5] != account:
        raise click.UsageError(
            f"--target-assume-role names a role of account {role.split(':')[4]},"
            f" --target-role is in {account[0]}"
        )
    if any(found.values()) and account:
        found["target_account"] = account[0]
    return found


def take_role_account(options: dict[str, Any], *, by_profile: bool = False) -> dict[str, str | None]:
    """Take the options of `role_account_options` out of a command's options, if it has them.

    `by_profile`: --role-profile alone is enough, as the ServiceAccount's annotation names the account.
    """
    found: dict[str, str | None] = {name: options.pop(name, None) for name in ROLE_TARGET}
    role = found["role_assume_role"]
    if role and not found["role_account"]:
        found["role_account"] = role.split(":")[4]
    account = found["role_account"]
    if role and role.split(":")[4] != account:
        raise click.UsageError(
            f"--role-assume-role names a role of account {role.split(':')[4]}, --role-account says {account}"
        )
    if found["role_profile"] and not account and not by_profile:
        raise click.UsageError("--role-profile needs --role-account: the account that it has to be of")
    if account and options.get("issuer_url"):
        raise click.UsageError(
            "--role-account is for clusters of EKS; with --issuer-url, --account is the role's"
        )
    return found


def take_target(options: dict[str, Any], *, by_profile: bool = False) -> Target:
    """Take the options of `cluster_options` and `kube_options` out of a command's options."""
    from irsa_cli.usecases.command.connect import Target

    roles: dict[str, Any] = {**take_role_account(options, by_profile=by_profile), **take_target_way(options)}
    if options.get("issuer_url") and not options.get("account"):
        raise click.UsageError(
            "--issuer-url needs --account: the account that the OIDC provider is to live in"
        )
    if options.get("account") and not options.get("issuer_url"):
        raise click.UsageError("--account is for --issuer-url; with --cluster the account is the cluster's")
    cluster = options.pop("cluster") or ("external" if options.get("issuer_url") else "")
    names = ("region", "profile", "assume_role", "issuer_url", "account", "kubeconfig", "context")
    tell = region_teller(any_region=options.pop("any_region", False))
    found = {name: options.pop(name, None) for name in names}
    target = Target(cluster, tell_region=tell, **roles, **take_expected(options), **found)
    meant = target if cluster else current_cluster(target)
    if meant is None:
        raise click.UsageError("Missing option '--cluster' / '-c'.")
    return meant


def current_cluster(target: Target) -> Target | None:
    """The target with the cluster of the kubeconfig's context, which is told; None where it is none of EKS.

    A region that is given, and is another one, says that the context is not meant.
    """
    found = eks_cluster(target.kubeconfig, target.context)
    if found is None or target.region not in (None, found.region):
        return None
    say(
        f"Note: cluster {found.name} ({found.region}) is that of context {found.context} in {found.source}",
        err=True,
    )
    return replace(target, cluster=found.name, region=found.region, meant=(found.arn, found.server))


def take_expected(options: dict[str, Any]) -> dict[str, Any]:
    """Take the guards out of a command's options, as the attributes of a `Target`."""
    return {
        "expect_account": options.pop("expect_account", None) or "",
        "expect_clusters": tuple(options.pop("expect_cluster_arn", ())),
    }


def region_teller(*, any_region: bool) -> Callable[[str], None] | None:
    """What says in which region the cluster was found; None where it is not looked for in others."""

    def tell(told: str) -> None:
        say(f"Note: {told}", err=True)

    return tell if any_region else None
