"""Find the EKS cluster of a kubeconfig context, without running or calling anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.texts import read_text

_ARN = re.compile(r"arn:aws[a-z-]*:eks:(?P<region>[a-z0-9-]+):\d{12}:cluster/(?P<name>.+)", re.ASCII)
_SERVER = re.compile(
    r"https://[^/@?#]+\.(?P<region>[a-z0-9-]+)\.eks\.(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::443)?/?",
    re.ASCII | re.I,
)
_EKSCTL = re.compile(r"(?P<name>[^.]+)\.(?P<region>[a-z0-9-]+)\.eksctl\.io", re.ASCII)
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class ContextCluster:
    """The EKS cluster of a context, and the file that has the context; ARN and server as far as known."""

    name: str
    region: str
    context: str
    source: str
    arn: str = ""
    server: str = ""


def eks_cluster(path: str | None = None, context: str | None = None) -> ContextCluster | None:
    """The cluster of a context (default: the current one); None if it is not known to be on EKS."""
    files = [*_read([path] if path else _paths())]
    chosen = context
    source = ""
    if not chosen:
        for document, file in files:
            chosen = _text(document.get("current-context"))
            if chosen:
                source = file
                break
        else:
            return None
    described, where = _named(files, "contexts", "context", chosen)
    cluster_name = _text(described.get("cluster"))
    cluster, _ = _named(files, "clusters", "cluster", cluster_name)
    user, _ = _named(files, "users", "user", _text(described.get("user")))
    known = _cluster_of(cluster_name, cluster, user)
    if known is None:
        return None
    arn = cluster_name if _ARN.fullmatch(cluster_name) else ""
    server = _text(cluster.get("server"))
    known_server = server if _SERVER.fullmatch(server) else ""
    return ContextCluster(*known, chosen, source or where, arn, known_server)


def all_clusters() -> Iterator[ContextCluster]:
    """The EKS clusters of all contexts."""
    for document, _ in _read(_paths()):
        for entry in _items(document, "contexts"):
            name = _text(entry.get("name"))
            cluster = eks_cluster(None, name) if name else None
            if cluster is not None:
                yield cluster


def _cluster_of(name: str, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and region, by what says most: an ARN, what gets the token, the server."""
    server = _SERVER.fullmatch(_text(cluster.get("server")))
    region = server["region"] if server else ""
    command = user.get("exec")
    by_token = _of_command(command, region) if isinstance(command, dict) else None
    for match in (_ARN.fullmatch(name), _EKSCTL.fullmatch(name)):
        if match is not None and (match.re is _ARN or server or by_token):
            return _checked(match["name"], match["region"])
    if by_token is not None:
        return _checked(*by_token)
    return _checked(name, region) if server else None


def _of_command(command: Mapping[str, Any], region: str) -> tuple[str, str] | None:
    """The arguments of `aws eks get-token` or `aws-iam-authenticator token`."""
    written = command.get("args")
    args = [str(item) for item in written] if isinstance(written, list) else []
    program = os.path.basename(_text(command.get("command")))
    if program == "aws" and "get-token" in args:
        name = _after(args, "--cluster-name")
    elif program == "aws-iam-authenticator" and "token" in args:
        name = _after(args, "-i", "--cluster-id")
    else:
        return None
    own_region = _after(args, "--region") or region
    return (name, own_region) if name and own_region else None


def _after(args: Sequence[str], *flags: str) -> str:
    for number, text in enumerate(args):
        flag, equals, value = text.partition("=")
        if flag in flags:
            return value if equals else "".join(args[number + 1 : number + 2])
    return ""


def _checked(name: str, region: str) -> tuple[str, str] | None:
    try:
        return names.cluster(name), names.region(region)
    except InvalidInput:
        return None


def _paths() -> list[str]:
    variable = os.environ.get("KUBECONFIG", "")
    if variable:
        return [path for path in variable.split(os.pathsep) if path]
    return [str(Path("~/.kube/config").expanduser())]


def _read(paths: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in paths:
        try:
            if not os.path.isfile(path):
                continue
            document = yaml.load(read_text(path, _LARGEST), loader)  # noqa: S506 - a safe loader
        except (InvalidInput, yaml.YAMLError, RecursionError, ValueError):
            continue
        if isinstance(document, dict):
            yield document, path


def _named(
    files: Sequence[tuple[Mapping[str, Any], str]], kind: str, key: str, name: str
) -> tuple[Mapping[str, Any], str]:
    for document, path in files:
        for entry in _items(document, kind):
            if entry.get("name") == name and isinstance(entry.get(key), dict):
                return entry[key], path
    return {}, ""


def _items(document: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    entries = document.get(kind)
    if isinstance(entries, list):
        yield from (entry for entry in entries if isinstance(entry, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
