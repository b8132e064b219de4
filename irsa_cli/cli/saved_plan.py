"""Saving the plan of a dry run into a file (`--out`), and what is said of that.

What is in the file is `irsa_cli.usecases.plans`' business; it is carried out by
`irsa_cli.cli.commands.apply_plan` and shown by `irsa_cli.cli.commands.show`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.terminal.unshown import Unshown
from irsa_cli.cli.terminal.wording import say

if TYPE_CHECKING:
    from irsa_cli.cli.output.speaking import Save
    from irsa_cli.core.results.applied import AppliedList
    from irsa_cli.core.results.result import Result
    from irsa_cli.usecases.plans.saved_plan import Request


def plan_saver(options: dict[str, Any], command: str, request: Request) -> Save:
    """What saves the plan where `--out` names a file; one that is not whole is not saved, which is said."""
    out = options.get("out")

    def save(done: Result | AppliedList) -> None:
        from irsa_cli.core.values.errors import IrsaError
        from irsa_cli.usecases.plans.saved_plan import plan_of, save

        if not out:
            return
        try:
            plan = plan_of(command, request, done)
        except IrsaError as error:
            say(f"Note: {error}", err=True)
            return
        try:
            save(plan, Path(out))
        except OSError as error:
            why = OSError(error.errno, f"the plan can't be saved: {error.strerror}", str(out))
            raise Unshown(1) from why  # Whoever goes on with the file is to know.
        if not click.get_current_context().params.get("quiet"):
            say(
                f"Plan saved, {plan.digest}; to carry out exactly this: irsa apply {shlex.quote(out)}",
                err=True,
            )

    return save
