"""What of a report has room: the most important first; what is cut is named.

A report is pieces of text in groups. Of a group that has no room at all its name is told, of one that has,
the names of those pieces that have none. How pieces look is `irsa_cli.cli.output.reports.markdown`'s
business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

BETWEEN = ", "


@dataclass(frozen=True)
class Fragment:
    """A text, and what stands for it where it is cut. `phase` and `rank`: who gets room first."""

    text: str
    name: str
    phase: int
    rank: int


@dataclass
class Section:
    """Pieces under a heading; `name` stands for all of it where it is cut."""

    heading: str
    name: str
    rank: int
    pieces: Sequence[Fragment] = ()
    shown: bool = False
    kept: set[int] = field(default_factory=set)

    @property
    def cut(self) -> list[str]:
        """The names of the pieces that have no room, each once."""
        names = (piece.name for number, piece in enumerate(self.pieces) if number not in self.kept)
        return list(dict.fromkeys(names))

    @property
    def text(self) -> str:
        """What is shown of it."""
        kept = (piece.text for number, piece in enumerate(self.pieces) if number in self.kept)
        return "\n".join([self.heading, *kept]) + "\n" if self.shown else ""


def fit(groups: Sequence[Section], room: int) -> int:
    """Show of the groups what has room, and have the rest named; how many characters are left.

    Less than nothing is left where not even all names have room.
    """
    left = room - sum(_named(group) for group in groups)
    for group in sorted(groups, key=lambda item: item.rank):
        # All its pieces are named until they have room themselves.
        cost = len(group.heading) + 2 + (_head(group) if group.pieces else 0)
        cost += sum(map(_listed, group.pieces)) - _named(group)
        if cost <= left:
            group.shown, left = True, left - cost
    for _, _, number, place in sorted(_waiting(groups)):
        group = groups[number]
        piece = group.pieces[place]
        is_last = len(group.kept) + 1 == len(group.pieces)
        cost = len(piece.text) + 1 - _listed(piece) - (_head(group) if is_last else 0)
        if cost <= left:
            group.kept.add(place)
            left -= cost
    return left


def cut_lines(groups: Iterable[Section]) -> Iterator[str]:
    """The names of what has no room: of groups that are shown, and of those that are not."""
    found = list(groups)
    for group in found:
        if group.shown and (names := group.cut):
            yield f"- {group.name}: {BETWEEN.join(names)}"
    if whole := [group.name for group in found if not group.shown]:
        yield f"- {BETWEEN.join(whole)}"


def _named(group: Section) -> int:
    return len(group.name) + len(BETWEEN)


def _head(group: Section) -> int:
    return len(f"- {group.name}: \n")


def _listed(piece: Fragment) -> int:
    return len(piece.name) + len(BETWEEN)


def _waiting(groups: Sequence[Section]) -> Iterator[tuple[int, int, int, int]]:
    for number, group in enumerate(groups):
        if group.shown:
            for place, piece in enumerate(group.pieces):
                yield piece.phase, piece.rank, number, place
