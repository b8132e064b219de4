"""What botocore reads and looks for anew in each session, kept for the whole process.

A client costs tens of milliseconds for that, and tests make thousands. Nothing of it depends on
credentials, regions or the environment; what is kept is what botocore itself keeps within a session.
"""

import functools
import json
import marshal
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from botocore import hooks
from botocore.client import ClientCreator
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
    _keep_events()
    _keep_classes()


def _keep_events() -> None:
    """What an event is called today, and whether its handlers take any arguments."""
    aliaser: Any = hooks.EventAliaser
    rename = aliaser._alias_event_name
    renamed: dict[str, str] = {}
    old_words = {old.partition(".")[0] for old in hooks.EVENT_ALIASES}

    def name_of(self: hooks.EventAliaser, event_name: str) -> str:
        if event_name not in renamed:
            may_be_old = not old_words.isdisjoint(event_name.split("."))
            renamed[event_name] = rename(self, event_name) if may_be_old else event_name
        return renamed[event_name]

    ask = hooks.accepts_kwargs
    kept = functools.cache(ask)

    def accepts(handler: Any) -> Any:
        function = handler.__func__ if isinstance(handler, MethodType) else handler
        # One that is made for a client is not kept alive with what it closes over.
        lasts = isinstance(function, FunctionType) and function.__closure__ is None
        return kept(function) if lasts else ask(handler)

    _replace(hooks.EventAliaser, "_alias_event_name", name_of)
    _replace(hooks, "accepts_kwargs", accepts)


def _keep_classes() -> None:
    """The model of each service, which nobody changes, and the class of its clients."""
    creator: Any = ClientCreator
    load, create = creator._load_service_model, creator._create_client_class
    models: dict[Any, Any] = {}

    def model(self: Any, name: str, version: str | None = None) -> Any:
        key = (tuple(self._loader.search_paths), name, version)
        if key not in models:
            models[key] = load(self, name, version)
        return models[key]

    def class_of(self: Any, name: str, service_model: Any) -> Any:
        kept = vars(service_model)
        if "class of clients" not in kept:
            kept["class of clients"] = create(self, name, service_model)
        return kept["class of clients"]

    _replace(ClientCreator, "_load_service_model", model)
    _replace(ClientCreator, "_create_client_class", class_of)


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
