"""`irsa help`: the help of a command, the same as its `--help`."""

from __future__ import annotations

import click

from irsa_cli.cli.help.helping import HelpedCommand, whole_help


@click.command("help", cls=HelpedCommand)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.option("--all", "everything", is_flag=True, help="Show all options of the command.")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], *, everything: bool) -> None:
    """Show the help of a command.

    Without COMMAND, it lists all commands.

    Examples:
      irsa help create-sa
      irsa help create-sa --all
      irsa help policies show
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
    click.echo(whole_help(found, place) if everything else found.get_help(place))
