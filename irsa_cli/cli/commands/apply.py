"""`irsa apply`: its options; what it does is in `irsa_cli.usecases.files.apply`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.common import Checked, Once, kube_options, reported_output_options, run_options
from irsa_cli.cli.options.files import file_options, place_options, placed, take_files, take_place
from irsa_cli.cli.options.roles import (
    allow_boundary_removal_option,
    allow_wide_trust_option,
    take_boundary_rules,
)
from irsa_cli.cli.options.taking import take_settings
from irsa_cli.cli.output.speaking import Speaking

if TYPE_CHECKING:
    from irsa_cli.usecases.files.targets import Request

_EPILOG = """
\b
Examples:
  irsa apply -f cluster.yaml                     # eksctl's ClusterConfig, or irsa's Bindings
  irsa apply -f bindings/ -c prod --dry-run
  irsa apply -f cluster.yaml --include 'backend/*' --atomic
  irsa apply plan.json                           # exactly what irsa diff --out plan.json has shown
"""


def apply_options(command: Any) -> Any:
    """How what differs is dealt with: the same for `apply` and `diff`."""
    options = [
        click.option(
            "--atomic", is_flag=True, help="One transaction for all: either everything is done, or nothing."
        ),
        click.option(
            "--override-existing-serviceaccounts",
            "override",
            is_flag=True,
            help="Let ServiceAccounts that have another, unmanaged role change to the one in the file.",
        ),
        click.option(
            "--prune",
            is_flag=True,
            help="Delete what irsa made in these clusters and no file has any more.",
        ),
        click.option(
            "--update-target-trust",
            is_flag=True,
            help="Add the statements that the trust policies of target roles lack.",
        ),
        click.option(
            "--update-trust",
            is_flag=True,
            help="Add to the trust policies of roles that are only used (attachRoleARN) what they lack.",
        ),
        click.option(
            "--permissions-boundary",
            "boundary",
            cls=Once,
            type=Checked("arn", "arn.check_policy"),
            help="Permissions boundary of all roles, whatever the files say."
            " [default: the files', else IRSA_PERMISSIONS_BOUNDARY, else .irsa.yaml's]",
        ),
        allow_boundary_removal_option,
        allow_wide_trust_option,
        click.option(
            "--force",
            is_flag=True,
            help="Write trust statements that void a restriction of one that is there, too.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


verify_option = click.option(
    "--verify", is_flag=True, help="Prove each token at STS before its ServiceAccount gets the role."
)


@click.command("apply", cls=HelpedCommand, epilog=_EPILOG)
@click.argument(
    "plan_file", required=False, metavar="[PLANFILE]", type=click.Path(exists=True, dir_okay=False)
)
@partial(file_options, required=False)
@place_options
@kube_options
@apply_options
@verify_option
@run_options
@reported_output_options
def command(**options: Any) -> int:
    """Apply configuration files: create what is missing, change what differs.

    One transaction for each ServiceAccount, many at the same time: an error of one rolls only that one
    back. What agrees costs no write. Reads eksctl's ClusterConfig and irsa's own Bindings.

    With PLANFILE, which --out has saved, exactly that plan is carried out; it is refused (exit 4) when the
    current state is no longer the one that it was made of.
    """
    plan_file = options.pop("plan_file")
    if plan_file is not None:
        from irsa_cli.cli.commands.apply_plan import run_plan

        return run_plan(plan_file, options)
    if not options["files"]:
        raise click.UsageError("Missing option '-f', or a PLANFILE.")
    return run(options, verify=options.pop("verify"))


def run(options: dict[str, Any], *, verify: bool = False) -> int:
    """Apply, or show what would be applied."""
    from irsa_cli.cli.output.confirming import demand_yes
    from irsa_cli.cli.output.screens.applied import finish_applied, told
    from irsa_cli.cli.saved_plan import plan_saver
    from irsa_cli.cli.session import outcome_of
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.usecases.files.apply import apply

    if options["prune"]:
        demand_yes(options, "--prune")
    speaking = Speaking.take(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    settings, detailed = take_settings(options, progress)
    request = _request(options, verify=verify)
    if not (request.atomic or speaking.verbose):
        settings = replace(settings, listen=lambda event: None)  # A line for each ServiceAccount will do.
    tell = (lambda item: None) if settings.dry_run else lambda item: progress.ended(told(item))
    done = outcome_of(
        lambda: apply(request, settings, progress.wire, tell),
        speaking,
        progress,
    )
    done.detailed = detailed
    save = plan_saver(options, "apply", replace(request, changed_by=False))
    return finish_applied(done, speaking, dry_run=settings.dry_run, save=save)


def _request(options: dict[str, Any], *, verify: bool) -> Request:
    from irsa_cli.core.values.errors import InvalidInput
    from irsa_cli.usecases.files.targets import Request, places

    target = take_place(options)
    configs, selection = take_files(options)
    target = placed(target, configs)
    request = Request(
        configs,
        target,
        selection,
        parallel=options["parallel"],
        atomic=options["atomic"],
        override=options["override"],
        update_trust=options["update_trust"],
        update_target_trust=options["update_target_trust"],
        force=options["force"],
        allow_wide_trust=options["allow_wide_trust"],
        verify=verify,
        prune=options["prune"],
        max_failures=options["max_failures"],
        changed_by=options.get("changed_by", False),
        boundary=options["boundary"] or "",
        boundaries=take_boundary_rules(may_remove=options["allow_boundary_removal"]),
    )
    try:
        places(configs, target, selection)
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    return request
