"""The causes of a broken setup: a module for each part that can break, a check for each cause.

A check is registered by `@check_of` with its cause's group and weight; `data/causes.json` has its texts.
Modules are found by their names, so a new cause is a row and a function: there is no list to forget. The
order of causes depends on groups and weights only.

Facts that several causes need belong in `irsa_cli.core.doctor.clues`, quoting and commands in
`irsa_cli.core.doctor.commands`. A cause asks no other cause: it reports that it can't tell, and names the
other.
"""

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
        Cause(name, check.group, check.weight, check.check, check.of_cluster, **texts[name])
        for name, check in checks.items()
    ]
    causes.sort(key=lambda cause: (_GROUPS.index(cause.group), -cause.weight, cause.id))
    return {cause.id: cause for cause in causes}


CAUSES = causes_of(json.loads(_TEXTS), CHECKS)
"""All causes by identifier: by group, the most probable one first. In which file one is doesn't matter."""

__all__ = ["CAUSES", "Cause", "Group"]
