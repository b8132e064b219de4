"""Pods with their environment variables, as far as irsa reads them, and the kinds that create them.

Of the variables all names are known, and the values that a module declares by `variable`: others may be
secrets, and reading one is an error. `None` is a value that is not known (`irsa_cli.core.objects.variables`).

`Injection` has the settings that the EKS pod identity webhook gives to pods: role, audience, lifetime,
environment: https://github.com/aws/amazon-eks-pod-identity-webhook#eks-walkthrough
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.variables import (
    Maps,
    Value,
    VariableSource,
    config_maps_of,
    is_absent,
    of_maps,
    sources_of,
    text_of,
    values,
)
from irsa_cli.core.plan import states
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.limits import moment

HIDDEN = "(not shown)"
"""Stands for the value of a variable that irsa doesn't look at."""
ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
"""The ARN of a role: it is kept whatever the variable's name is."""


class Variable(str):
    """The name of a variable whose value is read; see `variable`."""

    __slots__ = ()


_DECLARED: set[str] = set()


def variable(name: str) -> Variable:
    """Declare that this variable's value is read: readings keep it. It must hold no secret."""
    _DECLARED.add(name)
    return Variable(name)


class UndeclaredVariable(LookupError):
    """A module asks for the value of a variable and had not declared it when the container was read."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the value of {name} is not kept: declare it by variable({name!r}) at the top of the module"
        )


class Environment:
    """The variables of a container, in their order.

    `open_values` are those of declared variables that depend on ConfigMaps.
    """

    __slots__ = ("_kept", "_names", "open_values")

    def __init__(self, variables: Mapping[str, str | None] | None = None) -> None:
        """Keep of these what may be kept."""
        texts = variables or {}
        self._names = tuple(texts)
        self._kept: dict[str, str | None] = {}
        self.open_values: dict[str, Value] = {}
        for name, value in texts.items():
            is_role = ROLE.fullmatch(value or "") is not None
            if name in _DECLARED or not value or is_role:
                # A URL may have a password before its host.
                self._kept[name] = HIDDEN if "@" in (value or "") and not is_role else value

    @classmethod
    def of_values(cls, values: Mapping[str, Value]) -> Environment:
        """The variables by their values, as far as those are known."""
        environment = cls({name: text_of(value, {}) for name, value in values.items()})
        for name, value in values.items():
            if name in _DECLARED and config_maps_of([value]):
                environment.open_values[name] = value
        return environment

    def with_config_maps(self, sources: Iterable[VariableSource], maps: Maps) -> Environment:
        """The same with the values that are in ConfigMaps; of those not in `maps`, nothing is known."""
        # Those of `env` replace those of `envFrom`.
        texts = {name: text for name, text in of_maps(sources, maps).items() if name not in self}
        texts.update((name, self._kept.get(name, HIDDEN)) for name in self)
        for name, value in self.open_values.items():
            if is_absent(value, maps):
                del texts[name]
            else:
                texts[name] = text_of(value, maps)
        return Environment(texts)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: Variable) -> str | None:
        if name not in self:
            _require_declared(name)
            raise KeyError(name)
        return self.get(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Environment):
            return NotImplemented
        return (self._names, self._kept) == (other._names, other._kept)

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"Environment({ {name: self._kept.get(name, HIDDEN) for name in self} })"

    def get(self, name: Variable, default: str | None = None) -> str | None:
        """The value of a declared variable, `default` where the container has no such variable."""
        _require_declared(name)
        if name not in self:
            return default
        if name not in self._kept:  # It was declared after the container was read.
            raise UndeclaredVariable(name)
        return self._kept[name]

    def is_set(self, name: str) -> bool:
        """Whether there is such a variable that is not empty, as far as can be seen; of any name."""
        return name in self and self._kept.get(name, HIDDEN) != ""

    def naming(self, role: str) -> tuple[str, ...]:
        """The variables, of any name, whose value is this ARN of a role."""
        return tuple(name for name in self if self._kept.get(name) == role)


def _require_declared(name: str) -> None:
    if name not in _DECLARED:
        raise UndeclaredVariable(name)


@dataclass(frozen=True)
class Mount:
    """A mount of a volume; `part` is the mounted path of the volume, '' for all of it."""

    volume: str
    path: str
    part: str = ""


@dataclass(frozen=True)
class Container:
    """A container. `sources` are Secrets and ConfigMaps of its environment, as `secret/name`.

    `env` has the values of ConfigMaps, those of `env_from` too, only `with_config_maps`. `init`: it ends
    before the others begin. `mounts` and `parts` (mounted paths) are by volume; `mounted_again` are further
    mounts of the same volumes.
    """

    name: str
    image: str = ""
    env: Environment = field(default_factory=Environment)
    sources: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    user: int | None = None
    init: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    mounted_again: tuple[Mount, ...] = ()
    env_from: tuple[VariableSource, ...] = field(default=(), compare=False)
    """The same `sources`, in parts."""

    @property
    def config_maps(self) -> set[str]:
        """The ConfigMaps that may decide the value of a declared variable, as `configmap/NAME`."""
        of_sources = {source.partition(" ")[0] for source in self.sources}
        names = of_sources | config_maps_of(self.env.open_values.values())
        return {name for name in names if name.startswith("configmap/")}

    def with_config_maps(self, maps: Maps) -> Container:
        """The same with the values of variables that are in these ConfigMaps."""
        return replace(self, env=self.env.with_config_maps(self.env_from, maps))

    @property
    def every_mount(self) -> tuple[Mount, ...]:
        first = (Mount(name, path, self.parts.get(name, "")) for name, path in self.mounts.items())
        return (*first, *self.mounted_again)


@dataclass(frozen=True)
class Volume:
    """A volume; the audience of its projected token, None without one.

    `path` is the token's file, `config_maps` and `secrets` are names. `more_tokens` are the audiences and
    files of further tokens in the same volume.
    """

    name: str
    audience: str | None = None
    path: str = "token"
    config_maps: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    more_tokens: tuple[tuple[str, str], ...] = ()

    @property
    def tokens(self) -> tuple[tuple[str, str], ...]:
        """The audience and the file of each projected token."""
        return () if self.audience is None else ((self.audience, self.path), *self.more_tokens)


@dataclass(frozen=True)
class Pod:
    """A pod; `owner` is the kind and name of its creator (`ReplicaSet/app-5d4f`), `node` its node.

    `controlled`: its owner recreates it. `ready`: its probes, None if unknown; `waiting`: why a container
    does not run. `ending`: its deletion has begun. `containers` include init containers.
    """

    namespace: str
    name: str
    service_account: str = "default"
    created: datetime | None = None
    phase: str = "Running"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    host_network: bool = False
    os: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    fs_group: int | None = None
    user: int | None = None
    owner: str = ""
    controlled: bool = True
    node: str = ""
    ending: bool = False
    ready: bool | None = None
    waiting: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether it runs and its deletion has not begun."""
        return self.phase not in ("Succeeded", "Failed") and not self.ending

    def with_config_maps(self, maps: Maps) -> Pod:
        """The same with the values of its containers' variables that are in these ConfigMaps."""
        containers = tuple(container.with_config_maps(maps) for container in self.containers)
        return replace(self, containers=containers)


KINDS: Mapping[str, str] = {
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "jobs": "Job",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "statefulsets": "StatefulSet",
}
"""The built-in kinds that create pods, by their resource."""
BUILT_IN = ("", "apps", "batch", "extensions")
"""The API groups of these kinds."""


Json = Mapping[str, Any]


def pod(body: Json) -> Pod:
    metadata = body["metadata"]
    spec = body["spec"]
    security = spec.get("securityContext") or {}
    status = body.get("status") or {}
    answers = {it.get("type"): it.get("status") for it in status.get("conditions") or []}
    waiting = [(it.get("state") or {}).get("waiting") or {} for it in status.get("containerStatuses") or []]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata.get("name") or metadata.get("generateName", ""),
        # The API server sets the name; a rejected pod has none.
        service_account=spec.get("serviceAccountName") or "default",
        created=moment(metadata.get("creationTimestamp")),
        phase=status.get("phase", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        containers=(
            *(_container(item, body) for item in spec.get("containers") or []),
            *(replace(_container(item, body), init=True) for item in spec.get("initContainers") or []),
        ),
        volumes=tuple(map(_volume, spec.get("volumes") or [])),
        host_network=bool(spec.get("hostNetwork")),
        os=_os(spec),
        node_selector=spec.get("nodeSelector") or {},
        fs_group=security.get("fsGroup"),
        user=security.get("runAsUser"),
        **_owner(metadata),
        node=spec.get("nodeName", ""),
        ending=bool(metadata.get("deletionTimestamp")),
        ready={"True": True, "False": False}.get(str(answers.get("Ready"))),
        waiting=next((str(item["reason"]) for item in waiting if item.get("reason")), ""),
    )


_OS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")


def _os(spec: Json) -> str:
    """The operating system of the nodes that a pod can run on, '' if nothing says it."""
    if named := (spec.get("os") or {}).get("name", ""):
        return str(named)
    selector = spec.get("nodeSelector") or {}
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = [_os_of_term(term) for term in required.get("nodeSelectorTerms") or []]
    of_terms = terms[0] if terms and len(set(terms)) == 1 else ""
    return str(next((selector[key] for key in _OS_LABELS if key in selector), of_terms))


def _os_of_term(term: Json) -> str:
    """The one operating system that a term of a node affinity accepts, '' if there is none or several."""
    accepted = [
        values[0]
        for item in term.get("matchExpressions") or []
        if item.get("key") in _OS_LABELS and item.get("operator") == "In"
        if len(values := item.get("values") or []) == 1
    ]
    return str(accepted[0]) if accepted else ""


def _owner(metadata: Json) -> Json:
    """The controller of an object, or else its first owner; a foreign kind has its group."""
    owners = metadata.get("ownerReferences") or []
    found = next((item for item in owners if item.get("controller")), owners[0] if owners else None)
    if found is None:
        return {}
    group = str(found.get("apiVersion") or "").rpartition("/")[0]
    kind = found["kind"]
    if kind in KINDS.values() and group not in BUILT_IN:
        kind = f"{kind}.{group}"
    return {"owner": f"{kind}/{found['name']}", "controlled": bool(found.get("controller"))}


def _container(body: Json, pod_body: Json) -> Container:
    mounts = [
        Mount(item["name"], item.get("mountPath", ""), item.get("subPath") or item.get("subPathExpr") or "")
        for item in body.get("volumeMounts") or []
    ]
    first: dict[str, Mount] = {}
    for mount in mounts:
        first.setdefault(mount.volume, mount)
    return Container(
        name=body["name"],
        image=body.get("image", ""),
        env=Environment.of_values(values(body, pod_body)),
        sources=tuple(map(str, sources_of(body))),
        env_from=sources_of(body),
        mounts={name: mount.path for name, mount in first.items()},
        parts={name: mount.part for name, mount in first.items() if mount.part},
        mounted_again=tuple(mount for mount in mounts if mount is not first[mount.volume]),
        arguments=(*(body.get("command") or ()), *(body.get("args") or ())),
        user=(body.get("securityContext") or {}).get("runAsUser"),
    )


def _volume(body: Json) -> Volume:
    sources = (body.get("projected") or {}).get("sources") or []
    maps = [source.get("configMap") or {} for source in (*sources, body)]
    secrets = [source.get("secret") or {} for source in (*sources, body)]
    config_maps = tuple(item["name"] for item in maps if item.get("name"))
    named = tuple(filter(None, (item.get("name") or item.get("secretName") for item in secrets)))
    tokens = [token for source in sources if (token := source.get("serviceAccountToken")) is not None]
    found = [(str(token.get("audience", "")), str(token.get("path", "token"))) for token in tokens]
    if not found:
        return Volume(body["name"], config_maps=config_maps, secrets=named)
    return Volume(body["name"], *found[0], config_maps, named, more_tokens=tuple(found[1:]))


DEFAULT_SECONDS = 86400
"""How long a pod's token lives when nothing else is said; EKS gives no longer one."""
MINIMUM_SECONDS = 600
"""Kubernetes gives no shorter one; the webhook raises a smaller one to it."""

# The webhook is written in Go: what its ParseBool takes for false, and its ParseInt at all.
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = 2**63


AGENT = "eks-pod-identity-agent"
"""The add-on, and the name label of its pods."""


@dataclass(frozen=True)
class Injection:
    """The settings in a ServiceAccount's annotations; `role_arn` is empty without a role.

    `annotated`: the role's annotation exists. `token_seconds` is the requested lifetime. `regional_sts`:
    SDKs use the STS endpoint of their region, the default on EKS.
    """

    role_arn: str = ""
    audience: str = DEFAULT_AUDIENCE
    token_seconds: int = DEFAULT_SECONDS
    regional_sts: bool = True
    annotated: bool = field(default=False, compare=False)
    by_irsa: bool = field(default=False, compare=False)
    """Whether irsa wrote the role's annotation, as it is."""
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """irsa's annotations about the target role."""

    @classmethod
    def read(cls, annotations: Mapping[str, str]) -> Injection:
        """Read a ServiceAccount's annotations; ignores what the webhook ignores."""
        return cls(
            role_arn=annotations.get(states.ROLE_ARN_ANNOTATION, ""),
            audience=annotations.get(states.AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE),
            token_seconds=_seconds(annotations.get(states.TOKEN_EXPIRATION_ANNOTATION, "")),
            # Whatever is neither true nor false leaves it at EKS's default, which is true.
            regional_sts=annotations.get(states.STS_REGIONAL_ANNOTATION, "") not in _FALSE,
            annotated=states.ROLE_ARN_ANNOTATION in annotations,
            by_irsa=annotations.get(states.ROLE_ARN_ANNOTATION, "") == annotations.get(states.ROLE_MARK),
            notes={key: annotations[key] for key in states.CHAIN_ANNOTATIONS if key in annotations},
        )


def _seconds(text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -_INT64 <= int(text) < _INT64:
        return DEFAULT_SECONDS
    return max(int(text), MINIMUM_SECONDS)
