"""Something that could not be read, as a value: never the same as something that does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """Something that could not be read. `answered`: everybody gets this answer.

    `follows`: it depends on something that is missing or wrong.
    """

    why: str
    answered: bool = False
    follows: bool = False


class CannotTell(Exception):
    """A check that is impossible because something is missing or unreadable; `follows`: missing."""

    def __init__(self, why: str, *, follows: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.follows = follows


def have(value: T | Unreadable) -> T:
    """The value; raises `CannotTell` if it could not be read."""
    if isinstance(value, Unreadable):
        raise CannotTell(value.why, follows=value.follows)
    return value
