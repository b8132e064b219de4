"""`irsa get-sa --watch`: reads again and again, and prints the lines that are new, others, or gone.

How a line looks is in `irsa_cli.cli.output.screens.get_sa`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import click

from irsa_cli.cli.output.screens.get_sa import table
from irsa_cli.cli.output.table import show_table
from irsa_cli.cli.terminal.wording import say
from irsa_cli.core.inventory.bindings import ListedBinding
from irsa_cli.core.inventory.list_document import BindingList, binding_json

GONE = "gone"
Key = tuple[str, str, str]


@dataclass
class ToldLines:
    """What the lines so far have told."""

    wide: bool
    _told: dict[Key, tuple[object, list[str]]] = field(default_factory=dict)

    def changed(self, bindings: Iterable[ListedBinding]) -> list[list[str]]:
        """The rows of what is new or differs from what was told; of what is gone, the old row and `gone`."""
        items = list(bindings)
        _, rows = table(items, wide=self.wide)
        now: dict[Key, tuple[object, list[str]]] = {}
        for item, row in zip(items, rows, strict=True):
            now[item.namespace, item.name, item.role_arn] = (binding_json(item), row)
        new = [row for key, (said, row) in now.items() if key not in self._told or self._told[key][0] != said]
        names = {key[:2] for key in now}
        gone = [row for key, (_, row) in self._told.items() if key not in now and key[:2] not in names]
        self._told = now
        return [*new, *([*row[:-1], click.style(GONE, fg="red")] for row in gone)]


def watch(
    first: BindingList,
    read: Callable[[], BindingList],
    seconds: float,
    *,
    wide: bool,
    wait: Callable[[float], object] = time.sleep,
) -> NoReturn:
    """Print what changes after `first`, until a signal ends it with a `KeyboardInterrupt`.

    A reading that fails is told, once as long as it is the same, and tried again.
    """
    seen, failed = ToldLines(wide), ""
    seen.changed(first.items)
    while True:
        wait(seconds)
        found = read()
        if found.signal:
            raise KeyboardInterrupt(found.signal)
        if found.error is not None:
            if str(found.error) != failed:
                say(f"Warning: could not read again, and goes on trying: {found.error}", err=True)
            failed = str(found.error)
            continue
        failed = ""
        show_table((), seen.changed(found.items))
