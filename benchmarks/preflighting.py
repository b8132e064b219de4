"""preflight in a pod's environment: its time and memory, in units of a bare Python, apart from STS's answer.

Called by `benchmarks.run`; `python -m benchmarks.preflighting` measures this part alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring import Measured, alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox

ROUNDS = 15
SECONDS = 0.150
MEGABYTES = 30
NAME = "preflighted"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """A pod with its identity: as a module, as one file, and as the command."""
    measure([irsa(), "create-sa", NAME, "-c", "demo", "--attach-policy-arn", POLICY, "-q"], env)
    with tempfile.TemporaryDirectory() as folder:
        token, archive = Path(folder, "token"), Path(folder, "preflight.pyz")
        token.write_bytes(_output(["token", NAME, "-c", "demo", "-q"], env))
        archive.write_bytes(_output(["preflight", "--self"], env))
        role = _output(["get-sa", "-n", "default", "-c", "demo", "-o", "jsonpath={.items[0].role.arn}"], env)
        pod = {
            "PATH": env["PATH"],
            "AWS_ROLE_ARN": role.decode().strip(),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_STS": sandbox.url,
        }
        commands = {
            "pass": [sys.executable, "-c", "pass"],
            "module": [sys.executable, "-m", "irsa_cli.preflight"],
            "file": [sys.executable, "-I", "-S", str(archive)],
            "command": [irsa(), "preflight"],
        }
        best = {name: Measured(float("inf"), 0) for name in commands}
        answer = float("inf")
        for _ in range(ROUNDS):
            for name, command in commands.items():
                sandbox.calls.clear()
                best[name] = min(best[name], measure(command, pod), key=lambda found: found.seconds)
                answer = min([answer, *(call.ended - call.started for call in sandbox.calls)])
        size = archive.stat().st_size
    bare = best.pop("pass")
    print(f"      python -c pass: {_shown(bare)}; STS: {answer * 1000:.0f} ms")
    found = []
    for name, what in (("module", "preflight"), ("file", "preflight.pyz"), ("command", "irsa preflight")):
        own = best[name].seconds - answer
        print(
            f"      {what}: {_shown(best[name])}, {own / bare.seconds:.1f} times a bare Python, without STS"
        )
        if name != "command":
            memory = best[name].megabytes
            found += [
                report(
                    f"{what}: time", f"{own * 1000:.0f} ms", f"{SECONDS * 1000:.0f} ms", holds=own <= SECONDS
                ),
                report(f"{what}: memory", f"{memory:.0f} MB", f"{MEGABYTES} MB", holds=memory <= MEGABYTES),
            ]
    return [*found, report("preflight.pyz: size", f"{size / 1000:.0f} kB", "100 kB", holds=size <= 100_000)]


def _shown(found: Measured) -> str:
    return f"{found.seconds * 1000:.0f} ms, {found.megabytes:.0f} MB"


def _output(arguments: list[str], env: Mapping[str, str]) -> bytes:
    return subprocess.run([irsa(), *arguments], env=dict(env), stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    sys.exit(alone(results))
