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
    variables = {name: text.strip() for name, text in environment.items() if text.strip()}
    if "IRSA_CLUSTER" in variables or project.cluster:
        context = None
    elif context is not None:
        region = variables.get("IRSA_REGION") or project.region
        if region not in ("", context.region):
            context = None
    sources = _Sources(variables, project, context, options)
    for name in _TEXTS:
        yield sources.text(name)
    yield from sources.others()
    for name, (variable, value) in _ELSEWHERE.items():
        if variable in variables:
            yield Setting(name, variables[variable], Origin.ENVIRONMENT, variable)
        else:
            yield Setting(name, f"{value:g}s", Origin.DEFAULT)
    for variable, flag in options.items():
        if variable in variables and variable not in _REPORTED:
            yield Setting(flag, variables[variable], Origin.ENVIRONMENT, variable)


def _variable_of(name: str) -> str:
    return f"IRSA_{attribute_of(name).upper()}"


_REPORTED = {
    *map(_variable_of, _TEXTS),
    *(variable for variable, _ in _ELSEWHERE.values()),
    *(BOUNDARY, REQUIRE, "IRSA_LOCK", "IRSA_LOCK_TIMEOUT"),
}
"""Variables of settings with a name of their own."""


@dataclass(frozen=True)
class _Sources:
    """Where settings come from. `context` is None if the cluster is known from elsewhere."""

    variables: Mapping[str, str]
    project: Project
    context: ContextCluster | None
    options: Mapping[str, str]

    def text(self, name: str) -> Setting:
        """A setting that is a text, from its strongest source."""
        variable = _variable_of(name)
        counts = variable in self.options or variable == BOUNDARY
        if counts and variable in self.variables:
            return Setting(name, self.variables[variable], Origin.ENVIRONMENT, variable)
        caller = caller_variable(self.variables) if name == "profile" else ""
        if caller:
            profile = self.variables[caller] if caller == "AWS_PROFILE" else None
            return Setting(name, profile, Origin.ENVIRONMENT, caller)
        value = getattr(self.project, attribute_of(name))
        if value:
            return Setting(name, value, Origin.FILE, self.project.place(name))
        if self.context is not None and name in ("cluster", "region"):
            where = f"context {self.context.context} in {self.context.source}"
            value = self.context.name if name == "cluster" else self.context.region
            return Setting(name, value, Origin.KUBECONFIG, where)
        for variable in _OF_THE_AWS_CLI.get(name, ()):
            if variable in self.variables:
                return Setting(name, self.variables[variable], Origin.ENVIRONMENT, variable)
        return Setting(name, _DEFAULTS.get(name), Origin.DEFAULT)

    def others(self) -> Iterator[Setting]:
        """Settings of the project with a form of their own; a variable overrides the first three."""
        project = self.project
        seconds = project.lock_timeout if project.lock_timeout is not None else LockOptions().timeout
        yield self._other("lock", "true" if project.lock else "false", "IRSA_LOCK")
        yield self._other("lockTimeout", f"{seconds:g}s", "IRSA_LOCK_TIMEOUT")
        if self.variables.get(REQUIRE, "").lower() in ("1", "true", "yes"):
            yield Setting("requirePermissionsBoundary", "true", Origin.ENVIRONMENT, REQUIRE)
        else:
            required = "true" if project.require_permissions_boundary else "false"
            yield self._other("requirePermissionsBoundary", required)
        yield self._other("serviceAccounts", ", ".join(project.git_namespaces))
        yield self._other("allowWideTrust", "never" if project.never_wide_trust else "by-flag")

    def _other(self, name: str, value: str, variable: str = "") -> Setting:
        """A setting of the project, unless this variable is set."""
        if variable in self.variables:
            return Setting(name, self.variables[variable], Origin.ENVIRONMENT, variable)
        place = self.project.place(name)
        return Setting(name, value, Origin.FILE if place else Origin.DEFAULT, place)


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
