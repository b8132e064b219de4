"""Taking groups of options out of a command's options, as the values that use cases ask for.

The options themselves are declared beside this; what a command does with the values is its own business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options.accounts import take_role_account, take_target_way
from irsa_cli.cli.options.types import wrong_usage
from irsa_cli.cli.output.confirming import Confirmation
from irsa_cli.cli.terminal.wording import say
from irsa_cli.usecases.command.settings import LockOptions, Settings
from irsa_cli.usecases.local.kubeconfig import eks_cluster

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.usecases.command.connect import Target


def take_target(options: dict[str, Any]) -> Target:
    """Take the options of `cluster_options` and `kube_options` out of a command's options."""
    from irsa_cli.usecases.command.connect import Target

    roles: dict[str, Any] = {**take_role_account(options), **take_target_way(options)}
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


def take_lock_options(options: dict[str, Any]) -> LockOptions:
    """Take the options of `lock_options`; what is not given is as the project's `.irsa.yaml` has it."""
    from irsa_cli.usecases.command.project_settings import lock_options

    with wrong_usage():
        return lock_options(
            namespace=options.pop("lock_namespace"),
            timeout=options.pop("lock_timeout"),
            enabled=options.pop("lock"),
        )


def take_lock_namespace(options: dict[str, Any]) -> str:
    """Take the option of `lock_namespace_option`: where the locks are that a command looks at."""
    return take_lock_options({**options, "lock_timeout": None, "lock": None}).namespace


def take_settings(options: dict[str, Any], progress: Progress) -> tuple[Settings, bool]:
    """Take the options of `run_options` out of a command's options; also whether exit code 6 is wanted."""
    lock = take_lock_options(options)
    detailed = options.pop("detailed_exitcode")
    progress.seconds = options["timeout"]
    confirmation = Confirmation(progress, yes=options.pop("yes"), dry_run=options["dry_run"])
    settings = Settings(
        state_dir=state_dir(options.pop("state_dir")),
        timeout=options.pop("timeout"),
        rollback_timeout=options.pop("rollback_timeout"),
        dry_run=options.pop("dry_run"),
        listen=progress.listen,
        note=progress.note,
        lock=lock,
        saves=bool(options.get("out")),
        asks=confirmation.asks,
        confirm_plan=confirmation.of_plan,
        confirm_names=confirmation.of_names,
    )
    if detailed and not settings.dry_run:
        raise click.UsageError("--detailed-exitcode needs --dry-run")
    if options.get("out") and not settings.dry_run:
        raise click.UsageError("--out needs --dry-run: it saves what would be done")
    return settings, detailed
