"""`irsa completion`: the completion script for a shell."""

from __future__ import annotations

import click

from irsa_cli.cli.help.helping import HelpedCommand

VARIABLE = "_IRSA_COMPLETE"


@click.command("completion", cls=HelpedCommand)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> int:
    """Print the completion script for a shell.

    It completes commands and options. It also completes names that this machine knows from the kubeconfig,
    .irsa.yaml, earlier runs and the AWS configuration.

    Examples:
      # Then add to ~/.bashrc: source ~/.irsa-completion.bash
      irsa completion bash > ~/.irsa-completion.bash
      # Then add to ~/.zshrc, after compinit: source ~/.irsa-completion.zsh
      irsa completion zsh > ~/.irsa-completion.zsh
      # Then add to ~/.config/fish/config.fish: source ~/.irsa-completion.fish
      irsa completion fish > ~/.irsa-completion.fish
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(click.get_current_context().find_root().command, {}, "irsa", VARIABLE).source())
    return 0
