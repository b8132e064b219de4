"""The flags for a run that writes: dry run, limits, confirmation, locks, journals; and its `Settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.options.contradictions import Needs, check
from irsa_cli.cli.options.fields import either, group, once, switch
from irsa_cli.cli.options.kinds import DURATION, DURATION_OR_ZERO, FOLDER, NAMESPACE, NEW_FILE
from irsa_cli.cli.options.values import wrong_usage

if TYPE_CHECKING:
    from irsa_cli.cli.terminal.progress import Progress
    from irsa_cli.usecases.command.settings import LockOptions, Settings

FIVE_MINUTES = 300.0
ONE_MINUTE = 60.0


def dry_run_flag() -> bool:
    return switch("--dry-run", help="Show the plan; change nothing.")


def lock_namespace_flag() -> str | None:
    return once(
        "--lock-namespace",
        kind=NAMESPACE,
        envvar="IRSA_LOCK_NAMESPACE",
        help="Namespace of the locks, the same for all runs. [default: .irsa.yaml's, else default]",
    )


def state_dir_flag() -> str | None:
    return once(
        "--state-dir",
        kind=FOLDER,
        envvar="IRSA_STATE_DIR",
        help="Directory for the journals of transactions. [default: the user's state directory]",
    )


def out_flag() -> str | None:
    return once(
        "--out",
        kind=NEW_FILE,
        metavar="FILE",
        help="With --dry-run: save the plan, for irsa apply FILE.",
    )


def access_change_flag() -> bool:
    return switch("--allow-access-change", help="Also if others than those named gain or lose a role.")


def rollback_timeout_flag(help_text: str = "Longest time for the rollback. [default: 60s]") -> float:
    return once("--rollback-timeout", kind=DURATION, default=ONE_MINUTE, help=help_text)


@dataclass(frozen=True, kw_only=True)
class LockFlags:
    """Locks against other runs."""

    lock_timeout: float | None = once(
        "--lock-timeout",
        kind=DURATION_OR_ZERO,
        envvar="IRSA_LOCK_TIMEOUT",
        help="Time to wait for another run's lock. [default: .irsa.yaml's, else 60s]",
    )
    lock_namespace: str | None = lock_namespace_flag()
    lock: bool | None = either(
        "--lock/--no-lock",
        envvar="IRSA_LOCK",
        help="Let only one run at a time change a resource. [default: .irsa.yaml's, else --lock]",
    )

    def lock_options(self) -> LockOptions:
        """The options of locks; a flag that is not given has the value of `.irsa.yaml`."""
        from irsa_cli.usecases.command.project_settings import lock_options

        with wrong_usage():
            return lock_options(namespace=self.lock_namespace, timeout=self.lock_timeout, enabled=self.lock)


def lock_namespace_in_force(flag: str | None) -> str:
    """The namespace of the locks, for a command that has no other flags for them."""
    return LockFlags(lock_namespace=flag).lock_options().namespace


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """A run that writes."""

    dry_run: bool = dry_run_flag()
    out: str | None = out_flag()
    detailed_exitcode: bool = switch(
        "--detailed-exitcode", help="With --dry-run: exit 6 if there are changes."
    )
    allow_access_change: bool = access_change_flag()
    timeout: float = once(
        "--timeout",
        kind=DURATION,
        default=FIVE_MINUTES,
        help="Stop and roll back after this time. [default: 5m]",
    )
    rollback_timeout: float = rollback_timeout_flag()
    yes: bool = switch(
        "-y", "--yes", "--approve", help="Skip the confirmation prompt (also --approve, as in eksctl)."
    )
    lock: LockFlags = group(LockFlags)
    state_dir: str | None = state_dir_flag()

    def settings(self, progress: Progress) -> Settings:
        """The settings of the run; raises `UsageError` for flags that contradict each other."""
        from irsa_cli.cli.output.plan_text import Confirmation
        from irsa_cli.usecases.command.project_settings import git_namespaces
        from irsa_cli.usecases.command.settings import Settings

        with wrong_usage():
            git = git_namespaces()
        lock = self.lock.lock_options()
        progress.seconds = self.timeout
        confirmation = Confirmation(progress, yes=self.yes, dry_run=self.dry_run)
        check(self, _RULES)
        return Settings(
            state_dir=state_dir(self.state_dir),
            timeout=self.timeout,
            rollback_timeout=self.rollback_timeout,
            dry_run=self.dry_run,
            listen=progress.listen,
            note=progress.note,
            lock=lock,
            git=git,
            allow_access_change=self.allow_access_change,
            saves=bool(self.out),
            asks=confirmation.asks,
            confirm_plan=confirmation.of_plan,
            confirm_names=confirmation.of_names,
        )

    def demand_yes(self, option: str) -> None:
        """Raise `UsageError` for a command that deletes many, without `--yes` and without a terminal."""
        from irsa_cli.cli.output.plan_text import can_ask

        if not (self.yes or self.dry_run or can_ask()):
            raise click.UsageError(
                f"{option} needs a terminal to confirm: add --yes, or --dry-run to see the plan"
            )


_RULES = (
    Needs(("detailed_exitcode",), "dry_run"),
    Needs(("out",), "dry_run", "--out needs --dry-run: it saves what would be done"),
)
