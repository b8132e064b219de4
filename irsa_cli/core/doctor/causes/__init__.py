"""The causes of a broken IRSA setup: each module here has checks, `data/causes.json` has their texts."""

import json
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files

from irsa_cli.core.doctor.finding import CHECKS, Cause, CauseCheck, Group

for _name in sorted(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")):
    import_module(_name)

_GROUPS = tuple(Group)
_TEXTS = (files("irsa_cli.core.doctor") / "data" / "causes.json").read_text(encoding="utf-8")


def causes_of(texts: Mapping[str, Mapping[str, str]], checks: Mapping[str, CauseCheck]) -> dict[str, Cause]:
    """The causes by identifier; fails unless each check has all texts, and each text a check."""
    if odd := set(texts) ^ set(checks):
        raise ValueError(f"not one row and one check for each of these causes: {odd}")
    causes = [
        Cause(name, item.group, item.weight, item.check, item.of_cluster, **texts[name])
        for name, item in checks.items()
    ]
    causes.sort(key=lambda cause: (_GROUPS.index(cause.group), -cause.weight, cause.id))
    return {cause.id: cause for cause in causes}


CAUSES = causes_of(json.loads(_TEXTS), CHECKS)
"""All causes by identifier: by group, the most probable one first. In which file one is doesn't matter."""

__all__ = ["CAUSES", "Cause", "Group"]
