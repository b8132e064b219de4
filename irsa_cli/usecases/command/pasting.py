"""What commands that irsa proposes have of the command that was run, to be pasted."""

from __future__ import annotations

import shlex

from irsa_cli.usecases.command.connect import Target


def pasted_options(target: Target) -> str:
    """The options by which the user named the cluster, to be pasted."""
    flags = {
        "-c": "" if target.issuer_url else target.cluster,
        "-r": target.region,
        "-p": target.profile,
        "--assume-role": target.assume_role,
        "--issuer-url": target.issuer_url,
        "--account": target.account,
        "--kubeconfig": target.kubeconfig,
        "--context": target.context,
    }
    return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags.items() if value)
