"""Causes in the token's file: it is not where the SDK looks for it, or is never renewed there.

A token that a template brings itself, with its role, is judged in `irsa_cli.core.doctor.causes.own_token`.
"""

from __future__ import annotations

from irsa_cli.core.doctor.causes.own_token import volume_at
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, problem
from irsa_cli.core.doctor.owners import edit
from irsa_cli.core.doctor.subjects import TOKEN_ENV, TOKEN_VOLUME, injected_users, listed, where
from irsa_cli.core.objects.kinds import Container, Pod

_WEBHOOK = "https://github.com/aws/amazon-eks-pod-identity-webhook#readme"


@cause(
    "pod-token-volume",
    Group.PODS,
    88,
    title="The token's file is not where the SDK looks for it.",
    symptom="open /var/run/secrets/eks.amazonaws.com/serviceaccount/token: no such file or directory",
    looks_at=f"{TOKEN_ENV}, the volumes of the pods and where they are mounted",
    remedy=f"Rename a volume of one's own that is called {TOKEN_VOLUME}, or mount a projected token.",
    source=_WEBHOOK,
)
def _volume(facts: Facts) -> Judgement:
    subject = facts.named
    found = [(pod, item) for pod, item in injected_users(subject) if not _has_token(pod, item)]
    if not found:
        return ok("the token's file is mounted")
    pod, item = found[0]
    return problem(
        f"no volume that holds a token is mounted at {item.env[TOKEN_ENV]}",
        fix=edit(facts, pod),
        containers=where(found),
        volumes=listed(volume.name for volume in pod.volumes) or "none",
    )


def _has_token(pod: Pod, container: Container) -> bool:
    file = container.env[TOKEN_ENV]
    if file is None:
        return True  # The variable comes from elsewhere: it can't be known where it points.
    # Windows writes the same path with other slashes and a drive.
    path = file.replace("\\", "/").removeprefix("C:")
    tokens = {volume.name: volume.path for volume in pod.volumes if volume.audience is not None}
    return any(
        path == _file_at(mount, tokens[name], container.parts.get(name, ""))
        for name, mount in container.mounts.items()
        if name in tokens
    )


def _file_at(mount: str, token: str, part: str) -> str:
    """Where a volume's token is: below the mount, or, of a part of the volume, where that leads."""
    if not part:
        return f"{mount.rstrip('/')}/{token}"
    inside = token.removeprefix(part.rstrip("/")).lstrip("/") if f"{token}/".startswith(part) else token
    return f"{mount.rstrip('/')}/{inside}" if inside else mount.rstrip("/")


@cause(
    "pod-token-kept",
    Group.PODS,
    76,
    title="The token is mounted by subPath, so that the container's file is never renewed.",
    symptom="It works for a day (or as long as the token lasts); then ExpiredTokenException: Token expired",
    looks_at=f"{TOKEN_ENV}, subPath of the volume mounts of the pods' containers",
    remedy="Mount the token's whole volume at a folder, without subPath: kubelet renews what is in it.",
    source="https://kubernetes.io/docs/concepts/storage/projected-volumes/",
)
def _kept(facts: Facts) -> Judgement:
    subject = facts.named
    found = [(pod, item) for pod, item in injected_users(subject) if _is_kept(pod, item)]
    if not found:
        return ok("no token's file is mounted by subPath")
    return problem(
        "kubelet renews the volume, and not what is mounted of it by subPath",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        file=str(found[0][1].env[TOKEN_ENV]),
    )


def _is_kept(pod: Pod, container: Container) -> bool:
    volume = volume_at(pod, container, container.env[TOKEN_ENV] or "")
    if volume is None or volume.audience is None or container.init or pod.owner.startswith("Job/"):
        return False  # What begins a pod, or is a Job's, ends before its token does.
    return volume.name in container.parts
