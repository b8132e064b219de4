"""Kubeconfigs as nobody means them: one sentence each, soon, and no credential in it."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.values import patience
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.kube.connection import from_kubeconfig

SECRET = "opaque-and-nobodys-business"
TOKEN = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20v"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": SECRET}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
        **changes,
    }


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """A document whose credentials come from a script."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
    return document(users=[{"name": "u", "user": {"exec": run}}])


ODD: dict[str, Callable[[Path], Any]] = {
    "list": lambda folder: [],
    "text": lambda folder: "x",
    "nothing": lambda folder: None,
    "clusters": lambda folder: document(clusters="x"),
    "cluster": lambda folder: document(clusters=[{"name": "c", "cluster": [7]}]),
    "no cluster": lambda folder: document(clusters=[]),
    "server": lambda folder: document(clusters=[{"name": "c", "cluster": {"server": ["x"]}}]),
    "address": lambda folder: document(clusters=[{"name": "c", "cluster": {"server": "file:///x"}}]),
    "users": lambda folder: document(users={"u": SECRET}),
    "user without its key": lambda folder: document(users=[{"name": "u", "token": SECRET}]),
    "contexts": lambda folder: document(contexts=7),
    "context": lambda folder: document(contexts=[{"name": "here", "context": []}]),
    "current": lambda folder: document(**{"current-context": []}),
    "CA's file": lambda folder: document(
        clusters=[{"name": "c", "cluster": {"server": "https://x", "certificate-authority": "no/such.pem"}}]
    ),
    "plugin fails": lambda folder: plugin(folder, f"echo {SECRET} '{{' ; printf '\\n::error::x' >&2; exit 3"),
    "plugin prints garbage": lambda folder: plugin(folder, "head -c 200 /dev/urandom"),
    "plugin says nothing": lambda folder: plugin(folder, "true"),
    "plugin gives no token": lambda folder: plugin(
        folder,
        """echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}'""",
    ),
    "plugin is not there": lambda folder: document(
        users=[{"name": "u", "user": {"exec": {"apiVersion": "x", "command": "/no/such/plugin"}}}]
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_kubeconfig_is_one_sentence(
    tmp_path: Path, case: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(ODD[case](tmp_path)))
    with pytest.raises(IrsaError) as caught:
        from_kubeconfig(str(path), None)
    assert caught.value.code == "Kubeconfig"
    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo 'no [default] profile, aws sso login' >&2; exit 9",
            "process returned 9. no [default] profile",
        ),
        ("echo hello", "its output is not JSON"),
        ("true", "its output is not JSON"),
        (f"echo 'bad {TOKEN}' >&2; exit 1", "process returned 1. bad "),
    ],
)
def test_why_a_plugin_gives_nothing(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(plugin(tmp_path, script)))
    with pytest.raises(IrsaError) as caught:
        from_kubeconfig(str(path), None)
    assert words in caught.value.reason
    assert TOKEN not in str(caught.value)
    assert "run it by itself" in caught.value.next_steps[0]


def test_a_plugin_that_fails_later_is_an_error_like_others(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    given = json.dumps(
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": "x", "expirationTimestamp": "2020-01-01T00:00:00Z"},
        }
    )
    script = f"test -e {tmp_path}/once && echo gone >&2 && exit 1; touch {tmp_path}/once; echo '{given}'"
    path.write_text(json.dumps(plugin(tmp_path, script)))
    server = from_kubeconfig(str(path), None)
    with pytest.raises(IrsaError, match=r"process returned 1\. gone"):
        server.authorization()


def test_what_has_no_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)
    for odd in (tmp_path / "pipe", tmp_path / "large", tmp_path, Path("/dev/zero")):
        with pytest.raises(IrsaError, match=r"is not a file|MiB"):
            from_kubeconfig(str(odd), None)
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{odd}")
        with pytest.raises(IrsaError, match=r"is not a file|MiB"):
            from_kubeconfig(None, None)
        monkeypatch.delenv("KUBECONFIG")


def test_a_plugin_that_does_not_end_has_the_time_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(plugin(tmp_path, "exec sleep 30")))
    patience.begin(1.0, lambda text: None)
    try:
        with pytest.raises(IrsaError, match="no complete answer within"):
            from_kubeconfig(str(path), None)
    finally:
        patience.begin(float("inf"), lambda text: None)


def test_no_credentials_without_tls(tmp_path: Path) -> None:
    """As kubectl has it: over http none are sent (`kubectl proxy` needs none)."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(document(clusters=[{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]))
    )
    assert SECRET not in from_kubeconfig(str(path), None).authorization()


def test_that_nobody_checks_the_server_is_told(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    path.write_text(json.dumps(document(clusters=[{"name": "c", "cluster": cluster}])))
    told: list[str] = []
    patience.begin(float("inf"), told.append)
    try:
        from_kubeconfig(str(path), None)
    finally:
        patience.begin(float("inf"), lambda text: None)
    assert "insecure-skip-tls-verify" in told[0]
