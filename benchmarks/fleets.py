"""What a fleet costs: `irsa apply` of 50 clusters in 10 accounts, and the same one cluster after the other.

One cluster is down, one account denies its role, and IAM throttles one cluster. On its own:
`python -m benchmarks.fleets`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring import LATENCY, alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox
from tests.support.fleets import Fleet

CLUSTERS, ACCOUNTS = 50, 10
SAMPLE = 5
"""Clusters that are applied one after the other; all of them would take minutes, so these count ten times."""
SHARE = 1 / 8
MEGABYTES = 300
NAMES = ("app", "web", "worker")


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Measure both; whether each limit holds."""
    fleet = Fleet(sandbox)
    accounts = [f"{number:012d}" for number in range(200, 200 + ACCOUNTS)]
    for account in accounts:
        fleet.open_account(account)
    fleet.open_account("000000000199")
    for number in range(CLUSTERS - 3):
        fleet.add(f"c{number}", accounts[number % ACCOUNTS])
    fleet.add("down", accounts[0], down=True)
    fleet.add("slow", accounts[1])
    fleet.add("denied", "000000000199")
    fleet.deny("000000000199")
    sandbox.latency = LATENCY
    quick = {**env, "IRSA_RETRY_TIMEOUT": "2"}
    with tempfile.TemporaryDirectory() as folder:
        single = 0.0
        for number in range(SAMPLE):
            fleet.clusters["alone"] = accounts[number]
            fleet.add("alone", accounts[number])
            files = fleet.write(Path(folder), "team", *NAMES)
            path = f"{files}/alone.yaml"
            single += measure([irsa(), "apply", "-f", path, "-q"], quick).seconds / SAMPLE
            Path(path).unlink()
            sandbox.remove_cluster("alone")
            del fleet.clusters["alone"]
        fleet.throttle("slow")
        command = [irsa(), "apply", "-f", files, "-q"]
        first = measure(command, quick, code=1)
        bound = [name for name, roles in fleet.bound().items() if len(roles) == len(NAMES)]
        sandbox.calls.clear()
        measure(command, quick, code=1)
    writes = [call for call in sandbox.calls if call.operation.startswith(("Attach", "Put", "Tag", "Update"))]
    sandbox.latency = 0.0
    sandbox.faults.clear()
    share = first.seconds / (CLUSTERS * single)
    print(f"      one cluster {single:.2f} s, apply of {CLUSTERS} {first.seconds:.1f} s")
    return [
        report("clusters of 50 that are done", str(len(bound)), "47", holds=len(bound) == CLUSTERS - 3),
        report(
            f"apply of {CLUSTERS} clusters / one after the other, at 60 ms",
            f"{share:.3f}x",
            "0.125x",
            holds=share <= SHARE,
        ),
        report(
            "memory of the same", f"{first.megabytes:.0f} MB", "300 MB", holds=first.megabytes <= MEGABYTES
        ),
        report("writes to IAM of a second run", f"{len(writes)}", "0", holds=not writes),
    ]


if __name__ == "__main__":
    sys.exit(alone(results))
