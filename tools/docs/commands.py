"""Write docs/reference/commands.md from the command line itself; with `--check`, fail if it is stale.

The texts are those of `irsa_cli.cli`, without hidden options.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from irsa_cli.cli.help.helping import examples
from irsa_cli.cli.main import irsa

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"
HEAD = """\
# Commands

<!-- Written by tools/docs/commands.py from the command line itself: change it there. -->

Each command with all its options, as in `irsa COMMAND --help-all`. See also [Exit codes](exit-codes.md) and
[JSON output](json-output.md).
"""


def page() -> str:
    """The whole page."""
    context = click.Context(irsa, info_name="irsa", **irsa.context_settings)
    sections = [HEAD, *_sections(irsa, context)]
    return "\n".join(sections)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """The section of a command, and of those below it."""
    yield _section(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            if not below.hidden:
                yield from _sections(below, click.Context(below, info_name=name, parent=context))


def _section(command: click.Command, context: click.Context) -> str:
    lines = [f"## {context.command_path}", "", "```sh", _usage(command, context), "```", ""]
    lines += [_help(command), ""]
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    lines += [_option(option) for option in options if not option.hidden]
    if found := examples(command):
        lines += ["", "Examples:", "", "```sh", *found, "```"]
    return "\n".join(lines) + "\n"


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _help(command: click.Command) -> str:
    paragraphs = (command.help or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _option(option: click.Option) -> str:
    names = [*option.opts, *option.secondary_opts]
    value = "" if option.is_flag or option.count else f" {_value(option)}"
    shown = ", ".join(f"`{name}{value}`" if name.startswith("--") else f"`{name}`" for name in names)
    variable = f" (environment: `{option.envvar}`)" if option.envvar else ""
    return f"- {shown}: {' '.join((option.help or '').split())}{variable}"


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; returns the exit code."""
    desired = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == desired:
            return 0
        print("docs/reference/commands.md is stale: python tools/docs/commands.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python tools/docs/commands.py [--check]", file=sys.stderr)
        return 2
    PAGE.write_text(desired, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
