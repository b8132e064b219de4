"""Which clusters configuration files are about, and what they ask for in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from irsa_cli.core.config import Binding, Config, Selection
from irsa_cli.core.results.applied import CLUSTER, AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused
from irsa_cli.usecases.command.connect import Target, Unexpected

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """One cluster, and what the files ask for there.

    `bindings` are those that were selected, `names` (`namespace/name`) those of all entries.
    """

    target: Target
    bindings: tuple[Binding, ...]
    names: frozenset[str]
    with_oidc: bool

    @property
    def arns(self) -> list[str]:
        """Those of policies and roles that the selected ones name."""
        return [
            arn
            for item in self.bindings
            for arn in (*item.policies, item.permissions_boundary, item.attach_role_arn)
            if arn
        ]


def places(configs: Sequence[Config], target: Target, selection: Selection) -> list[Place]:
    """The clusters that the files are about; raises `InvalidInput` where one isn't known.

    `target.cluster` is '' where the files name it.
    """
    everything = [item for config in configs for item in config.bindings]
    chosen = {id(item) for item in selection.of(everything)}
    found: dict[tuple[str, str | None], list[Config]] = {}
    for config in configs:
        found.setdefault(_where(target, config), []).append(config)
    return [
        Place(
            replace(target, cluster=name, region=region),
            tuple(item for config in parts for item in config.bindings if id(item) in chosen),
            frozenset(str(item) for config in parts for item in config.bindings),
            any(config.with_oidc for config in parts),
        )
        for (name, region), parts in found.items()
    ]


def connected(
    places: Sequence[Place], connect: Callable[[Place], T], done: AppliedList, tell: Callable[[Item], None]
) -> list[T]:
    """What `connect` makes of each place. One of several that can't be reached does not keep the others.

    It is an item of its own, then. Raises `InvalidInput` and `Unexpected`, which are about all of the run,
    and whatever keeps the only place from being reached.
    """
    found: list[T] = []
    for place in places:
        try:
            found.append(connect(place))
        except IrsaError as error:
            if len(places) == 1 or isinstance(error, InvalidInput | Unexpected):
                raise
            ended = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
            name = place.target.cluster
            title = f"{name} ({', '.join(filter(None, (place.target.region, 'not reached')))})"
            item = Item(name, CLUSTER, Result(ended, error=error), place=title)
            done.items.append(item)
            tell(item)
    return found


def _where(target: Target, config: Config) -> tuple[str, str | None]:
    """The cluster and region of a document; the command line fills in what it doesn't name."""
    for flag, given, named in (
        ("--cluster", target.cluster, config.cluster),
        ("--region", target.region, config.region),
    ):
        if given and named and given != named and flag.strip("-") not in target.yields:
            raise InvalidInput(f"{config.where} is for {named}", reason=f"{flag} says {given}")
    name = config.cluster or target.cluster
    if not name:
        raise InvalidInput(f"{config.where} names no cluster", reason="neither metadata.name nor --cluster")
    return name, config.region or target.region


def place_name(cluster: Cluster, *, among: int) -> str:
    """What tells this cluster from the others of a run; '' where there are none."""
    return f"{cluster.name} ({cluster.region}, {cluster.account})" if among > 1 else ""
