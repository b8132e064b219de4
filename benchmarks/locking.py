"""What a lock costs: create-sa and apply of many, with `--lock` and without, in one run.

`python -m benchmarks.locking` prints the ratios. What is measured beside it is in `benchmarks.run`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring import LATENCY, alone, irsa, measure, report, sequential
from irsa_cli.sandbox import Sandbox

ROUNDS = 3
ACCOUNTS = 200
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Measure both; whether the limits hold."""
    sandbox.latency = LATENCY
    calls, trips, seconds = {}, {}, {}
    for flags in ((), ("--lock",)):
        times = []
        for number in range(ROUNDS):
            sandbox.calls.clear()
            name = f"one-{len(flags)}-{number}"
            command = [irsa(), "create-sa", name, "-c", "demo", "--attach-policy-arn", POLICY, "-q", *flags]
            times.append(measure(command, env).seconds)
        found = list(sandbox.calls)
        calls[flags], trips[flags], seconds[flags] = len(found), sequential(found), min(times)
    many = {flags: _apply(env, flags) for flags in ((), ("--lock",))}
    sandbox.latency = 0.0
    more, later = calls["--lock",] - calls[()], trips["--lock",] - trips[()]
    share = many["--lock",] / many[()]
    print(f"      create-sa {seconds[()]:.2f} s, with a lock {seconds['--lock',]:.2f} s")
    print(f"      apply of {ACCOUNTS} new {many[()]:.1f} s, with locks {many['--lock',]:.1f} s")
    return [
        report("calls more with a lock", f"{more}", "3", holds=more <= 3),
        report("sequential round trips more", f"{later}", "1", holds=later <= 1),
        report(f"apply of {ACCOUNTS} with locks / without", f"{share:.2f}x", "1.25x", holds=share <= 1.25),
    ]


def _apply(env: Mapping[str, str], flags: tuple[str, ...]) -> float:
    accounts = [
        {
            "metadata": {"name": f"many-{len(flags)}-{number}", "namespace": "default"},
            "attachPolicyARNs": [POLICY],
        }
        for number in range(ACCOUNTS)
    ]
    config = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "iam": {"withOIDC": True, "serviceAccounts": accounts},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return measure([irsa(), "apply", "-f", str(path), "-q", *flags], env).seconds


if __name__ == "__main__":
    sys.exit(alone(results))
