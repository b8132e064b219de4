"""The causes why IRSA doesn't work: each a small pure check over what was observed.

`CAUSES` holds them all: each module of this folder is imported, so that a cause is a file here and no line
anywhere else. What is observed is in `facts`, what a cause is in `finding`, what several of them ask of the
facts in `clues`.
"""

import pkgutil
from importlib import import_module

from irsa_cli.core.doctor.finding import REGISTRY, Cause, Group

for _name in sorted(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")):
    import_module(_name)

_GROUPS = tuple(Group)


def _place(cause: Cause) -> tuple[int, int, str]:
    return _GROUPS.index(cause.group), -cause.weight, cause.id


CAUSES: dict[str, Cause] = {cause.id: cause for cause in sorted(REGISTRY.values(), key=_place)}
"""All causes by identifier: by group, the most probable one first. In which file one is doesn't matter."""

__all__ = ["CAUSES", "Cause", "Group"]
