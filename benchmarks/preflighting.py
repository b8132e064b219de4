"""preflight in a pod's environment: its time and memory, in units of a bare Python, apart from STS's answer.

Called by `benchmarks.run`; `python -m benchmarks.preflighting` measures this part alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measuring import Measured, alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox

ROUNDS = 15
MILLISECONDS, MEGABYTES, KILOBYTES = 150, 30, 100
NAME = "preflighted"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """A pod with its identity: as a module, as one file, and as the command."""
    measure([irsa(), "create-sa", NAME, "-c", "demo", "--attach-policy-arn", POLICY, "-q"], env)
    with tempfile.TemporaryDirectory() as folder:
        token, archive = Path(folder, "token"), Path(folder, "preflight.pyz")
        token.write_bytes(_output([irsa(), "token", NAME, "-c", "demo", "-q"], env))
        archive.write_bytes(_output([irsa(), "preflight", "--self"], env))
        described = _output([irsa(), "describe-sa", NAME, "-c", "demo", "-o", "json"], env)
        role = json.loads(described)["items"][0]["role"]["arn"]
        pod = {
            "PATH": env["PATH"],
            "AWS_ROLE_ARN": role,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_STS": sandbox.url,
        }
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "preflight": [sys.executable, "-m", "irsa_cli.preflight"],
            "preflight.pyz": [sys.executable, "-I", "-S", str(archive)],
            "irsa preflight": [irsa(), "preflight"],
        }
        best = {name: Measured(float("inf"), 0, 0) for name in commands}
        answer = float("inf")
        for _ in range(ROUNDS):
            for name, command in commands.items():
                best[name] = min(best[name], measure(command, pod), key=lambda found: found.seconds)
            answer = min(answer, _answer(sandbox.url, role, token.read_text(encoding="utf-8").strip()))
        size = archive.stat().st_size / 1000
    print(f"      STS answers in {answer * 1000:.0f} ms, which is not counted")
    bare, found = best["python -c pass"].seconds, []
    for name, one in best.items():
        own = (one.seconds - (0 if name == "python -c pass" else answer)) * 1000
        print(
            f"      {name}: {own:.0f} ms, {own / bare / 1000:.1f} times a bare Python; {one.megabytes:.0f} MB"
        )
        if name.startswith("preflight"):
            memory = f"{one.megabytes:.0f} MB"
            found += [
                report(f"{name}: time", f"{own:.0f} ms", f"{MILLISECONDS} ms", holds=own <= MILLISECONDS),
                report(f"{name}: memory", memory, f"{MEGABYTES} MB", holds=one.megabytes <= MEGABYTES),
            ]
    holds = size <= KILOBYTES
    return [*found, report("preflight.pyz: size", f"{size:.0f} kB", f"{KILOBYTES} kB", holds=holds)]


def _answer(url: str, role: str, token: str) -> float:
    """How long STS takes for the exchange alone."""
    asked = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "benchmark"}
    body = urllib.parse.urlencode({**asked, "RoleArn": role, "WebIdentityToken": token}).encode()
    started = time.perf_counter()
    with urllib.request.urlopen(url, body) as answer:
        answer.read()
    return time.perf_counter() - started


def _output(command: Sequence[str], env: Mapping[str, str]) -> bytes:
    return subprocess.run(command, env=dict(env), stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    sys.exit(alone(results))
