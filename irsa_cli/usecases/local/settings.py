"""Current settings and their sources: environment, `.irsa.yaml`, kubeconfig, or default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.config.project import Project
from irsa_cli.core.config.reader import attribute_of
from irsa_cli.core.values import limits
from irsa_cli.usecases.command.project_settings import BOUNDARY, REQUIRE, caller_variable
from irsa_cli.usecases.command.settings import LockOptions
from irsa_cli.usecases.local.kubeconfig import ContextCluster


class Origin(str, Enum):
    """A setting's source; the value is shown by `-o json`."""

    ENVIRONMENT = "environment"
    FILE = "file"
    KUBECONFIG = "kubeconfig"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """A setting in force; `where` is the variable, the file and line, or the context. None: it is not set."""

    name: str
    value: str | None
    origin: Origin
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        """The setting as an item of a `SettingList`."""
        return {
            "name": self.name,
            "value": self.value,
            "origin": self.origin.value,
            "where": self.where or None,
        }


_TEXTS = (
    *("cluster", "region", "profile", "namespace", "expectAccount", "expectClusterARN", "failOn"),
    *("permissionsBoundary", "lockNamespace"),
)
"""Settings that are a text."""
_DEFAULTS = {"namespace": "default", "lockNamespace": LockOptions().namespace}
_OF_THE_AWS_CLI = {"region": ("AWS_REGION", "AWS_DEFAULT_REGION")}
_ELSEWHERE: Mapping[str, tuple[str, float | str]] = {
    "callTimeout": (limits.VARIABLE, limits.DEFAULT_SECONDS),
    "retryTimeout": (limits.RETRY_VARIABLE, limits.RETRY_SECONDS),
    "lockDuration": (limits.LOCK_VARIABLE, limits.LOCK_SECONDS),
}


def settings_in_force(
    environment: Mapping[str, str],
    project: Project,
    context: ContextCluster | None,
    options: Mapping[str, str],
) -> Iterator[Setting]:
    """Each setting once; `options` are the flags that variables mean, of those that are set only."""
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    region = given.get("IRSA_REGION") or project.region
    named = "IRSA_CLUSTER" in given or project.cluster
    by_context: dict[str, str] = {}
    if context is not None and not named and region in ("", context.region):
        by_context = {"cluster": context.name, "region": context.region}
    reported = {BOUNDARY, REQUIRE, "IRSA_LOCK", "IRSA_LOCK_TIMEOUT"}
    for name in _TEXTS:
        attribute = attribute_of(name)
        variable = f"IRSA_{attribute.upper()}"
        reported.add(variable)
        counts = variable in options or variable == BOUNDARY
        if counts and variable in given:
            yield Setting(name, given[variable], Origin.ENVIRONMENT, variable)
        elif name == "profile" and (caller := caller_variable(given)):
            profile = given[caller] if caller == "AWS_PROFILE" else None
            yield Setting(name, profile, Origin.ENVIRONMENT, caller)
        elif value := getattr(project, attribute):
            yield Setting(name, value, Origin.FILE, project.place(name))
        elif name in by_context and context is not None:
            yield Setting(
                name, by_context[name], Origin.KUBECONFIG, f"context {context.context} in {context.source}"
            )
        else:
            found = next((item for item in _OF_THE_AWS_CLI.get(name, ()) if item in given), "")
            origin = Origin.ENVIRONMENT if found else Origin.DEFAULT
            yield Setting(name, given.get(found, _DEFAULTS.get(name)), origin, found)
    yield from _others(given, project)
    for name, (variable, value) in _ELSEWHERE.items():
        reported.add(variable)
        origin = Origin.ENVIRONMENT if variable in given else Origin.DEFAULT
        yield Setting(name, given.get(variable, f"{value:g}s"), origin, variable if variable in given else "")
    for variable, flag in options.items():
        if variable in given and variable not in reported:
            yield Setting(flag, given[variable], Origin.ENVIRONMENT, variable)


def _others(given: Mapping[str, str], project: Project) -> Iterator[Setting]:
    """Settings of the project with a form of their own; a variable overrides the first three."""
    seconds = project.lock_timeout if project.lock_timeout is not None else LockOptions().timeout
    required = "true" if project.require_permissions_boundary else "false"
    demanded = "true" if given.get(REQUIRE, "").lower() in ("1", "true", "yes") else ""
    for name, variable, said, value in (
        ("lock", "IRSA_LOCK", given.get("IRSA_LOCK"), "true" if project.lock else "false"),
        ("lockTimeout", "IRSA_LOCK_TIMEOUT", given.get("IRSA_LOCK_TIMEOUT"), f"{seconds:g}s"),
        ("requirePermissionsBoundary", REQUIRE, demanded, required),
        ("allowWideTrust", "", "", "never" if project.never_wide_trust else "by-flag"),
    ):
        if said:
            yield Setting(name, said, Origin.ENVIRONMENT, variable)
        else:
            place = project.place(name)
            yield Setting(name, value, Origin.FILE if place else Origin.DEFAULT, place)


MEANT_ELSEWHERE = (
    *(variable for variable, _ in _ELSEWHERE.values()),
    BOUNDARY,
    REQUIRE,
    "IRSA_EXEC",
    "IRSA_E2E",
    "IRSA_SANDBOX_CONTROL",
    "IRSA_CREDENTIALS_ACTIVE",
)
"""Variables that mean something, and no option."""
