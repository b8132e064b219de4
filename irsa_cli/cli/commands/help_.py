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
    place = context.find_root()
    for word in words:
        group = place.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{place.command_path} has no commands of its own")
        _, command_of_word, _ = group.resolve_command(place, [word])
        assert command_of_word is not None
        place = click.Context(command_of_word, info_name=word, parent=place)
    if everything:
        click.echo(whole_help(place.command, place))
    else:
        click.echo(place.command.get_help(place))
