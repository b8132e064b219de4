"""What one run of create-sa needs of the machine: processor time, memory, modules of irsa.

Ratios of one run of one machine: what it imports of AWS's and Kubernetes' clients is the unit.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from benchmarks.measuring import alone, irsa, measure, report
from irsa_cli.sandbox import Sandbox

ROUNDS = 15
CLIENTS = "import boto3, kubernetes.client"
LOADED = """
import sys
from irsa_cli.cli.main import run
code = run(sys.argv[1:])
print("\\n".join(["", "LOADED", *sys.modules]))
sys.exit(code)
"""
"""Runs irsa, and prints which modules it has imported."""
_JOB = ("-c", "demo", "--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "-q")


def modules(arguments: tuple[str, ...], env: Mapping[str, str]) -> int:
    """How many modules of irsa a command imports."""
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=True)
    loaded = done.stdout.partition("\nLOADED\n")[2].split()
    return sum(name.partition(".")[0] == "irsa_cli" for name in loaded)


def results(_sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Processor time and memory of create-sa, of its help, and of importing the clients alone."""
    bare = clients = job = told = memory = float("inf")
    for number in range(ROUNDS):
        bare = min(bare, measure([sys.executable, "-c", "pass"], env).processor)
        clients = min(clients, measure([sys.executable, "-c", CLIENTS], env).processor)
        told = min(told, measure([irsa(), "create-sa", "--help"], env).processor)
        ran = measure([irsa(), "create-sa", f"lean-{number}", *_JOB], env)
        job, memory = min(job, ran.processor), min(memory, ran.megabytes)
    counted = modules(("create-sa", "lean", *_JOB), env)
    helped = modules(("create-sa", "--help"), env)
    times = {"python": bare, "clients": clients, "help": told, "create-sa": job}
    print("      " + ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in times.items()))
    return [
        report(
            "processor time of create-sa / importing the clients",
            f"{job / clients:.2f}x",
            "1.25x",
            holds=job <= 1.25 * clients,
        ),
        report(
            "processor time of create-sa --help / python -c pass",
            f"{told / bare:.1f}x",
            "10x",
            holds=told <= 10 * bare,
        ),
        report("peak memory of create-sa", f"{memory:.0f} MB", "75 MB", holds=memory <= 75),
        report("modules of irsa in create-sa", f"{counted}", "120", holds=counted <= 120),
        report("modules of irsa in create-sa --help", f"{helped}", "35", holds=helped <= 35),
    ]


if __name__ == "__main__":
    sys.exit(alone(results))
