"""`irsa completion`: the script by which a shell completes. What completes values is in `completing`."""

from __future__ import annotations

import click

from irsa_cli.cli.help.helping import HelpedCommand

VARIABLE = "_IRSA_COMPLETE"
_EPILOG = """
\b
Examples:
  irsa completion bash > ~/.irsa-completion.bash  # in ~/.bashrc: source ~/.irsa-completion.bash
  irsa completion zsh > ~/.irsa-completion.zsh    # in ~/.zshrc, after compinit, likewise
  irsa completion fish > ~/.irsa-completion.fish  # in ~/.config/fish/config.fish, likewise
"""


@click.command("completion", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> int:
    """Print what completes commands, options and names in a shell.

    Names of clusters, regions, namespaces, ServiceAccounts and profiles are those that this machine knows:
    from the kubeconfig, .irsa.yaml, earlier runs and the AWS configuration. With IRSA_COMPLETE_LIVE=1,
    clusters and ServiceAccounts are asked of AWS and the cluster, too; the shell waits for a second at most.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"this version of click has no completion for {shell}")
    click.echo(found(click.get_current_context().find_root().command, {}, "irsa", VARIABLE).source())
    return 0
