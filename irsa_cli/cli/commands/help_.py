"""`irsa help`: the help of a command, as its `--help` prints it."""

from __future__ import annotations

import click

from irsa_cli.cli.help.helping import HelpedCommand

_EPILOG = """
\b
Examples:
  irsa help create-sa
  irsa help policies show
"""


@click.command("help", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command.

    Without COMMAND the list of all commands.
    """
    root = context.find_root()
    found, place = root.command, root
    for word in words:
        if not isinstance(found, click.Group):
            raise click.UsageError(f"{place.command_path} has no commands of its own")
        _, below, _ = found.resolve_command(place, [word])
        assert below is not None
        place = click.Context(below, info_name=word, parent=place)
        found = below
    click.echo(found.get_help(place))
