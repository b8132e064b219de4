"""How help is laid out: options under headings, commands in groups, and what a mistyped one may mean.

What an option means is said where it is defined. Imported for `irsa --help`, so it imports little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import click

from irsa_cli.cli.help.environment import TARGET, chosen_file, project_defaults, settle

_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "Options": (),
    "Role": (
        "attach_policy_arn", "detach_policy_arn", "set_policy_arns", "inline_policy",
        "remove_inline_policy", "well_known_policy", "attach_role_arn", "update_trust", "force",
        "role_name", "role_path", "role_only", "permissions_boundary", "no_permissions_boundary",
        "allow_boundary_removal", "boundary", "max_session_duration", "description", "tags", "remove_tag",
        "subject_pattern",
    ),
    "ServiceAccount": (
        "name_option", "namespace", "everywhere", "selector", "label", "annotation", "audience",
        "sts_regional_endpoints", "token_expiration", "create_namespace", "override",
    ),
    "Files": ("files", "include", "exclude", "parallel", "max_failures"),
    "Target": (*TARGET, "readers", "expect_account", "expect_cluster_arn"),
    "Other accounts": (
        "role_account", "role_assume_role", "role_profile", "target_role", "external_id",
        "target_tag_session", "update_target_trust", "aws_config_map", "target_assume_role",
        "target_profile",
    ),
    "Run": (
        "dry_run", "detailed_exitcode", "out", "yes", "timeout", "rollback_timeout", "lock", "lock_timeout",
        "lock_namespace", "state_dir",
    ),
    "Output": (
        "output", "no_headers", "watch", "interval", "max_length", "output_file", "summary_file",
        "json_file", "quiet", "verbose", "help",
    ),
}  # fmt: skip
_HEADING = {name: heading for heading, names in _HEADINGS.items() for name in names}


class AsCalled(click.Command):
    """A command whose examples call irsa as it was called: `kubectl irsa`, where it is kubectl's plugin."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        epilog, name = self.epilog, ctx.find_root().info_name or "irsa"
        if epilog and name != "irsa":
            self.epilog = re.sub(r"(?m)(?<![\w./-])irsa(?= [a-z-])", name, epilog)
        try:
            super().format_epilog(ctx, formatter)
        finally:
            self.epilog = epilog


class HelpedCommand(AsCalled):
    """A command whose options stand under headings in its help, and have defaults in the project's file."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line, with what `.irsa.yaml` has for what it does not say."""
        with ExitStack() as chosen:
            chosen.enter_context(chosen_file(self, args))
            if not extra.get("resilient_parsing") and not {"-h", "--help"} & set(args):
                try:
                    extra.setdefault("default_map", project_defaults(info_name or "", self))
                except Exception as error:
                    raise _wrong_project(error, parent) from error
            context = super().make_context(info_name, args, parent, **extra)
            context.call_on_close(chosen.pop_all().close)
            return context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; a flag that contradicts the environment, or the project, wins."""
        left = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            settle(ctx)
        return left

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of the command itself first."""
        for heading, options in option_headings(self, ctx).items():
            records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def option_headings(command: click.Command, context: click.Context) -> dict[str, list[click.Option]]:
    """The options of a command under their headings, its own first."""
    found: dict[str, list[click.Option]] = {heading: [] for heading in _HEADINGS}
    for param in command.get_params(context):
        if isinstance(param, click.Option):
            found[_HEADING.get(param.name or "", "Options")].append(param)
    return found


def _wrong_project(error: Exception, context: click.Context | None) -> Exception:
    """What is wrong with `.irsa.yaml`, as wrong usage."""
    from irsa_cli.core.values.errors import InvalidInput

    if not isinstance(error, InvalidInput):
        return error
    return click.UsageError(str(error), context)


class HelpedGroup(AsCalled, click.Group):
    """A group whose commands lay out their help as `HelpedCommand`, and that knows what was meant."""

    command_class = HelpedCommand

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that there is not gets the names of those that are alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = alike(args[0], self.list_commands(ctx))
            if not near or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}. {near}", ctx) from error


def alike(text: str, names: Iterable[str]) -> str:
    """The question whether one of the names was meant that are like a text; '' where none is."""
    import difflib

    near = difflib.get_close_matches(text, list(names), n=2, cutoff=0.7)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def command_of(context: click.Context) -> str:
    """The command, as its user called it, without `irsa` (or `kubectl irsa`)."""
    return context.command_path.removeprefix(context.find_root().command_path).strip()
