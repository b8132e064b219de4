"""The real control plane itself: two clusters on one etcd, rights, and nothing left running."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import urllib3

from tests.support import leash
from tests.support.controlplane import ControlPlane, Etcd
from tests.support.kubeclient import KubeClient


def test_two_clusters_on_one_etcd_are_apart(etcd: Etcd, control_plane: ControlPlane, namespace: str) -> None:
    with ControlPlane(etcd.assets, etcd, region="cn-north-1") as other:
        assert other.issuer.startswith("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/")
        assert other.issuer != control_plane.issuer
        assert other.jwks() != control_plane.jwks()
        assert namespace in control_plane.world()["namespaces"]
        assert namespace not in other.world()["namespaces"]
        endpoint = other.endpoint
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        answer = KubeClient(endpoint, other.ca_pem, other.admin_token).get("/version")
        raise AssertionError(f"it still answers: {answer.text}")


def test_a_server_on_the_leash_dies_with_its_starter(tmp_path: Path) -> None:
    # The starter starts a leashed process that writes down its own id, and is killed without warning.
    server = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    starter = (
        "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, "
        "start_new_session=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", starter, sys.executable, leash.__file__, sys.executable, "-c", server]
    process = subprocess.Popen(command)
    pid = int(_eventually(lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""))
    assert _alive(pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _eventually(lambda: "" if _alive(pid) else "gone")


def _eventually(look: Callable[[], str]) -> str:
    """Wait until `look` finds something."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
