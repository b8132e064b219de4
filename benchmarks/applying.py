"""What a file costs: `irsa apply` of 200 new ServiceAccounts, and of the same with nothing to do.

Also on its own: `python -m benchmarks.applying`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring import LATENCY, alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox

ACCOUNTS = 200
SINGLE_RUNS = 5
"""Single runs that are measured; 200 of them would take minutes, so their best is taken 200 times."""
SHARE = 1 / 8
AGAIN_SECONDS = 12
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Measure both; whether each limit holds."""
    sandbox.latency = LATENCY
    single = min(measure(_create_sa(number), env).seconds for number in range(SINGLE_RUNS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.yaml"
        path.write_text(json.dumps(config(ACCOUNTS, "app")), encoding="utf-8")
        command = [irsa(), "apply", "-f", str(path), "-q"]
        first = measure(command, env)
        sandbox.calls.clear()
        again = measure(command, env)
    writes = sum(_is_write(call.service, call.operation) for call in sandbox.calls)
    calls = len(sandbox.calls)
    sandbox.latency = 0.0
    share = first.seconds / (ACCOUNTS * single)
    print(f"      one create-sa {single:.2f} s, apply of {ACCOUNTS} {first.seconds:.1f} s")
    return [
        report(
            f"apply of {ACCOUNTS} new / {ACCOUNTS} x create-sa, at 60 ms",
            f"{share:.3f}x",
            "0.125x",
            holds=share <= SHARE,
        ),
        report(
            f"apply of {ACCOUNTS} with nothing to do, at 60 ms",
            f"{again.seconds:.1f} s ({calls} calls)",
            f"{AGAIN_SECONDS} s",
            holds=again.seconds <= AGAIN_SECONDS,
        ),
        report("writes of the same", f"{writes}", "0", holds=writes == 0),
    ]


def config(size: int, name: str) -> dict[str, object]:
    """A file with so many ServiceAccounts, each with a role of its own; `name` begins their names."""
    accounts = [
        {"metadata": {"name": f"{name}-{number}", "namespace": "default"}, "attachPolicyARNs": [POLICY]}
        for number in range(size)
    ]
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "iam": {"withOIDC": True, "serviceAccounts": accounts},
    }


def _create_sa(number: int) -> list[str]:
    return [irsa(), "create-sa", f"single-{number}", "-c", "demo", "--attach-policy-arn", POLICY, "-q"]


def _is_write(service: str, operation: str) -> bool:
    if service == "kubernetes":
        return operation.split()[0] != "GET"
    return service == "iam" and not operation.startswith(("Get", "List"))


if __name__ == "__main__":
    sys.exit(alone(results))
