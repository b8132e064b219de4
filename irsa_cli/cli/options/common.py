"""The options that several commands share.

A value is checked here by the rules of `irsa_cli.core`, so that bad input ends with exit code 2 and
the flag's name before any call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options.types import (
    ACCOUNT_ID,
    CLUSTER_NAME,
    DURATION,
    NAMESPACE,
    ROLE_ARN,
    Checked,
    Decorator,
    Duration,
    completed,
    group,
    many,
    once,
    once_filled,
    switch,
    wrong_usage,
)
from irsa_cli.cli.output.confirming import Confirmation
from irsa_cli.cli.output.forms import OutputForm
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.results.scope import Allowance
from irsa_cli.usecases.command.settings import LockOptions, Settings


def pairs(flag: str, values: Sequence[str], *, split: bool = False) -> dict[str, str]:
    """`key=value` texts as a dict; with `split` one text may hold several, separated by commas."""
    result: dict[str, str] = {}
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
    """Values given by repeating a flag or with commas, each once, in the order given."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


any_region_option = switch(
    "--any-region", help="Look for the cluster in all regions, where it is not in this one."
)


profile_option = once_filled(
    "-p",
    "--profile",
    metavar="PROFILE",
    shell_complete=completed("profiles"),
    help="Profile of the AWS configuration.",
)
assume_role_option = once(
    "--assume-role", type=ROLE_ARN, help="Become this role first (pipelines that hop accounts)."
)


expect_options = group(
    once(
        "--expect-account",
        type=ACCOUNT_ID,
        help="Do nothing at all (exit 4) unless the cluster is in this account.",
    ),
    many(
        "--expect-cluster-arn",
        type=Checked("arn", "arn.check_cluster"),
        help="Do nothing at all (exit 4) unless this is the cluster (repeat: one of these).",
    ),
)
"""Guards: which account and cluster it has to be."""


cluster_options = group(
    once(
        "-c",
        "--cluster",
        type=CLUSTER_NAME,
        shell_complete=completed("clusters"),
        help="Name of the EKS cluster.",
    ),
    once_filled(
        "-r",
        "--region",
        metavar="REGION",
        shell_complete=completed("regions"),
        help="AWS region of the cluster. [default: as the AWS CLI finds it]",
    ),
    any_region_option,
    profile_option,
    assume_role_option,
    once(
        "--issuer-url",
        type=Checked("url", "issuer.check_issuer"),
        help="Issuer of a cluster that is not EKS.",
    ),
    once("--account", type=ACCOUNT_ID, help="AWS account for --issuer-url."),
    expect_options,
)
"""Which cluster, as whom."""


kube_options = group(
    once(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False),
        help="Use this kubeconfig instead of asking EKS.",
    ),
    once_filled("--context", metavar="NAME", help="Use this context of the kubeconfig."),
)
"""How the cluster's API is reached."""


out_option = once_filled(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="With --dry-run: save the plan; `irsa apply FILE` carries out exactly that, or refuses.",
)


lock_namespace_option = once(
    "--lock-namespace",
    type=NAMESPACE,
    envvar="IRSA_LOCK_NAMESPACE",
    help="Where the locks are, the same for all runs. [default: .irsa.yaml's, else default]",
)


lock_options = group(
    once(
        "--lock-timeout",
        type=Duration(zero=True),
        envvar="IRSA_LOCK_TIMEOUT",
        help="How long to wait for another run's lock; 0 refuses at once. [default: .irsa.yaml's, else 60s]",
    ),
    lock_namespace_option,
    click.option(
        "--lock/--no-lock",
        default=None,
        envvar="IRSA_LOCK",
        help="Lock what is changed, so that runs that change the same wait for each other."
        " [default: .irsa.yaml's, else --lock]",
    ),
)
"""The lock by which one run at a time changes a ServiceAccount and its role."""


state_dir_option = once_filled(
    "--state-dir",
    type=click.Path(file_okay=False),
    envvar="IRSA_STATE_DIR",
    help="Where the journals of transactions are kept. [default: the user's state directory]",
)


run_options = group(
    switch("--dry-run", help="Show what would be done, and do nothing."),
    out_option,
    switch("--detailed-exitcode", help="With --dry-run: exit 6 when there is something to do."),
    once(
        "--timeout",
        type=DURATION,
        default=300.0,
        help="Give up and roll everything back after this time. [default: 5m]",
    ),
    once(
        "--rollback-timeout",
        type=DURATION,
        default=60.0,
        help="How long the rollback may take. [default: 60s]",
    ),
    switch(
        "-y",
        "--yes",
        "--approve",
        "yes",
        help="Delete without a question; --approve as eksctl has it. Nothing else is ever asked.",
    ),
    lock_options,
    state_dir_option,
)
"""How a command that writes is run."""


no_headers_option = switch("--no-headers", help="Tables without their first line.")


def output_option(*forms: str) -> Decorator:
    """The form of what is printed: one of these, or what a jsonpath finds in the JSON document."""
    return once(
        "-o",
        "--output",
        type=OutputForm(forms),
        default="text",
        help="Form of the result on standard output. [default: text]",
    )


def _speaking(*forms: str) -> Decorator:
    return group(
        output_option(*forms),
        switch("-q", "--quiet", help="No progress; errors and the result only."),
        switch(
            "-v",
            "--verbose",
            help="Show each call to AWS and Kubernetes with its time, and every value of a plan.",
        ),
    )


_FILE = click.Path(dir_okay=False)
_FORMS = ("text", "json", "yaml", "name")

report_options = group(
    once(
        "--max-length",
        type=click.IntRange(4_000),
        metavar="N",
        help="Characters of -o markdown; what has no room is named. [default: 65000, a comment's]",
    ),
    once_filled(
        "--output-file",
        type=_FILE,
        help="Append outputs for the next step, as GitHub's GITHUB_OUTPUT has them.",
    ),
    once_filled(
        "--summary-file",
        type=_FILE,
        help="Append the result as Markdown, as to GitHub's GITHUB_STEP_SUMMARY (up to 1 MiB).",
    ),
    once_filled("--json-file", type=_FILE, help="Write the result as JSON, whatever -o is."),
)
"""Where the result goes beside standard output, and how long its Markdown may be."""
output_options = _speaking(*_FORMS)
"""How a command speaks."""
reported_output_options = group(_speaking(*_FORMS, "markdown", "github"), report_options)
"""How a command speaks whose result is read in pipelines, too."""
writing_options = group(run_options, reported_output_options)
"""How a command that writes is run, and speaks."""
quiet_option = switch("-q", "--quiet", help="Errors and the result only.")
calls_option = switch("-v", "--verbose", help="Show each call to AWS and Kubernetes with its time.")
allow_empty_option = switch("--allow-empty", help="Exit 0 even if there was nothing to check.")
allow_partial_option = switch(
    "--allow-partial", help="Exit 0 even if something that matters could not be read."
)
scope_options = group(allow_partial_option, allow_empty_option)
"""What a command that reads accepts, instead of ending with 1 or 7."""
ignore_not_found_option = switch("--ignore-not-found", help="A NAME that does not exist is no error.")


def take_allowance(options: dict[str, Any]) -> Allowance:
    """Take the options of `scope_options`."""
    return Allowance(options.pop("allow_partial"), options.pop("allow_empty"))


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
