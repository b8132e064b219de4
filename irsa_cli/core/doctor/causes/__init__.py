"""The causes of a broken IRSA setup, as small pure checks; each module in this folder is imported."""

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
