"""`make bench`: the numbers of docs/explanation/performance.md, as ratios from one run of one machine.

Times are the best of several interleaved rounds: what is compared is what the program needs, not what
else the machine does. Nothing here is part of the test suite.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping

from benchmarks import accounts, applying, associating, deleting, diagnosing, importing, preflighting, proof
from benchmarks.auditing import auditing
from benchmarks.measuring import LATENCY, irsa, measure, report, sequential
from benchmarks.reading import reading
from irsa_cli.sandbox import Call, Sandbox

ROUNDS = 7
ROUND_TRIPS = 6
WIRE_CALLS = 13
EKSCTL_SECONDS = 30.3
"""eksctl 0.231 at the same job, its stack taking 12 s: recorded in docs/explanation/performance.md."""
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
CLIENTS = """
import boto3, kubernetes.client
session = boto3.Session(region_name="eu-west-1")
for service in ("eks", "iam", "sts"):
    session.client(service)
kubernetes.client.CoreV1Api()
"""


def start_up(env: Mapping[str, str]) -> list[bool]:
    """How long `irsa` takes to say anything, in units of a bare Python."""
    commands = {
        "pass": [sys.executable, "-c", "pass"],
        "version": [irsa(), "--version"],
        "help": [irsa(), "--help"],
        "completion": [irsa()],
    }
    completing = {
        **env,
        "_IRSA_COMPLETE": "bash_complete",
        "COMP_WORDS": "irsa get-sa -c ",
        "COMP_CWORD": "3",
    }
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(3 * ROUNDS):
        for name, command in commands.items():
            given = completing if name == "completion" else env
            best[name] = min(best[name], measure(command, given).seconds)
    bare = best["pass"]
    print(f"      python -c pass: {bare * 1000:.0f} ms")
    results = []
    for name, called, limit in (
        ("version", "irsa --version", 5),
        ("help", "irsa --help", 5),
        ("completion", "completing a cluster's name", 12),
    ):
        ratio = best[name] / bare
        value = f"{ratio:.1f}x ({best[name] * 1000:.0f} ms)"
        results.append(report(f"{called} / python -c pass", value, f"{limit}x", holds=ratio <= limit))
    return results


def main_job(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """create-sa with one policy into an existing namespace: time, round trips."""
    job, imports, slow = float("inf"), float("inf"), float("inf")
    calls: list[Call] = []
    for number in range(ROUNDS):
        imports = min(imports, measure([sys.executable, "-c", CLIENTS], env).seconds)
        sandbox.latency = 0.0
        measured = measure(create_sa(f"fast-{number}"), env)
        job = min(job, measured.seconds)
        sandbox.latency = LATENCY
        sandbox.calls.clear()
        slow = min(slow, measure(create_sa(f"slow-{number}"), env).seconds)
        calls = list(sandbox.calls)
    sandbox.latency = 0.0
    budget = ROUND_TRIPS * LATENCY + job
    trips = sequential(calls)
    shown = [f"{seconds * 1000:.0f} ms" for seconds in (imports, job, slow)]
    print(f"      imports and clients {shown[0]}, job {shown[1]}, at 60 ms {shown[2]}")
    eksctl = EKSCTL_SECONDS / slow
    return [
        report(
            "create-sa / importing and making the clients",
            f"{job / imports:.2f}x",
            "3x",
            holds=job <= 3 * imports,
        ),
        report(
            "create-sa at 60 ms / (6 round trips + no latency)",
            f"{slow / budget:.2f}x",
            "1.3x",
            holds=slow <= 1.3 * budget,
        ),
        report("sequential round trips", f"{trips}", f"{ROUND_TRIPS}", holds=trips <= ROUND_TRIPS),
        report("wire calls", f"{len(calls)}", f"{WIRE_CALLS}", holds=len(calls) <= WIRE_CALLS),
        report(
            "eksctl as recorded (30.3 s) / create-sa at 60 ms", f"{eksctl:.0f}x", "10x", holds=eksctl >= 10
        ),
    ]


def create_sa(name: str) -> list[str]:
    """The job: one policy, an existing namespace."""
    return [irsa(), "create-sa", name, "-c", "demo", "--attach-policy-arn", POLICY, "-q"]


def side_by_side() -> None:
    """Say why the comparison with a live eksctl was not made."""
    found = shutil.which("eksctl")
    if found is None:
        print("      eksctl side by side: skipped, there is no eksctl on PATH")
    else:
        print("      eksctl side by side: skipped, the sandbox has no CloudFormation for eksctl to use")


def main() -> int:
    """Measure everything; 1 when a limit does not hold."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as state:
        keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        env = {**keep, **sandbox.env(), "IRSA_STATE_DIR": state}
        measure([irsa(), "associate-oidc", "-c", "demo"], env)
        results = [*start_up(env), *main_job(sandbox, env), *proof.results(sandbox, env)]
        results += importing.results(sandbox, env)
        results += diagnosing.results(sandbox, env)
        results += preflighting.results(sandbox, env)
        results += applying.results(sandbox, env)
        results += deleting.results(sandbox, env)
        results += accounts.results(sandbox, env)
        results += associating.results(sandbox, env)
    results += reading(keep)
    results += auditing()
    side_by_side()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
