"""Changes of access by a plan: who gains a role, and who loses one.

Compared for each (who, role) over all ways: who has a role by another way afterwards has not lost it. That
pods no longer get it by themselves is a loss, though their ServiceAccount may still request a token for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from irsa_cli.core.access.admission import NEVER, Admission
from irsa_cli.core.access.admitting import Access, Ways
from irsa_cli.core.access.documents import Account, Documents, after, before
from irsa_cli.core.access.who import AccessWay, Who, WhoKind
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Shift:
    """Somebody gains or loses a role (its ARN): the ways before and after, in their order.

    `certain`: it is a yes on the one side and a no on the other; else `conditions` decide. `pods_only`: it is
    about what pods get by themselves, as a token can be requested for the role before and after.
    """

    who: Who
    role: str
    before: tuple[AccessWay, ...]
    after: tuple[AccessWay, ...]
    certain: bool = True
    conditions: tuple[str, ...] = ()
    pods_only: bool = False

    @property
    def key(self) -> tuple[Who, str]:
        return self.who, self.role

    def to_json(self) -> dict[str, Any]:
        return {
            "who": self.who.to_json(),
            "role": {"arn": self.role},
            "before": [way.value for way in self.before],
            "after": [way.value for way in self.after],
            "certain": self.certain,
            "conditions": list(self.conditions),
            "podsOnly": self.pods_only,
        }

    @classmethod
    def read(cls, data: Any) -> Shift:
        """The same again; raises `ValueError`, `TypeError` or `LookupError` for what irsa does not write."""
        old = tuple(map(AccessWay, data["before"]))
        new = tuple(map(AccessWay, data["after"]))
        role = data["role"]["arn"]
        certain = data["certain"]
        conditions = tuple(data["conditions"])
        shift = cls(Who.read(data["who"]), role, old, new, certain, conditions, data["podsOnly"])
        if shift.to_json() != data or not all(isinstance(text, str) for text in (role, *conditions)):
            raise ValueError("this is not what irsa writes of access")
        return shift


@dataclass(frozen=True)
class AccessChange:
    """All gains and losses; `unread` are those for whom this is not known, as it was not read."""

    gains: tuple[Shift, ...] = ()
    losses: tuple[Shift, ...] = ()
    unread: tuple[str, ...] = ()
    home: str = field(default="", compare=False)
    """The ARN of the cluster that goes without saying in a text."""

    @classmethod
    def of(cls, there: Documents, changes: Sequence[Change], cluster: Cluster) -> AccessChange:
        """By changes of a cluster, or of its account."""
        old = before(there, changes, cluster)
        change = cls.between(old, after(old, changes, cluster), cluster.arn)
        return replace(change, unread=tuple(dict.fromkeys(_unread(old, changes))))

    @classmethod
    def between(cls, first: Documents, last: Documents, home: str = "") -> AccessChange:
        """Between two states."""
        old = Access(first)
        new = Access(last)
        gains: list[Shift] = []
        losses: list[Shift] = []
        for who, role in sorted(_concerned(old, new), key=_order):
            ways_before = old.ways(who, role)
            ways_after = new.ways(who, role)
            gains += _shifts(who, role, ways_before, ways_after, gain=True)
            losses += _shifts(who, role, ways_before, ways_after, gain=False)
        return cls(tuple(gains), tuple(losses), first.unread, home)

    @property
    def kept(self) -> dict[str, Any]:
        """The part that a saved plan keeps: what was not read is no promise."""
        whole = self.to_json()
        return {"gains": whole["gains"], "losses": whole["losses"]}

    @classmethod
    def read(cls, data: Any, home: str) -> AccessChange | None:
        """That part again, None for null; raises `ValueError`, `TypeError` or `LookupError` for others."""
        if data is None:
            return None
        gains = tuple(map(Shift.read, data["gains"]))
        losses = tuple(map(Shift.read, data["losses"]))
        return cls(gains, losses, home=home)

    def to_json(self) -> dict[str, Any]:
        return {
            "gains": [gain.to_json() for gain in self.gains],
            "losses": [loss.to_json() for loss in self.losses],
            "notRead": list(self.unread),
        }


def together(changes: Iterable[AccessChange]) -> AccessChange:
    """The changes of several plans."""
    gains: list[Shift] = []
    losses: list[Shift] = []
    unread: list[str] = []
    homes: set[str] = set()
    for change in changes:
        gains += change.gains
        losses += change.losses
        unread += change.unread
        homes.add(change.home)
    home = homes.pop() if len(homes) == 1 else ""
    return AccessChange(tuple(gains), tuple(losses), tuple(dict.fromkeys(unread)), home)


def _unread(first: Documents, changes: Iterable[Change]) -> Iterator[str]:
    """The parts that were not read although the changes concern them."""
    yield from first.unread
    for arn, trust in first.trusts.items():
        if isinstance(trust, Unreadable):
            yield f"the trust policy of {arn}"
    if not first.has_all_roles:
        issuers = {issuer_of(change.target[0]) for change in changes if change.kind.traits.for_all}
        yield from (f"other roles that trust {issuer}" for issuer in sorted(issuers))


def _order(pair: tuple[Who, str]) -> tuple[str, ...]:
    who, role = pair
    kind = str([*WhoKind].index(who.kind))
    return (kind, who.place, who.name, role, str(who.given))


def _concerned(old: Access, new: Access) -> Iterator[tuple[Who, str]]:
    """Those whose access the differences between two states can be about."""
    first = old.documents
    last = new.documents
    pairs = old.pairs | new.pairs
    if first.providers != last.providers or old.has_chains or new.has_chains:
        yield from pairs
        return
    roles = _differing(first.trusts, last.trusts) | _differing(first.statements, last.statements)
    accounts = _differing(first.accounts, last.accounts) | _differing(first.associations, last.associations)
    for who, role in pairs:
        is_account = who.kind is WhoKind.SERVICE_ACCOUNT
        if role in roles or (is_account and Account(who.place, *who.namespaced) in accounts):
            yield who, role


def _differing(old: Mapping[_Key, Any], new: Mapping[_Key, Any]) -> set[_Key]:
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def _shifts(who: Who, role: str, old: Ways, new: Ways, *, gain: bool) -> Iterator[Shift]:
    """The gain, or the loss, of one of them, if there is one."""
    poor, rich = (old, new) if gain else (new, old)
    for served in (False, True):
        has = _all(rich, served=served)
        had = _all(poor, served=served)
        if not has.is_within(had):
            certain = has.answer is Answer.YES and had.answer is Answer.NO
            conditions = () if certain else tuple(dict.fromkeys((*has.conditions, *had.conditions)))
            yield Shift(who, role, _in_order(old), _in_order(new), certain, conditions, served)
            return


def _in_order(ways: Ways) -> tuple[AccessWay, ...]:
    return tuple(way for way in AccessWay if way in ways)


def _all(ways: Ways, *, served: bool) -> Admission:
    """Whether one of the ways is allowed; `served`: of those by which pods get credentials by themselves."""
    return NEVER.or_(*(admission for way, admission in ways.items() if way.serves_pods or not served))
