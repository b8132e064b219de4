"""What commands that irsa proposes have of the command that was run, to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from irsa_cli.core.values.cluster import Reach
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
        "--role-account": target.role_account,
        "--role-assume-role": target.role_assume_role,
        "--role-profile": target.role_profile,
        "--target-assume-role": target.target_assume_role,
        "--target-profile": target.target_profile,
        "--kubeconfig": target.kubeconfig,
        "--context": target.context,
    }
    return _given(flags)


def reach_of(target: Target) -> Reach:
    """The same for each tool that irsa proposes commands of, as far as it has such options."""
    return Reach(
        pasted_options(target),
        kubectl_options=_given({"--kubeconfig": target.kubeconfig, "--context": target.context}),
        aws_options=_given({"--profile": target.profile}),
        assumed=target.assume_role or "",
    )


def _given(flags: Mapping[str, str | None]) -> str:
    return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags.items() if value)
