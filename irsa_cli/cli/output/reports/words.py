"""How it is called for people how a command ended, in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.core.results.result import Ended

if TYPE_CHECKING:
    from irsa_cli.core.results.applied import AppliedList

WORDS = {
    Ended.COMMITTED: "done",
    Ended.UNCHANGED: "unchanged",
    Ended.PLANNED: "to change",
    Ended.ROLLED_BACK: "rolled back",
    Ended.INCOMPLETE: "not rolled back completely",
    Ended.REFUSED: "refused",
    Ended.FAILED: "failed, nothing was changed",
    Ended.UNFINISHED: "unfinished",
}


def counted(done: AppliedList) -> str:
    """How many ServiceAccounts ended how, and how what they share did; '' where there are none."""
    parts = [f"{number} {WORDS[Ended(ended)]}" for ended, number in done.summary.items()]
    parts += [f"{len(done.pending)} not begun"] if done.pending else []
    return ", ".join([*parts, *(f"shared parts {WORDS[ended]}" for ended in done.shared_parts)])
