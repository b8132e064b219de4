"""The causes of a broken IRSA setup: `data/causes.json` describes them, each module here has checks."""

import json
import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any

from irsa_cli.core.doctor.finding import CHECKS, Cause, Check, Group

for _name in sorted(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")):
    import_module(_name)

_GROUPS = tuple(Group)
_TABLE = (files("irsa_cli.core.doctor") / "data" / "causes.json").read_text(encoding="utf-8")


def causes_of(rows: Iterable[Mapping[str, Any]], checks: Mapping[str, Check]) -> dict[str, Cause]:
    """The causes by identifier; fails unless each row has the fields of `Cause` and one check."""
    rows = list(rows)
    names = [row.get("id") for row in rows]
    odd = {name for name in names if names.count(name) > 1} | set(names) ^ set(checks)
    if odd:
        raise ValueError(f"not one row and one check for each of these causes: {odd}")
    causes = [Cause(**{**row, "group": Group(row["group"])}, check=checks[row["id"]]) for row in rows]
    causes.sort(key=lambda cause: (_GROUPS.index(cause.group), -cause.weight, cause.id))
    return {cause.id: cause for cause in causes}


CAUSES = causes_of(json.loads(_TABLE), CHECKS)
"""All causes by identifier: by group, the most probable one first. In which file one is doesn't matter."""

__all__ = ["CAUSES", "Cause", "Group"]
