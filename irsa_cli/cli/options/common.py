"""Option types and the options that several commands share.

A value is checked here by the rules of `irsa_cli.core`, so that bad input ends with exit code 2 and
the flag's name before any call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from irsa_cli.cli.help.completing import completed
from irsa_cli.cli.options.types import DURATION as DURATION
from irsa_cli.cli.options.types import Checked as Checked
from irsa_cli.cli.options.types import Duration as Duration
from irsa_cli.cli.options.types import Once as Once
from irsa_cli.cli.options.types import filled as filled
from irsa_cli.cli.output.forms import OutputForm

F = TypeVar("F", bound=Callable[..., Any])


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


def _apply(function: F, decorators: Sequence[Callable[[F], F]]) -> F:
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


any_region_option = click.option(
    "--any-region", is_flag=True, help="Look for the cluster in all regions, where it is not in this one."
)


profile_option = click.option(
    "-p",
    "--profile",
    cls=Once,
    callback=filled,
    metavar="PROFILE",
    shell_complete=completed("profiles"),
    help="Profile of the AWS configuration.",
)
assume_role_option = click.option(
    "--assume-role",
    cls=Once,
    type=Checked("arn", "arn.check_role"),
    help="Become this role first (pipelines that hop accounts).",
)


expect_options: list[Callable[[Any], Any]] = [
    click.option(
        "--expect-account",
        cls=Once,
        type=Checked("id", "arn.check_account"),
        help="Do nothing at all (exit 4) unless the cluster is in this account.",
    ),
    click.option(
        "--expect-cluster-arn",
        multiple=True,
        type=Checked("arn", "arn.check_cluster"),
        help="Do nothing at all (exit 4) unless this is the cluster (repeat: one of these).",
    ),
]
"""Guards: which account and cluster it has to be."""


def cluster_options(function: F) -> F:
    """Which cluster, as whom."""
    option = click.option
    return _apply(
        function,
        [
            option(
                "-c",
                "--cluster",
                cls=Once,
                type=Checked("name", "names.cluster"),
                shell_complete=completed("clusters"),
                help="Name of the EKS cluster.",
            ),
            option(
                "-r",
                "--region",
                cls=Once,
                callback=filled,
                metavar="REGION",
                shell_complete=completed("regions"),
                help="AWS region of the cluster. [default: as the AWS CLI finds it]",
            ),
            any_region_option,
            profile_option,
            assume_role_option,
            option(
                "--issuer-url",
                cls=Once,
                type=Checked("url", "issuer.check_issuer"),
                help="Issuer of a cluster that is not EKS.",
            ),
            option(
                "--account",
                cls=Once,
                type=Checked("id", "arn.check_account"),
                help="AWS account for --issuer-url.",
            ),
            *expect_options,
        ],
    )


def kube_options(function: F) -> F:
    """How the cluster's API is reached."""
    return _apply(
        function,
        [
            click.option(
                "--kubeconfig",
                cls=Once,
                type=click.Path(exists=True, dir_okay=False),
                help="Use this kubeconfig instead of asking EKS.",
            ),
            click.option(
                "--context",
                cls=Once,
                callback=filled,
                metavar="NAME",
                help="Use this context of the kubeconfig.",
            ),
        ],
    )


out_option = click.option(
    "--out",
    cls=Once,
    type=click.Path(dir_okay=False),
    callback=filled,
    metavar="FILE",
    help="With --dry-run: save the plan; `irsa apply FILE` carries out exactly that, or refuses.",
)


def run_options(function: F) -> F:
    """How a command that writes is run."""
    option = click.option
    return _apply(
        function,
        [
            option("--dry-run", is_flag=True, help="Show what would be done, and do nothing."),
            out_option,
            option(
                "--detailed-exitcode",
                is_flag=True,
                help="With --dry-run: exit 6 when there is something to do.",
            ),
            option(
                "--timeout",
                cls=Once,
                type=DURATION,
                default=300.0,
                help="Give up and roll everything back after this time. [default: 5m]",
            ),
            option(
                "--rollback-timeout",
                cls=Once,
                type=DURATION,
                default=60.0,
                help="How long the rollback may take. [default: 60s]",
            ),
            option(
                "-y",
                "--yes",
                "--approve",
                "yes",
                is_flag=True,
                help="Delete without a question; --approve as eksctl has it. Nothing else is ever asked.",
            ),
            lock_options,
            state_dir_option,
        ],
    )


lock_namespace_option = click.option(
    "--lock-namespace",
    cls=Once,
    type=Checked("namespace", "names.namespace"),
    envvar="IRSA_LOCK_NAMESPACE",
    help="Where the locks are, the same for all runs. [default: .irsa.yaml's, else default]",
)


def lock_options(function: F) -> F:
    """The lock by which one run at a time changes a ServiceAccount and its role."""
    return _apply(
        function,
        [
            click.option(
                "--lock-timeout",
                cls=Once,
                type=Duration(zero=True),
                envvar="IRSA_LOCK_TIMEOUT",
                help="How long to wait for another run's lock; 0 refuses at once."
                " [default: .irsa.yaml's, else 60s]",
            ),
            lock_namespace_option,
            click.option(
                "--lock/--no-lock",
                default=None,
                envvar="IRSA_LOCK",
                help="Lock what is changed, so that runs that change the same wait for each other."
                " [default: .irsa.yaml's, else --lock]",
            ),
        ],
    )


state_dir_option = click.option(
    "--state-dir",
    cls=Once,
    type=click.Path(file_okay=False),
    callback=filled,
    envvar="IRSA_STATE_DIR",
    help="Where the journals of transactions are kept. [default: the user's state directory]",
)


no_headers_option = click.option("--no-headers", is_flag=True, help="Tables without their first line.")


def output_option(*forms: str) -> Callable[[F], F]:
    """The form of what is printed: one of these, or what a jsonpath finds in the JSON document."""
    return click.option(
        "-o",
        "--output",
        cls=Once,
        type=OutputForm(forms),
        default="text",
        help="Form of the result on standard output. [default: text]",
    )


_FORMS = ("text", "json", "yaml", "name")


def report_options(function: F) -> F:
    """Where the result goes beside standard output, and how long its Markdown may be."""
    path = click.Path(dir_okay=False)
    return _apply(
        function,
        [
            click.option(
                "--max-length",
                cls=Once,
                type=click.IntRange(4_000),
                metavar="N",
                help="Characters of -o markdown; what has no room is named. [default: 65000, a comment's]",
            ),
            click.option(
                "--output-file",
                cls=Once,
                type=path,
                callback=filled,
                help="Append outputs for the next step, as GitHub's GITHUB_OUTPUT has them.",
            ),
            click.option(
                "--summary-file",
                cls=Once,
                type=path,
                callback=filled,
                help="Append the result as Markdown, as to GitHub's GITHUB_STEP_SUMMARY (up to 1 MiB).",
            ),
            click.option(
                "--json-file",
                cls=Once,
                type=path,
                callback=filled,
                help="Write the result as JSON, whatever -o is.",
            ),
        ],
    )


def reported_output_options(function: F) -> F:
    """How a command speaks whose result is read in pipelines, too."""
    return _speaking(report_options(function), *_FORMS, "markdown", "github")


def output_options(function: F) -> F:
    """How a command speaks."""
    return _speaking(function, *_FORMS)


def _speaking(function: F, *forms: str) -> F:
    return _apply(
        function,
        [
            output_option(*forms),
            click.option("-q", "--quiet", is_flag=True, help="No progress; errors and the result only."),
            click.option(
                "-v",
                "--verbose",
                is_flag=True,
                help="Show each call to AWS and Kubernetes with its time, and every value of a plan.",
            ),
        ],
    )
