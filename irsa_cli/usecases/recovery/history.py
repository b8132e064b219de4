"""`irsa history`, and the list of `irsa recover`: what the journals of this machine tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from irsa_cli.transaction import folder as journals
from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.story import Story

__all__ = ["Journals", "Story", "all_of", "unfinished_of"]


@dataclass(frozen=True)
class Journals:
    """Transactions by their journals, oldest first, and why others could not be read, by their names."""

    stories: Sequence[Story]
    unreadable: Mapping[str, JournalError]


def all_of(folder: Path) -> Journals:
    """All transactions of this machine."""
    return Journals(journals.history(folder), journals.unreadable(folder))


def unfinished_of(folder: Path) -> Journals:
    """Those that are neither committed nor rolled back."""
    return Journals([story for _, story in journals.unfinished(folder)], journals.unreadable(folder))
