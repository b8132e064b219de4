"""What a clean-up costs: `irsa retire --all` of 100 deleted clusters with 40 roles each, and once more.

Only on its own, as it takes minutes: `python -m benchmarks.retiring [CLUSTERS ROLES]`.
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.measuring import LATENCY, irsa, measure, report
from irsa_cli.sandbox import ClusterSpec, RoleSpec, Sandbox
from tests.support import makers
from tests.support.sandbox_clients import administrator

ACCOUNT, REGION = "111122223333", "eu-west-1"
SECONDS = 300
POLICIES = tuple(f"arn:aws:iam::aws:policy/Amazon{name}ReadOnlyAccess" for name in ("S3", "SQS"))
RUN = "20260301T101500000Z-5ca1ab1e"


def issuer_of(number: int) -> str:
    """The issuer of a deleted cluster."""
    return f"oidc.eks.{REGION}.amazonaws.com/id/{number:032X}"


def left(number: int, roles: int) -> Iterator[RoleSpec]:
    """The roles of a deleted cluster, and one of Terraform's that trusts its issuer."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer_of(number)}"
    cluster = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/dead-{number}"
    for place in range(roles):
        tags = {"irsa/cluster": cluster, "irsa/service-account": f"apps/app{place}", "irsa/transaction": RUN}
        trust = makers.irsa(provider, f"apps/app{place}", "")
        name = f"dead-{number}-apps-app{place}"
        yield RoleSpec(name, trust, f"/irsa/dead-{number}/", tags, POLICIES[: 1 + place % 2])
    theirs = makers.terraform(provider, "apps/theirs", "")
    yield RoleSpec(f"theirs-{number}", theirs, tags={"ManagedBy": "Terraform"})


def results(sandbox: Sandbox, clusters: int, roles: int) -> list[bool]:
    """Measure both; whether each limit holds."""
    iam = administrator(sandbox, "iam", ACCOUNT, REGION)
    sandbox.quotas["RolesQuota"] = 10_000
    for number in range(clusters):
        tags = [{"Key": "irsa/cluster", "Value": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/dead-{number}"}]
        url = f"https://{issuer_of(number)}"
        iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"], Tags=tags)
        sandbox.put_roles(left(number, roles))
    sandbox.age_roles(60)
    before = copy.deepcopy(sandbox.world()["roles"])
    sandbox.latency = LATENCY
    with tempfile.TemporaryDirectory() as folder:
        own = {"IRSA_STATE_DIR": folder, "KUBECONFIG": os.devnull}
        env = {**{key: os.environ[key] for key in ("PATH", "HOME")}, **sandbox.env(), **own}
        command = [irsa(), "retire", "--all", "--max", "100000", "--yes", "-q", "--no-lock"]
        first = measure(command, env)
        sandbox.calls.clear()
        again = measure(command, env)
    writes = [call for call in sandbox.calls if not call.operation.startswith(("Get", "List", "Describe"))]
    after = sandbox.world()["roles"]
    theirs = {name: role for name, role in before.items() if not name.startswith("dead-")}
    print(f"      once more {again.seconds:.1f} s")
    return [
        report(
            f"retire of {clusters} clusters x {roles} roles, at 60 ms",
            f"{first.seconds:.0f} s",
            f"{SECONDS} s",
            holds=first.seconds <= SECONDS,
        ),
        report("what is left is Terraform's, unchanged", f"{after == theirs}", "True", holds=after == theirs),
        report("writes of another run", f"{len(writes)}", "0", holds=not writes),
    ]


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]] or [100, 40]
    with Sandbox([ClusterSpec("demo")]) as found:
        sys.exit(not all(results(found, *numbers)))
