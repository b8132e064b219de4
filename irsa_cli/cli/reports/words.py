"""How it is called for people how a command ended, in every form."""

from __future__ import annotations

from irsa_cli.core.results.result import Ended

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
