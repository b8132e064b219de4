"""What botocore reads and looks for anew in each session, kept for the whole process.

A client costs tens of milliseconds for that, and tests make thousands. Nothing of it depends on
credentials, regions or the environment; what is kept is what botocore itself keeps within a session.
"""

import functools
import json
import marshal
from collections.abc import Callable
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

_ENDPOINTS = ("endpoints", "partitions", "endpoint-rule-set-1")


def keep(*, descriptions: bool) -> None:
    """Keep what is in botocore's files, and which services and versions there are.

    `descriptions`: those of services, too. Where moto is, which adds to what it has read of them, each reader
    has a copy.
    """
    load = JSONFileLoader.load_file
    once = functools.cache(lambda path: load(JSONFileLoader(), path))
    # A fifth of the time that it takes to read the file.
    packed = functools.cache(lambda path: marshal.dumps(json.loads(json.dumps(load(JSONFileLoader(), path)))))

    def read(self: JSONFileLoader, path: str) -> Any:
        kept = descriptions or path.endswith(_ENDPOINTS)
        return once(path) if kept else marshal.loads(packed(path))

    _replace(JSONFileLoader, "load_file", read)
    for name in ("list_available_services", "list_api_versions"):
        _replace(Loader, name, _by_places(getattr(Loader, name)))


def _by_places(look: Callable[..., Any]) -> Callable[..., Any]:
    """The answers of a loader, for each list of folders that it looks in."""
    known: dict[tuple[Any, ...], Any] = {}

    @functools.wraps(look)
    def answer(self: Loader, *names: str, **named: str) -> Any:
        key = (tuple(self.search_paths), names, *named.items())
        if key not in known:
            known[key] = look(self, *names, *named.values())
        return known[key]

    return answer


def _replace(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)
