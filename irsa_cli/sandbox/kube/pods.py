"""Pods: the values that the API server fills in, and the essentials of what it checks.

`admission` changes new pods. Nothing runs pods: they stay Pending until somebody writes another status.
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from collections.abc import Iterator, Sequence
from typing import Any

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import JsonObject, dns_label_problems

_SECONDS = 30
"""Default of `terminationGracePeriodSeconds`."""


def fill_in(pod: JsonObject) -> None:
    """Set the defaults that readers of a pod meet; what somebody has set is kept."""
    spec = pod.setdefault("spec", {})
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec |= {"serviceAccountName": name, "serviceAccount": name}
    defaults = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": _SECONDS,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    pod["spec"] = {**defaults, **spec}
    for container in containers_of(pod):
        _fill_in_container(container)
    for volume in spec.get("volumes", []):
        _fill_in_volume(volume)
    pod.setdefault("status", {"phase": "Pending"})


def _fill_in_container(container: JsonObject) -> None:
    tag = container.get("image", "").rpartition("/")[2].partition(":")[2]
    newest = tag in ("", "latest") and "@" not in container.get("image", "")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "Always" if newest else "IfNotPresent")


def _fill_in_volume(volume: JsonObject) -> None:
    projected = volume.get("projected")
    if projected is not None:
        projected.setdefault("defaultMode", 0o644)
        for source in projected.get("sources", []):
            if "serviceAccountToken" in source:
                source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def containers_of(pod: JsonObject) -> Iterator[JsonObject]:
    """Init containers, then the others."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"].get("containers", [])


def problems(pod: JsonObject) -> list[status.FieldError]:
    """Errors of containers, volumes, mounts and environment."""
    spec = pod["spec"]
    if not spec.get("containers"):
        return [status.required_value("spec.containers")]
    volumes = [volume.get("name", "") for volume in spec.get("volumes", [])]
    errors = _name_errors(volumes, "spec.volumes") + _token_errors(spec.get("volumes", []))
    for part in ("initContainers", "containers"):
        containers = spec.get(part, [])
        errors += _name_errors([container.get("name", "") for container in containers], f"spec.{part}")
        for index, container in enumerate(containers):
            errors += _container_errors(container, volumes, f"spec.{part}[{index}]")
    return errors


def _name_errors(found: Sequence[str], field: str) -> list[status.FieldError]:
    errors = []
    for index, name in enumerate(found):
        where = f"{field}[{index}].name"
        if not name:
            errors.append(status.required_value(where))
        elif name in found[:index]:
            errors.append(status.duplicate_value(where, name))
        else:
            errors += [status.invalid_value(where, name, why) for why in dns_label_problems(name)]
    return errors


def _container_errors(container: JsonObject, volumes: list[str], field: str) -> list[status.FieldError]:
    errors = [] if container.get("image") else [status.required_value(f"{field}.image")]
    paths: list[str] = []
    for index, mount in enumerate(container.get("volumeMounts", [])):
        where, path = f"{field}.volumeMounts[{index}]", mount.get("mountPath", "")
        if mount.get("name", "") not in volumes:
            errors.append(status.value_not_found(f"{where}.name", mount.get("name", "")))
        if not path:
            errors.append(status.required_value(f"{where}.mountPath"))
        elif path in paths:
            errors.append(status.invalid_value(f"{where}.mountPath", path, "must be unique"))
        paths.append(path)
    for index, variable in enumerate(container.get("env", [])):
        if not variable.get("name"):
            errors.append(status.required_value(f"{field}.env[{index}].name"))
    return errors


def _token_errors(volumes: list[JsonObject]) -> list[status.FieldError]:
    """A projected token lives for 10 minutes at least, and has a path."""
    errors = []
    for index, volume in enumerate(volumes):
        for place, source in enumerate(volume.get("projected", {}).get("sources", [])):
            token: dict[str, Any] | None = source.get("serviceAccountToken")
            if token is None:
                continue
            where = f"spec.volumes[{index}].projected.sources[{place}].serviceAccountToken"
            if token.get("expirationSeconds", 3600) < 600:
                why = "may not specify a duration less than 10 minutes"
                found = token["expirationSeconds"]
                errors.append(status.invalid_value(f"{where}.expirationSeconds", found, why))
            if not token.get("path"):
                errors.append(status.required_value(f"{where}.path"))
    return errors


def grace_of(pod: JsonObject, desired: int | None) -> int:
    """Seconds that a deleted pod stays: none where no node runs it."""
    if not pod["spec"].get("nodeName"):
        return 0
    own: int = pod["spec"].get("terminationGracePeriodSeconds", _SECONDS)
    return own if desired is None else desired
