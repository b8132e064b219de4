"""Many clusters and accounts: side by side, the canary first, and a pace for each account."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from irsa_cli.aws.session import AwsSession, WireLog
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import CLUSTER, Ended, Result
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, UnexpectedCluster
from irsa_cli.usecases.command.caller import EXPECT_ACCOUNT
from irsa_cli.usecases.command.parallel import Pace
from irsa_cli.usecases.files.targets import Place, Tell

T = TypeVar("T")

CLUSTERS = 16
"""Clusters at the same time."""


class SharedSessions:
    """Opens the sessions of one command: the clusters of one account, with the same role, share one.

    So they share its clients, and what is known of recent writes. `log` is part of what has to be the same.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[object, ...], AwsSession] = {}
        self._locks: dict[tuple[object, ...], threading.Lock] = defaultdict(threading.Lock)

    def __call__(
        self, *, profile: str | None, region: str | None, assume_role: str | None, log: WireLog
    ) -> AwsSession:
        """See `AwsSession`; one that can't be opened is tried again by the next."""
        key = (profile, region, assume_role, log)
        with self._locks[key]:
            if key not in self._open:
                self._open[key] = AwsSession(profile=profile, region=region, assume_role=assume_role, log=log)
            return self._open[key]


@dataclass
class Fleet:
    """One command over many clusters; thread-safe. `most` are worked on at the same time."""

    pace: Pace
    log: WireLog
    tell: Tell
    parallel: int
    most: int
    sessions: SharedSessions = field(default_factory=SharedSessions)
    _paces: dict[str, Pace] = field(default_factory=dict)
    _logs: dict[str, WireLog] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def notify(self, item: Item) -> None:
        with self._lock:
            self.pace.ended(item.result)
            self.tell(item)

    def pace_of(self, place: Place) -> Pace:
        """The pace of the account of a cluster's roles: IAM throttles each account apart."""
        with self._lock:
            return self._paces.setdefault(_account(place), Pace(self.parallel, of=self.pace))

    def _log_of(self, place: Place) -> WireLog:
        """The log of the account's calls, which slows its pace down."""
        listen = self.pace_of(place).hearing(self.log)
        with self._lock:
            return self._logs.setdefault(_account(place), listen)

    def connected(
        self,
        places: Sequence[Place],
        connect: Callable[[Place, WireLog], T],
        done: AppliedList,
        *,
        alone: bool = False,
    ) -> list[tuple[Place, T]]:
        """Connect each place. An error of one becomes an item of its own; `alone`: it is raised.

        Raises `InvalidInput`, and `UnexpectedCluster` if a flag says what is expected.
        """

        def attempt(place: Place) -> T | IrsaError:
            try:
                return connect(place, self._log_of(place))
            except IrsaError as error:
                return error

        with ThreadPoolExecutor(CLUSTERS) as pool:
            answers = list(pool.map(attempt, places))
        both = list(zip(places, answers, strict=True))
        failed = [(place, answer) for place, answer in both if isinstance(answer, IrsaError)]
        for place, error in failed:
            # By a flag that says what is expected, nothing at all is to run then.
            by_flag = bool(place.target.expect_clusters) or place.target.expected_by == EXPECT_ACCOUNT
            if alone or isinstance(error, InvalidInput) or (isinstance(error, UnexpectedCluster) and by_flag):
                raise error
        for place, error in failed:
            cluster = place.cluster
            item = Item(cluster.name, CLUSTER, unreached(place, error), place=cluster.full_name)
            done.items.append(item)
            self.notify(item)
        return [(place, answer) for place, answer in both if not isinstance(answer, IrsaError)]

    def each(
        self,
        reached: Sequence[tuple[Place, T]],
        work: Callable[[Place, T, AppliedList], None],
        done: AppliedList,
    ) -> None:
        """Do the work of each cluster, in the order of the files; one cluster's accounts take turns."""

        def in_turn(group: Sequence[tuple[Place, T]]) -> AppliedList:
            part = AppliedList()
            for place, cluster in group:
                work(place, cluster, part)
            return part

        groups = _by_cluster(reached)
        if self.most == 1 or len(groups) == 1:
            parts = list(map(in_turn, groups))
        else:
            with ThreadPoolExecutor(self.most) as pool:
                parts = list(pool.map(in_turn, groups))
        for part in parts:
            done.add(part)


def _account(place: Place) -> str:
    return place.home or place.target.expect_account


def _by_cluster(reached: Sequence[tuple[Place, T]]) -> list[list[tuple[Place, T]]]:
    """Those that may be of one cluster together: a document without an account may mean any."""
    unknown = {place.key[1:] for place, _ in reached if not place.key[0]}
    groups: dict[tuple[str, ...], list[tuple[Place, T]]] = {}
    for place, cluster in reached:
        key = place.key[1:] if place.key[1:] in unknown else place.key
        groups.setdefault(key, []).append((place, cluster))
    return list(groups.values())


def unreached(place: Place, error: IrsaError) -> Result:
    return Result(
        Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED, cluster=place.cluster, error=error
    )


def canary_first(places: Sequence[Place], canary: str) -> list[list[Place]]:
    """The cluster of this name or ARN, then the others; raises `InvalidInput` if the files don't name it."""
    if not canary:
        return [[*places]]
    first = [place for place in places if _is_named(place, canary)]
    keys = dict.fromkeys(place.key for place in first)
    if len(keys) != 1:
        why = f"{len(keys)} clusters of the files have this name" if keys else "no file has this cluster"
        raise InvalidInput(
            f"--canary {canary}: {why}",
            reason="expected the name of one cluster, or its ARN if the files name its account and region",
            details=[
                ", ".join(filter(None, reversed(key))) for key in keys or {place.key for place in places}
            ],
        )
    return [first, [place for place in places if place not in first]]


def _is_named(place: Place, canary: str) -> bool:
    if not canary.startswith("arn:"):
        return place.target.cluster == canary
    arn = Arn.parse(canary)
    return place.key == (arn.account, arn.region, arn.resource.removeprefix("cluster/"))
