"""The options for a cluster and other accounts, and their `Target` (`irsa_cli.usecases.command.caller`)."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.terminal.screen import is_terminal, say

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Target

ROLE_TARGET = ("role_account", "role_assume_role", "role_profile")
"""The options `role account`, as attributes of a `Target`."""
TARGET_WAY = ("target_assume_role", "target_profile")
"""The options to read a target role's trust policy, as attributes of a `Target`."""


def take_target_way(options: dict[str, Any]) -> dict[str, str | None]:
    """Take the options of `TARGET_WAY`, if a command has them."""
    found: dict[str, str | None] = {name: options.pop(name, None) for name in TARGET_WAY}
    role, target = found["target_assume_role"], options.get("target_role")
    account = str(target or role or "").split(":")[4:5]
    if role and role.split(":")[4:5] != account:
        raise click.UsageError(
            f"--target-assume-role is in account {role.split(':')[4]}, --target-role in {account[0]}"
        )
    if any(found.values()) and account:
        found["target_account"] = account[0]
    return found


def take_role_account(options: dict[str, Any], *, by_profile: bool = False) -> dict[str, str | None]:
    """Take the options `role account` out of a command's options, if it has them.

    `by_profile`: --role-profile alone is enough, as the ServiceAccount's annotation names the account.
    """
    found: dict[str, str | None] = {name: options.pop(name, None) for name in ROLE_TARGET}
    role = found["role_assume_role"]
    if role and not found["role_account"]:
        found["role_account"] = role.split(":")[4]
    account = found["role_account"]
    if role and role.split(":")[4] != account:
        raise click.UsageError(
            f"--role-assume-role is in account {role.split(':')[4]}, --role-account is {account}"
        )
    if found["role_profile"] and not account and not by_profile:
        raise click.UsageError("--role-profile needs --role-account, the account of that profile")
    if account and options.get("issuer_url"):
        raise click.UsageError("--role-account is for EKS clusters; with --issuer-url, use --account")
    return found


def take_named(options: dict[str, Any], *, by_profile: bool = False, yields: tuple[str, ...] = ()) -> Target:
    """Take the options of a cluster, the caller and other accounts out of a command's options."""
    from irsa_cli.usecases.command.connect import Target

    found: dict[str, Any] = take_role_account(options, by_profile=by_profile) | take_target_way(options)
    if options.get("issuer_url") and not options.get("account"):
        raise click.UsageError("--issuer-url needs --account, the account of the OIDC provider")
    if options.get("account") and not options.get("issuer_url"):
        raise click.UsageError("--account needs --issuer-url; with --cluster, use --role-account")
    cluster = options.pop("cluster") or ("external" if options.get("issuer_url") else "")
    names = ("region", "profile", "assume_role", "issuer_url", "account", "kubeconfig", "context")
    found |= {name: options.pop(name, None) for name in names}
    tell = (lambda note: say(f"Note: {note}", err=True)) if options.pop("any_region", False) else None
    found |= {"tell_region": tell, "asks_caller": is_terminal(sys.stderr), **take_expected(options)}
    return Target(cluster, yields=yields, **found)


def take_target(options: dict[str, Any], *, by_profile: bool = False) -> Target:
    """The same; without a cluster, it is the kubeconfig's."""
    target = take_named(options, by_profile=by_profile)
    meant = target if target.cluster else current_cluster(target)
    if meant is None:
        from irsa_cli.usecases.local.known_names import clusters

        known = not target.region and clusters(
            state_dir(options.get("state_dir") or os.environ.get("IRSA_STATE_DIR"))
        )
        named = f"Known clusters: {', '.join(known)}" if known else "To list clusters: aws eks list-clusters"
        raise click.UsageError(f"Missing option '--cluster' / '-c'. {named}")
    return meant


def current_cluster(target: Target) -> Target | None:
    """The target with the EKS cluster of the kubeconfig's context; None if there is none.

    A different --region means that the context does not count.
    """
    from irsa_cli.usecases.local.kubeconfig import eks_cluster

    found = eks_cluster(target.kubeconfig, target.context)
    if found is None or target.region not in (None, found.region):
        return None
    say(
        f"Note: using cluster {found.name} ({found.region}) of context {found.context} in {found.source}",
        err=True,
    )
    return replace(target, cluster=found.name, region=found.region, meant=(found.arn, found.server))


def take_expected(options: dict[str, Any]) -> dict[str, Any]:
    """Take the guards, as attributes of a `Target`; the project's own is read when it is connected."""
    from irsa_cli.usecases.command.project_settings import expected_by_project

    return {
        "expect_project": expected_by_project,
        "expect_account": options.pop("expect_account", None) or "",
        "expect_clusters": tuple(options.pop("expect_cluster_arn", ())),
    }
