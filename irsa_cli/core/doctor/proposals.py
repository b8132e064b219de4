"""What happens if a proposal is pasted as it stands: it corrects, opens, shows, or does nothing yet.

Judged by the commands themselves, once for all causes. The commands are in `irsa_cli.core.doctor.commands`.
"""

from __future__ import annotations

import re
import shlex
from enum import Enum

from irsa_cli.core.values.shown import visible
from irsa_cli.core.values.slips import placeholder

_IRSA_READS = ("audit", "describe-sa", "diff", "doctor", "get-sa", "history", "verify", "who-can")
_KUBECTL_READS = ("api-resources", "auth", "describe", "events", "explain", "get", "logs", "version")
_AWS_READS = ("describe-", "get-", "list-", "lookup-", "simulate-")
_UNFILLED = re.compile(r"(.*/)?(ACCOUNT|ARN|ID|NAME|NAMESPACE|VALUE)")


class Proposal(str, Enum):
    """What a proposal is; the value is what `-o json` shows as `fixKind`."""

    COMMAND = "command"
    """It corrects the problem, and is safe to paste."""
    EDIT = "edit"
    """It opens an editor, in which a person corrects."""
    FILL_IN = "fill-in"
    """Something in it has to be filled in first."""
    CHOICE = "choice"
    """Comments only: a person has to decide, or to do something first."""
    LOOK = "look"
    """It only shows what is wrong."""

    @property
    def label(self) -> str:
        """What the commands are for, beside them in a text."""
        return _LABELS.get(self, "to fix")


_LABELS = {Proposal.FILL_IN: "to fill in", Proposal.CHOICE: "to decide", Proposal.LOOK: "to look at"}


def kind_of(fix: str) -> Proposal:
    """What pasting these lines does."""
    commands = [words for words in map(_words, fix.splitlines()) if words]
    if not commands:
        return Proposal.CHOICE
    if any(_is_unfilled(word) for line in commands for word in line):
        return Proposal.FILL_IN
    verbs = {_verb(*words) for words in commands} - {Proposal.LOOK.value}
    if not verbs:
        return Proposal.LOOK
    return Proposal.EDIT if verbs == {Proposal.EDIT.value} else Proposal.COMMAND


def _is_unfilled(word: str) -> bool:
    return bool(word) and (_UNFILLED.fullmatch(word) is not None or placeholder(word) == word)


def comment(text: str) -> str:
    """A line that does nothing if it is pasted, whatever is in it."""
    return f"# {visible(text)}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # A part of a name with a line end in it.
        return line.split()


def _verb(tool: str, *words: str) -> str:
    """The kubectl command, `look` in place of whatever only reads."""
    if tool == "kubectl":
        while words and words[0].startswith("-"):
            words = words[1 if "=" in words[0] else 2 :]
    verb = words[1 if tool == "aws" and len(words) > 1 else 0] if words else ""
    reads = {
        "aws": verb.startswith(_AWS_READS),
        "curl": True,
        "irsa": verb in _IRSA_READS,
        "kubectl": verb in _KUBECTL_READS,
    }
    return Proposal.LOOK.value if reads.get(tool) else verb
