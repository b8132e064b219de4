"""Write the man pages of all commands from the command line itself; with `--check`, fail if one is stale.

The texts are those of `irsa_cli.cli`, without hidden options. The language of groff:
https://man7.org/linux/man-pages/man7/groff_man.7.html
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from irsa_cli.cli.help.helping import HelpedCommand, examples, option_headings
from irsa_cli.cli.main import COMMANDS, GROUPS, irsa

FOLDER = Path(__file__).resolve().parents[2] / "man" / "man1"
_SIGNS = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_EXIT_CODES = """\
0: done, or no changes. 1: failed and rolled back. 2: wrong usage. 3: the rollback is incomplete. 4: refused.
5: a check failed. 6: there are changes (--detailed-exitcode). 128 + N: ended by signal N."""


def pages() -> dict[str, str]:
    """Each page by the name of its file."""
    context = click.Context(irsa, info_name="irsa", **irsa.context_settings)
    return {"irsa.1": _top(), **dict(_commands(irsa, context))}


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        below = click.Context(command, info_name=name, parent=context)
        if not command.hidden:
            yield f"{below.command_path.replace(' ', '-')}.1", _page(command, below)
        if isinstance(command, click.Group):
            yield from _commands(command, below)


def _top() -> str:
    lines = [*_head("irsa", (irsa.help or "")), ".SH SYNOPSIS", ".B irsa", "COMMAND [OPTIONS]"]
    lines += [".SH DESCRIPTION", *_paragraphs(irsa.help or ""), ".SH COMMANDS"]
    for heading, names in GROUPS.items():
        lines.append(f".SS {_text(heading)}")
        for name in names:
            lines += [".TP", f".BR {_text(f'irsa-{name}')} (1)", _text(COMMANDS[name])]
    return "\n".join([*lines, *_tail(["irsa-help", "irsa-docs", "irsa-config"])])


def _page(command: click.Command, context: click.Context) -> str:
    path = context.command_path
    first = " ".join((command.help or "").split("\n\n")[0].split())
    lines = [*_head(path.replace(" ", "-"), first), ".SH SYNOPSIS", f".B {_text(path)}"]
    lines += [_text(" ".join(command.collect_usage_pieces(context)))]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
    options = list(_options(command, context))
    if options:
        lines += [".SH OPTIONS", *options]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for name in command.list_commands(context):
            lines += [".TP", f".BR {_text(f'{path} {name}'.replace(' ', '-'))} (1)", _text("See there.")]
    if found := examples(command):
        lines += [".SH EXAMPLES", ".EX", *map(_text, "\n".join(found).splitlines()), ".EE"]
    return "\n".join([*lines, *_tail(["irsa"])])


def _head(name: str, first: str) -> list[str]:
    return [
        f'.TH "{_text(name.upper())}" "1" "" "irsa" "irsa"',
        ".SH NAME",
        rf"{_text(name)} \- {_text(first)}",
    ]


def _tail(also: list[str]) -> list[str]:
    see = ",\n".join(f".BR {_text(name)} (1)" for name in also).replace(" (1),\n", " (1),\n")
    return [".SH EXIT STATUS", *map(_text, _EXIT_CODES.splitlines()), ".SH SEE ALSO", see, ""]


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for heading, options in option_headings(command, context).items():
        shown = [option for option in options if option.get_help_record(context)]
        if not shown:
            continue
        if isinstance(command, HelpedCommand) and heading != "Options":
            yield f".SS {_text(heading)}"
        for option in shown:
            record = option.get_help_record(context)
            assert record is not None
            variable = f" Environment: {option.envvar}." if option.envvar else ""
            yield from (
                ".TP",
                rf"\fB{_text(record[0])}\fR",
                _text(" ".join(f"{record[1]}{variable}".split())),
            )


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        yield from ([".PP"] if number else [])
        yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """A text that groff shows as it is, without requests."""
    shown = re.sub(r"[\\\-'`^~]", lambda found: _SIGNS[found[0]], text)
    shown = "".join(sign if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in shown)
    return rf"\&{shown}" if shown.startswith(".") else shown


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; returns the exit code."""
    desired = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.1")}
    if arguments == ["--check"]:
        stale = sorted(name for name in {*desired, *there} if desired.get(name) != there.get(name))
        if stale:
            print(f"stale in man/man1 ({', '.join(stale)}): python tools/docs/man.py", file=sys.stderr)
        return bool(stale)
    if arguments:
        print("usage: python tools/docs/man.py [--check]", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in there.keys() - desired.keys():
        (FOLDER / name).unlink()
    for name, text in desired.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
