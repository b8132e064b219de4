"""Changes of access by a plan: who gains a role, and who loses one.

Compared for each (who, role) over all ways: who has a role by another way afterwards has not lost it. That
pods no longer get it by themselves is a loss, though their ServiceAccount may still request a token for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core.access.admission import NEVER, Admission
from irsa_cli.core.access.admitting import Access, Ways
from irsa_cli.core.access.documents import Account, Documents, after, before
from irsa_cli.core.access.who import AccessWay, Who, WhoKind
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable


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
        first, last = (tuple(map(AccessWay, data[key])) for key in ("before", "after"))
        role = data["role"]["arn"]
        certain = data["certain"]
        conditions = tuple(data["conditions"])
        found = cls(Who.read(data["who"]), role, first, last, certain, conditions, data["podsOnly"])
        if found.to_json() != data or not all(isinstance(text, str) for text in (role, *conditions)):
            raise ValueError("this is not what irsa writes of access")
        return found


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
        first = before(there, changes, cluster)
        found = cls.between(first, after(first, changes, cluster), cluster.arn)
        return replace(found, unread=tuple(dict.fromkeys(_unread(first, changes))))

    @classmethod
    def between(cls, first: Documents, last: Documents, home: str = "") -> AccessChange:
        """Between two states."""
        one = Access(first)
        other = Access(last)
        shifted = [
            (who, role, one.ways(who, role), other.ways(who, role))
            for who, role in sorted(_concerned(one, other), key=_order)
        ]
        gains = filter(None, (_shift(*each, gain=True) for each in shifted))
        losses = filter(None, (_shift(*each, gain=False) for each in shifted))
        return cls(tuple(gains), tuple(losses), first.unread, home)

    @property
    def kept(self) -> dict[str, Any]:
        """The part that a saved plan keeps: what was not read is no promise."""
        found = self.to_json()
        return {key: found[key] for key in ("gains", "losses")}

    @classmethod
    def read(cls, data: Any, home: str) -> AccessChange | None:
        """That part again, None for null; raises `ValueError`, `TypeError` or `LookupError` for others."""
        if data is None:
            return None
        gains, losses = (tuple(map(Shift.read, data[key])) for key in ("gains", "losses"))
        return cls(gains, losses, home=home)

    def to_json(self) -> dict[str, Any]:
        return {
            "gains": [item.to_json() for item in self.gains],
            "losses": [item.to_json() for item in self.losses],
            "notRead": list(self.unread),
        }


def together(changes: Iterable[AccessChange]) -> AccessChange:
    """The changes of several plans."""
    found = list(changes)
    return AccessChange(
        tuple(item for each in found for item in each.gains),
        tuple(item for each in found for item in each.losses),
        tuple(dict.fromkeys(text for each in found for text in each.unread)),
        found[0].home if len({each.home for each in found}) == 1 else "",
    )


def _unread(first: Documents, changes: Iterable[Change]) -> Iterator[str]:
    """The parts that were not read although the changes concern them."""
    yield from first.unread
    yield from (
        f"the trust policy of {arn}" for arn, it in first.trusts.items() if isinstance(it, Unreadable)
    )
    if not first.has_all_roles:
        issuers = {issuer_of(change.target[0]) for change in changes if change.kind.traits.for_all}
        yield from (f"other roles that trust {issuer}" for issuer in sorted(issuers))


def _order(pair: tuple[Who, str]) -> tuple[str, ...]:
    who, role = pair
    kind = str([*WhoKind].index(who.kind))
    return (kind, who.place, who.name, role, str(who.given))


def _concerned(one: Access, other: Access) -> Iterator[tuple[Who, str]]:
    """Those whose access the differences between two states can be about."""
    first = one.documents
    last = other.documents
    pairs = one.pairs | other.pairs
    if first.providers != last.providers or one.has_chains or other.has_chains:
        yield from pairs
        return
    roles = _differing(first.trusts, last.trusts) | _differing(first.statements, last.statements)
    accounts = _differing(first.accounts, last.accounts) | _differing(first.associations, last.associations)
    for who, role in pairs:
        account = Account(who.place, *who.namespaced) if who.kind is WhoKind.SERVICE_ACCOUNT else None
        if role in roles or account in accounts:
            yield who, role


def _differing(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> set[Any]:
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


def _shift(who: Who, role: str, first: Ways, last: Ways, *, gain: bool) -> Shift | None:
    """The gain, or the loss, of one of them; None if there is none."""
    poor, rich = (first, last) if gain else (last, first)
    for served in (False, True):
        has = _all(rich, served=served)
        had = _all(poor, served=served)
        if not has.is_within(had):
            certain = has.answer is Answer.YES and had.answer is Answer.NO
            conditions = () if certain else tuple(dict.fromkeys((*has.conditions, *had.conditions)))
            ways = (
                tuple(way for way in AccessWay if way in first),
                tuple(way for way in AccessWay if way in last),
            )
            return Shift(who, role, *ways, certain, conditions, served)
    return None


def _all(ways: Ways, *, served: bool) -> Admission:
    """Whether one of the ways is allowed; `served`: of those by which pods get credentials by themselves."""
    return NEVER.or_(*(admission for way, admission in ways.items() if way.serves_pods or not served))
