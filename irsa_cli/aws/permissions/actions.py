"""Check action names: botocore's operations, and `actions.json` for the differences in IAM.

Neither list is complete, so only a likely typo is an error; unknown names lead to a note.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Any, NoReturn

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import near

SLIP = 0.9
"""The difflib ratio from which a name counts as a typo of another."""


def check_action(action: str) -> str:
    """Raise `InvalidInput` for a typo; return a note for an unknown action, else ''."""
    from botocore.loaders import Loader

    table: dict[str, Any] = json.loads((files(__package__) / "actions.json").read_text(encoding="utf-8"))
    loader = Loader()
    service, _, name = action.partition(":")
    service = service.lower()
    unsure = f'"{action}" was not checked: irsa has no list of {service} actions'
    models = frozenset(loader.list_available_services("service-2"))
    parts = table["services"].get(service, service).split()
    if service in f"{table['others']} {table['unsure']}".split():
        return unsure
    if meant := _meant(service, models, table):
        raise InvalidInput(f'"{service}" is not a service in IAM. Did you mean {meant}:{name}?')
    found = [loader.load_service_model(part, "service-2") for part in parts if part in models]
    known = {one for model in found for one in model["operations"]} | {
        *table["more"].get(service, "").split()
    }
    instead = {key.lower(): value for key, value in table["instead"].get(service, {}).items()}
    real = {one.lower(): one for one in sorted(known) if one.lower() not in instead}
    if name.lower() in real:
        return ""
    slips = difflib.get_close_matches(name.lower(), real, 1, SLIP)
    if meant := instead.get(name.lower()) or next(map(real.__getitem__, slips), ""):
        _refuse(action, str(found[0]["metadata"]["serviceId"]), meant)
    if len(found) < len(parts):
        return unsure
    similar = near(name, [*real.values()])
    more = f"; similar: {', '.join(f'{service}:{one}' for one in similar)}" if similar else ""
    return f'"{action}" is not in irsa\'s list of {service} actions{more}'


def _meant(service: str, models: Collection[str], table: Mapping[str, Any]) -> str:
    """IAM's name for a service by its name in botocore or by a typo; '' if it is IAM's name."""
    services: Mapping[str, str] = table["services"]
    if service in services:
        return ""
    owner = next((prefix for prefix, names in services.items() if service in names.split()), "")
    if owner or service in models:
        return owner
    return next(iter(difflib.get_close_matches(service, {*models, *services}, 1, SLIP)), "")


def _refuse(action: str, title: str, meant: str) -> NoReturn:
    """Raise the error for a typo, with the intended action."""
    service = action.partition(":")[0]
    spelled = title[:2].isupper() or title[1:2].isdigit()
    article = "an" if title[0] in ("AEFHILMNORSX" if spelled else "AEIO") else "a"
    raise InvalidInput(f'"{action}" is not {article} {title} action. Did you mean {service}:{meant}?')
