"""doctor of one ServiceAccount: its calls, its round trips, and its time where each call takes 60 ms.

Called by `benchmarks.run`; `python -m benchmarks.diagnosing` measures this part alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks.measuring import LATENCY, alone, irsa, measure, report, sequential
from irsa_cli.sandbox import Call, Sandbox

ROUNDS = 7
CALLS = 21
SECONDS = 1.0
NAME = "diagnosed"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Diagnose one binding that nobody uses yet, with and without latency."""
    measure([irsa(), "create-sa", NAME, "-c", "demo", "--attach-policy-arn", POLICY, "-q"], env)
    command = [irsa(), "doctor", NAME, "-c", "demo", "-q"]
    fast, slow = float("inf"), float("inf")
    calls: list[Call] = []
    for _ in range(ROUNDS):
        sandbox.latency = 0.0
        fast = min(fast, measure(command, env, code=1).seconds)
        sandbox.latency = LATENCY
        sandbox.calls.clear()
        slow = min(slow, measure(command, env, code=1).seconds)
        calls = list(sandbox.calls)
    sandbox.latency = 0.0
    trips = sequential(calls)
    print(f"      doctor of one: {fast * 1000:.0f} ms, at 60 ms a call {slow * 1000:.0f} ms in {trips} trips")
    return [
        report("doctor of one: wire calls", f"{len(calls)}", f"{CALLS}", holds=len(calls) <= CALLS),
        report("doctor of one at 60 ms a call", f"{slow:.2f} s", f"{SECONDS:.0f} s", holds=slow <= SECONDS),
        report(
            "doctor of one / making its calls one by one",
            f"1/{(fast + len(calls) * LATENCY) / slow:.1f}",
            "1/1.5",
            holds=1.5 * slow <= fast + len(calls) * LATENCY,
        ),
    ]


if __name__ == "__main__":
    sys.exit(alone(results))
