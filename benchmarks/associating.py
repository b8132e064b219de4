"""create-sa --pod-identity, and the steps of migrate for one ServiceAccount: their round trips and calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.measuring import LATENCY, alone, irsa, measure, report, sequential
from irsa_cli.sandbox import Sandbox
from tests.support.eks_states import add_addon

READ_ONLY = ("--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
ROUNDS = 3
CREATE = 9
"""Round trips of create-sa --pod-identity: three more than with an annotation."""
STEPS = {
    "pod-identity": 18,
    "pod-identity --finish": 25,
    "irsa": 19,
    "irsa --finish": 23,
}
"""Round trips of each step of migrate, in their order.

All is read again when the role is locked; the last read sees that nobody has undone the new trust policy.
"""


def _measured(sandbox: Sandbox, env: Mapping[str, str], arguments: Sequence[str]) -> tuple[int, int]:
    sandbox.latency = LATENCY
    sandbox.calls.clear()
    measure([irsa(), *arguments, "-n", "default", "-c", "demo"], env)
    calls = list(sandbox.calls)
    sandbox.latency = 0.0
    return sequential(calls), len(calls)


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """The longest chains of calls; the shortest of several rounds, as a busy machine waits."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    found: dict[str, list[tuple[int, int]]] = {}
    for number in range(ROUNDS):
        arguments = ("create-sa", f"given-{number}", "--pod-identity", "--create-service-account", *READ_ONLY)
        found.setdefault("create-sa --pod-identity", []).append(_measured(sandbox, env, arguments))
        name = f"moved-{number}"
        measure([irsa(), "create-sa", name, "-n", "default", "-c", "demo", *READ_ONLY], env)
        for step in STEPS:
            moving = ("migrate", name, "--to", *step.split())
            found.setdefault(f"migrate --to {step}", []).append(_measured(sandbox, env, moving))
    limits = [CREATE, *STEPS.values()]
    return [
        report(
            f"{what} ({min(rounds)[1]} calls)", f"{min(rounds)[0]}", f"{most}", holds=min(rounds)[0] <= most
        )
        for (what, rounds), most in zip(found.items(), limits, strict=True)
    ]


if __name__ == "__main__":
    raise SystemExit(alone(results))
