"""The options that several commands share.

Values are checked by the rules of `irsa_cli.core` before any call: bad input ends with exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options import types
from irsa_cli.cli.output.forms import OutputForm
from irsa_cli.cli.output.plan_text import Confirmation
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.usecases.command.settings import LockOptions, Settings


def pairs(flag: str, values: Sequence[str], *, split: bool = False) -> dict[str, str]:
    """`key=value` texts as a dict; with `split` one text may hold several, separated by commas."""
    result: dict[str, str] = {}
    if split and (form := next((value for value in values if value.startswith(("{", "Key="))), "")):
        raise click.BadParameter(f"'{form}' is not KEY=VALUE", param_hint=flag)
    parts = [part for value in values for part in (value.split(",") if split else [value]) if part]
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{part}' is not KEY=VALUE", param_hint=flag)
        if result.get(key, value) != value:
            raise click.BadParameter(f"'{key}' is given twice, with different values", param_hint=flag)
        result[key] = value
    return result


def listed(values: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeated flag or a comma-separated list, each once, in order."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


profile_option = types.once_filled(
    "-p",
    "--profile",
    metavar="PROFILE",
    shell_complete=types.completed("profiles"),
    help="Profile of the AWS configuration.",
)
assume_role_option = types.once("--assume-role", type=types.ROLE_ARN, help="Assume this role first.")


def where_options(more: str = "", region: str = "") -> types.Decorator:
    """The cluster with its region, and the caller; the help of --cluster and --region ends with `more`."""
    return types.group(
        types.once(
            "-c",
            "--cluster",
            type=types.CLUSTER_NAME,
            shell_complete=types.completed("clusters"),
            help=f"Name of the EKS cluster{more}.",
        ),
        types.once_filled(
            "-r",
            "--region",
            metavar="REGION",
            shell_complete=types.completed("regions"),
            help=f"AWS region of the cluster{more}.{region}",
        ),
        types.switch("--any-region", help="If the cluster is not in this region, search all regions."),
        profile_option,
        assume_role_option,
    )


expect_options = types.group(
    types.once(
        "--expect-account",
        type=types.ACCOUNT_ID,
        help="Refuse to run (exit 4) unless the cluster is in this account.",
    ),
    types.many(
        "--expect-cluster-arn",
        type=types.Checked("arn", "arn.check_cluster"),
        help="Refuse to run (exit 4) unless this is the cluster (repeat for several).",
    ),
)
"""Guards: the account and the clusters that are allowed."""

cluster_options = types.group(
    where_options(region=" [default: as in the AWS CLI]"),
    types.once(
        "--issuer-url",
        type=types.Checked("url", "issuer.check_issuer"),
        help="Issuer URL of a cluster outside EKS.",
    ),
    types.once("--account", type=types.ACCOUNT_ID, help="AWS account for --issuer-url."),
    expect_options,
)
"""The cluster, and the AWS identity of the caller."""

kube_options = types.group(
    types.once(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False),
        help="Use this kubeconfig instead of the endpoint from EKS.",
    ),
    types.once_filled("--context", metavar="NAME", help="Use this context of the kubeconfig."),
)

out_option = types.once_filled(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="With --dry-run: save the plan, for irsa apply FILE.",
)

lock_namespace_option = types.once(
    "--lock-namespace",
    type=types.NAMESPACE,
    envvar="IRSA_LOCK_NAMESPACE",
    help="Namespace of the locks, the same for all runs. [default: .irsa.yaml's, else default]",
)

lock_options = types.group(
    types.once(
        "--lock-timeout",
        type=types.Duration(zero=True),
        envvar="IRSA_LOCK_TIMEOUT",
        help="Time to wait for another run's lock. [default: .irsa.yaml's, else 60s]",
    ),
    lock_namespace_option,
    click.option(
        "--lock/--no-lock",
        default=None,
        envvar="IRSA_LOCK",
        help="Let only one run at a time change a resource. [default: .irsa.yaml's, else --lock]",
    ),
)
"""The lock that lets one run at a time change a ServiceAccount and its role."""

state_dir_option = types.once_filled(
    "--state-dir",
    type=click.Path(file_okay=False),
    envvar="IRSA_STATE_DIR",
    help="Directory for the journals of transactions. [default: the user's state directory]",
)

run_options = types.group(
    types.switch("--dry-run", help="Show the plan; change nothing."),
    out_option,
    types.switch("--detailed-exitcode", help="With --dry-run: exit 6 if there are changes."),
    types.once(
        "--timeout",
        type=types.DURATION,
        default=300.0,
        help="Stop and roll back after this time. [default: 5m]",
    ),
    types.once(
        "--rollback-timeout",
        type=types.DURATION,
        default=60.0,
        help="Longest time for the rollback. [default: 60s]",
    ),
    types.switch(
        "-y", "--yes", "--approve", "yes", help="Skip the confirmation prompt (also --approve, as in eksctl)."
    ),
    lock_options,
    state_dir_option,
)

no_headers_option = types.switch("--no-headers", help="Print tables without a header.")


def output_option(*forms: str) -> types.Decorator:
    """The output format: one of these, or a jsonpath into the JSON document."""
    return types.once(
        "-o", "--output", type=OutputForm(forms), default="text", help="Output format. [default: text]"
    )


def _speaking(*forms: str) -> types.Decorator:
    return types.group(
        output_option(*forms),
        types.switch("-q", "--quiet", help="Print errors and the result only."),
        types.switch(
            "-v", "--verbose", help="Print each call to AWS and Kubernetes, and all values of plans."
        ),
    )


_FILE = click.Path(dir_okay=False)
_FORMS = ("text", "json", "yaml", "name")

report_options = types.group(
    types.once(
        "--max-length",
        type=click.IntRange(4_000),
        metavar="N",
        help="Most characters of -o markdown. [default: 65000, the limit of a comment]",
    ),
    types.once_filled(
        "--output-file", type=_FILE, help="Append outputs for the next step (such as $GITHUB_OUTPUT)."
    ),
    types.once_filled(
        "--summary-file", type=_FILE, help="Append the result as Markdown (such as $GITHUB_STEP_SUMMARY)."
    ),
    types.once_filled("--json-file", type=_FILE, help="Also write the result to this file as JSON."),
)
"""Files for the result, and the longest Markdown."""
output_options = _speaking(*_FORMS)
reported_output_options = types.group(_speaking(*_FORMS, "markdown", "github"), report_options)
"""The output of a command whose result pipelines also read."""
writing_options = types.group(run_options, reported_output_options)
"""The run and the output of a command that writes."""
quiet_option = types.switch("-q", "--quiet", help="Print errors and the result only.")
calls_option = types.switch("-v", "--verbose", help="Print each call to AWS and Kubernetes.")
allow_empty_option = types.switch("--allow-empty", help="Exit 0 if there is nothing to check.")
allow_partial_option = types.switch("--allow-partial", help="Exit 0 if something relevant could not be read.")
scope_options = types.group(allow_partial_option, allow_empty_option)
"""Options of commands that read: exit 0 instead of 1 or 7."""
ignore_not_found_option = types.switch("--ignore-not-found", help="Exit 0 if NAME does not exist.")


def take_lock_options(options: dict[str, Any]) -> LockOptions:
    """Take the options of `lock_options`; the defaults are those of `.irsa.yaml`."""
    from irsa_cli.usecases.command.project_settings import lock_options

    with types.wrong_usage():
        return lock_options(
            namespace=options.pop("lock_namespace"),
            timeout=options.pop("lock_timeout"),
            enabled=options.pop("lock"),
        )


def take_lock_namespace(options: dict[str, Any]) -> str:
    """Take the option of `lock_namespace_option`, the namespace of the locks."""
    return take_lock_options({**options, "lock_timeout": None, "lock": None}).namespace


def take_settings(options: dict[str, Any], progress: Progress) -> tuple[Settings, bool]:
    """Take the options of `run_options`; the second value is whether changes give exit code 6."""
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
