"""What could not be read, as a value: never the same as what is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """Something that could not be read. `answered`: whoever asks gets this answer, which is of no use.

    `follows`: nothing hides it; what it would be read by is not there, or is wrong.
    """

    why: str
    answered: bool = False
    follows: bool = False


class CannotTell(Exception):
    """A check that can't be made: what it needs is not there or can't be read.

    `follows`: it is not there, which is a matter of other checks.
    """

    def __init__(self, why: str, *, follows: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.follows = follows


def have(value: T | Unreadable) -> T:
    """What was read; raises `CannotTell` when it could not be."""
    if isinstance(value, Unreadable):
        raise CannotTell(value.why, follows=value.follows)
    return value
