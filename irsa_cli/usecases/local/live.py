"""Live names for completion, kept for a minute.

A separate process asks AWS, so that no shell waits for it; its errors are not shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 60.0
WAIT_SECONDS = 1.0
_GIVEN_UP = 20


def names(kind: str, *, region: str = "", profile: str = "", cluster: str = "") -> list[str]:
    """Names of a kind (`clusters`, `accounts`): what was asked a moment ago, else what comes in time."""
    asked = [kind, region, profile, cluster]
    file = _folder() / hashlib.sha256(json.dumps([*asked, *_identity()]).encode()).hexdigest()[:32]
    found = _kept(file)
    if found is None:
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-m", "irsa_cli.usecases.local.live", str(file), *asked],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ).wait(WAIT_SECONDS)
    return found if found is not None else _kept(file) or []


def _identity() -> Sequence[str]:
    variables = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL")
    return [os.environ.get(name, "") for name in variables]


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("irsa") / "names"


def _kept(file: Path) -> list[str] | None:
    try:
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else None


def _ask(kind: str, region: str, profile: str, cluster: str) -> list[str]:
    from irsa_cli.aws.cluster import cluster_names
    from irsa_cli.aws.session import AwsSession
    from irsa_cli.usecases.command.connect import Target, connect

    if kind == "clusters":
        aws = AwsSession(
            profile=profile or None, region=region or None, assume_role=None, log=lambda call: None
        )
        return list(cluster_names(aws.client("eks")))
    target = Target(cluster, region=region or None, profile=profile or None)
    connection = connect(target, kube=True, log=lambda call: None, check=lambda aws: None)
    found = (item["metadata"] for item in connection.kube.service_accounts())
    return [f"{it['namespace']}/{it['name']}" for it in found]


def main(arguments: Sequence[str]) -> int:
    """Ask, and write the answer; returns the exit code."""
    import signal

    signal.alarm(_GIVEN_UP)
    path, kind, region, profile, cluster = arguments
    file = Path(path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = _ask(kind, region, profile, cluster)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(json.dumps(found), encoding="utf-8")
    new.replace(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
