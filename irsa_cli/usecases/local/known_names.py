"""Names for completion from local files: kubeconfig, `.irsa.yaml`, journals, AWS configuration.

Fast, without calls and without errors; unreadable files are skipped.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from irsa_cli.usecases.local.kubeconfig import all_clusters, eks_cluster

P = ParamSpec("P")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=,/-]{0,200}", re.ASCII)
"""Names without characters that a shell interprets."""
_JOURNALS = 200
_HEAD = 16_384


def _safe(names: Callable[P, Iterator[str]]) -> Callable[P, list[str]]:
    """Give the names that a shell can take, each once."""

    @wraps(names)
    def found(*args: P.args, **kwargs: P.kwargs) -> list[str]:
        return sorted({name for name in names(*args, **kwargs) if _NAME.fullmatch(name)})

    return found


@_safe
def clusters(state: Path) -> Iterator[str]:
    yield _of_project("cluster")
    yield from (cluster.name for cluster in all_clusters())
    yield from (_name(arn) for arn, _ in _past_runs(state))


@_safe
def regions(state: Path) -> Iterator[str]:
    """Names of regions: all that botocore knows, without importing it."""
    yield _of_project("region")
    yield from ("".join(arn.split(":")[3:4]) for arn, _ in _past_runs(state))
    spec = importlib.util.find_spec("botocore")
    if spec is not None and spec.origin is not None:
        with suppress(OSError, ValueError, KeyError):
            file = Path(spec.origin).parent / "data" / "endpoints.json"
            for partition in json.loads(file.read_bytes())["partitions"]:
                yield from partition["regions"]


@_safe
def namespaces(state: Path, cluster: str = "") -> Iterator[str]:
    """Names of namespaces, of one cluster if it is known."""
    yield from ("default", _of_project("namespace"))
    yield from (name.partition("/")[0] for name in accounts(state, cluster))


@_safe
def accounts(state: Path, cluster: str = "") -> Iterator[str]:
    """ServiceAccounts as `namespace/name`, of one cluster if it is known."""
    for arn, account in _past_runs(state):
        if cluster in ("", _name(arn)) and account.count("/") == 1:
            yield account


def cluster_in_force() -> str:
    """The cluster that is used without a flag; '' if there is none."""
    name = os.environ.get("IRSA_CLUSTER", "").strip() or _of_project("cluster")
    if name:
        return name
    context = eks_cluster()
    return context.name if context else ""


def namespace_in_force() -> str:
    """The namespace that is meant without a flag."""
    return os.environ.get("IRSA_NAMESPACE", "").strip() or _of_project("namespace") or "default"


@_safe
def profiles() -> Iterator[str]:
    """Profiles of the AWS configuration, read as the AWS CLI finds it."""
    yield _of_project("profile")
    for variable, default in (
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ):
        parser = configparser.RawConfigParser(strict=False)
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(Path(os.environ.get(variable) or default).expanduser(), encoding="utf-8")
        for section in parser.sections():
            kind, _, name = section.partition(" ")
            if name and kind == "profile":
                yield name.strip().strip("\"'")
            elif not name:
                yield section


def _name(cluster_arn: str) -> str:
    return cluster_arn.rpartition("/")[2]


def _past_runs(state: Path) -> Iterator[tuple[str, str]]:
    """The cluster's ARN and the ServiceAccount (`namespace/name`, or '') in the newest journals."""
    try:
        newest = sorted(state.glob("*.jsonl"), reverse=True)[:_JOURNALS]
    except OSError:
        return
    for path in newest:
        with suppress(OSError, ValueError, KeyError, RecursionError), path.open("rb") as file:
            text = file.read(_HEAD).decode("utf-8", "replace")
            start = text.index('"context":') + len('"context":')
            context, _ = json.JSONDecoder().raw_decode(text[start:].lstrip())
            yield str(context["cluster"]), str(context["serviceAccount"] or "")


def _of_project(name: str) -> str:
    try:
        here = Path.cwd()
        chosen = os.environ.get("IRSA_CONFIG")
        if not chosen and not any(os.path.lexists(parent / ".irsa.yaml") for parent in (here, *here.parents)):
            return ""
        from irsa_cli.usecases.command.project_settings import read_project

        return str(getattr(read_project(here), name))
    except Exception:
        return ""
