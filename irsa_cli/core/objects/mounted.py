"""The files that volumes put into a container."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from irsa_cli.core.objects.kinds import Container, Pod, Volume


def volume_at(pod: Pod, container: Container, file: str) -> Volume | None:
    """The volume that a file is in: that of the nearest mount above it, None without one."""
    path = _posix(file)
    fitting = [mount for mount in container.every_mount if f"{path}/".startswith(f"{_folder(mount.path)}/")]
    nearest = max(fitting, key=lambda mount: len(_folder(mount.path)), default=None)
    return next((it for it in pod.volumes if nearest is not None and it.name == nearest.volume), None)


def token_at(pod: Pod, container: Container, file: str) -> Volume | None:
    """The volume whose projected ServiceAccount token is this file, None without one."""
    path = _posix(file)
    volumes = {volume.name: volume for volume in pod.volumes}
    for mount in container.every_mount:
        volume = volumes.get(mount.volume)
        folder = _folder(mount.path)
        for _, inside in volume.tokens if volume is not None else ():
            if mount.part and f"{inside}/".startswith(mount.part):
                inside = inside.removeprefix(mount.part.rstrip("/")).lstrip("/")
            if path == (f"{folder}/{inside}" if inside or not mount.part else folder):
                return volume
    return None


def _posix(path: str) -> str:
    """A path as Linux writes it: Windows writes the same one with other slashes and a drive."""
    return path.replace("\\", "/").removeprefix("C:")


def _folder(path: str) -> str:
    return _posix(path).rstrip("/")


def why_rejected(pod: Pod) -> str:
    """Why the API server rejects a pod for its mounts, '' if it does not."""
    volumes = {volume.name for volume in pod.volumes}
    for container in pod.containers:
        missing = [mount.volume for mount in container.every_mount if mount.volume not in volumes]
        if missing:
            return f"container {container.name} mounts the volume {missing[0]}, which the pod does not have"
        paths = Counter(str(PurePosixPath(mount.path)) for mount in container.every_mount)
        twice = [path for path, count in paths.items() if count > 1]
        if twice:
            return f"container {container.name} would have two volumes mounted at {twice[0]}"
    return ""
