"""The values of a container's environment variables, as kubelet computes them.

A literal value, a field of the pod (`fieldRef`), a key of a ConfigMap, or a text with references to variables
before it. Values of Secrets, resource limits and Services are unknown, and those of ConfigMaps until these
are read; so is a text with a reference to one.
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#available-fields
https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
Maps = Mapping[str, Mapping[str, str]]
"""The contents of the ConfigMaps that were read, by `configmap/NAME`; of one that is not there, nothing."""


@dataclass(frozen=True)
class VariableSource:
    """A ConfigMap or Secret of `envFrom`, as `configmap/NAME`; `prefix` stands before its keys."""

    name: str
    prefix: str = ""

    @property
    def is_secret(self) -> bool:
        return self.name.startswith("secret/")

    def __str__(self) -> str:
        return f"{self.name} (prefix {self.prefix})" if self.prefix else self.name


@dataclass(frozen=True)
class Reference:
    """A value that may be in ConfigMaps: a key, or a variable that `envFrom` may set.

    Of several sources the last one that has it counts. `otherwise` is the text if none has it, None if that
    is not known. `is_optional`: then there is no such variable.
    """

    name: str
    sources: tuple[VariableSource, ...]
    otherwise: str | None = None
    is_optional: bool = False


Part = str | Reference | None
"""A part of a value; None for one that is not known."""
Value = tuple[Part, ...]


def values(container: Json, pod: Json) -> dict[str, Value]:
    """The variables of `env` with their values, in their order."""
    sources = sources_of(container)
    known: dict[str, Value] = {}
    for variable in container.get("env") or []:
        if variable.get("valueFrom") is not None:
            known[variable["name"]] = (_referred(variable["valueFrom"], pod),)
        else:
            known[variable["name"]] = _expanded(str(variable.get("value") or ""), known, sources)
    return known


def sources_of(container: Json) -> tuple[VariableSource, ...]:
    """The sources in `envFrom`, in its order."""
    sources: list[VariableSource] = []
    for source in container.get("envFrom") or []:
        kind = "secret" if "secretRef" in source else "configmap"
        name = (source.get("secretRef") or source.get("configMapRef") or {}).get("name", "")
        sources.append(VariableSource(f"{kind}/{name}", source.get("prefix") or ""))
    return tuple(sources)


def _referred(value_from: Json, pod: Json) -> Part:
    if value_from.get("fieldRef"):
        return _field(str(value_from["fieldRef"].get("fieldPath", "")), pod)
    key = value_from.get("configMapKeyRef")
    if not key:
        return None
    source = VariableSource(f"configmap/{key.get('name', '')}")
    return Reference(str(key.get("key", "")), (source,), is_optional=bool(key.get("optional")))


_OF_MAP = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def _field(path: str, pod: Json) -> str | None:
    """A field of a pod as it is by now; None if the pod does not say it (yet), as a template does not."""
    metadata = pod.get("metadata") or {}
    spec = pod.get("spec") or {}
    status = pod.get("status") or {}
    fields = {
        "metadata.name": metadata.get("name"),
        "metadata.namespace": metadata.get("namespace"),
        "metadata.uid": metadata.get("uid"),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.hostIP": status.get("hostIP"),
        "status.podIP": status.get("podIP"),
    }
    of_map = _OF_MAP.fullmatch(path)
    if of_map is None:
        return fields.get(path) or None
    # A pod without the label has an empty value; a template's pods may get the label when they are created.
    without = "" if metadata.get("uid") else None
    value: str | None = (metadata.get(of_map[1]) or {}).get(of_map[2], without)
    return value


_MARK = re.compile(r"\$(?:\$|\(([^)]*)\))")
# Of each Service of the namespace: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_OF_SERVICE = re.compile(r"[A-Z0-9_]+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\w+)?)", re.ASCII)


def _expanded(text: str, known: Mapping[str, Value], sources: tuple[VariableSource, ...]) -> Value:
    """A text with the values of the variables before it; `$$` is a `$`, and what is not there stays."""
    parts: list[Part] = []
    end = 0
    for mark in _MARK.finditer(text):
        parts.append(text[end : mark.start()])
        end = mark.end()
        name = mark[1]
        if name is None:
            parts.append("$")
        elif name in known:
            parts += known[name]
        else:
            parts.append(_from_outside(name, mark[0], sources))
    return (*parts, text[end:])


def _from_outside(name: str, text: str, sources: tuple[VariableSource, ...]) -> Part:
    """The value of a variable that `env` does not set before the reference, which is the text `$(NAME)`."""
    otherwise = None if _OF_SERVICE.fullmatch(name) else text
    possible = tuple(source for source in sources if name.startswith(source.prefix))
    return Reference(name, possible, otherwise) if possible else otherwise


def text_of(value: Value, maps: Maps) -> str | None:
    """The text of a value; None if a part is not known."""
    texts: list[str] = []
    for part in value:
        text = _text_of(part, maps) if isinstance(part, Reference) else part
        if text is None:
            return None
        texts.append(text)
    return "".join(texts)


def _text_of(reference: Reference, maps: Maps) -> str | None:
    """The text of a reference; None if it is not known: a Secret, which irsa does not read, may have it."""
    for source in reversed(reference.sources):
        content = maps.get(source.name)
        if content is None:
            return None
        key = reference.name.removeprefix(source.prefix)
        if key in content:
            return content[key]
    return reference.otherwise


def is_absent(value: Value, maps: Maps) -> bool:
    """Whether there is no such variable: it is an optional key that its ConfigMap does not have."""
    reference = value[0] if len(value) == 1 else None
    if not isinstance(reference, Reference) or not reference.is_optional:
        return False
    return all(
        source.name in maps and reference.name not in maps[source.name] for source in reference.sources
    )


def config_maps_of(every: Iterable[Value]) -> set[str]:
    """The ConfigMaps that may have parts of these values, as `configmap/NAME`."""
    names: set[str] = set()
    for value in every:
        references = [part for part in value if isinstance(part, Reference)]
        for reference in references:
            names |= {source.name for source in reference.sources if not source.is_secret}
    return names


def of_maps(sources: Iterable[VariableSource], maps: Maps) -> dict[str, str | None]:
    """The variables that `envFrom` sets from the ConfigMaps that were read; the last source counts.

    None is the value of one that a source after it, which was not read, may set as well.
    """
    variables: dict[str, str | None] = {}
    for source in sources:
        if source.name not in maps:
            doubtful = [name for name in variables if name.startswith(source.prefix)]
            variables.update(dict.fromkeys(doubtful))
        for key, text in maps.get(source.name, {}).items():
            variables[f"{source.prefix}{key}"] = text
    return variables
