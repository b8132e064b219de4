"""The source of a container's credentials: its variables, and the files that its volumes mount. Pure.

Of both ways' variables, SDKs take the token of IRSA.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from irsa_cli.core.objects.kinds import HIDDEN, Container, Pod, Variable
from irsa_cli.core.objects.mounted import token_at, volume_at
from irsa_cli.core.uses.ways import AGENT_TOKEN_FILE, CREDENTIALS_URI, TOKEN_FILE, IdentitySource


@dataclass(frozen=True)
class Credentials:
    """The way that gives a container its role: None for neither, and `why` if it sets variables for one.

    `doubt` is the field that can change the answer, and that irsa does not see into; '' if there is none.
    """

    way: IdentitySource | None
    why: str = ""
    doubt: str = ""


def credentials_of(pod: Pod, container: Container) -> Credentials:
    """The source of a container's credentials, as far as its variables and mounts tell."""
    if container.env.is_set(TOKEN_FILE):
        return _by_file(pod, container, IdentitySource.IRSA, TOKEN_FILE)
    doubt = next(_sources_of(container, TOKEN_FILE), "")
    if CREDENTIALS_URI not in container.env:
        return Credentials(None, doubt=doubt)
    if not container.env.is_set(CREDENTIALS_URI):
        return Credentials(None, f"it sets {CREDENTIALS_URI} to nothing", doubt)
    if not container.env.is_set(AGENT_TOKEN_FILE):
        doubt = doubt or next(_sources_of(container, AGENT_TOKEN_FILE), "")
        return Credentials(None, f"it sets {CREDENTIALS_URI} without {AGENT_TOKEN_FILE}", doubt)
    credentials = _by_file(pod, container, IdentitySource.POD_IDENTITY, AGENT_TOKEN_FILE)
    return replace(credentials, doubt=credentials.doubt or doubt)


def _by_file(pod: Pod, container: Container, way: IdentitySource, variable: Variable) -> Credentials:
    """By the token that a variable leads to."""
    path = container.env.get(variable)
    if path is None or path == HIDDEN:
        return Credentials(way, doubt=f"env {variable}")
    if token_at(pod, container, path) is not None:
        return Credentials(way)
    volume = volume_at(pod, container, path)
    if volume is not None and volume.audience is None:
        return Credentials(way, doubt=f"volume {volume.name}")
    return Credentials(None, f"{variable} is {path}, and no volume mounts a token there")


def _sources_of(container: Container, variable: str) -> Iterator[str]:
    """The ConfigMaps and Secrets that may set a variable which the container does not set itself."""
    if variable in container.env:
        return
    for source in container.sources:
        prefix = source.partition(" (prefix ")[2].removesuffix(")")
        if variable.startswith(prefix):
            yield f"envFrom {source}"


def ways_of(pod: Pod) -> set[IdentitySource]:
    """The ways that give containers of a pod their role."""
    ways = (credentials_of(pod, container).way for container in pod.containers)
    return {way for way in ways if way is not None}


def is_without(pod: Pod) -> bool:
    """Whether a container of a living pod sets variables of a way, and gets no credentials by it."""
    each = (credentials_of(pod, container) for container in pod.containers)
    return pod.is_alive and any(credentials.way is None and credentials.why for credentials in each)
