"""The states in which the pages of the documentation begin: `irsa sandbox run --world NAME`.

worlds.yaml has for each: clusters that are deleted later (`gone`), commands of irsa to run, then roles, the
age of all roles in days, Kubernetes objects, users and access entries to add, then calls that fail.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.model import DEFAULT_ACCOUNT, ClusterSpec, Fault, RoleSpec, Rule

if TYPE_CHECKING:
    from irsa_cli.sandbox import Sandbox

FILE = Path(__file__).with_name("worlds.yaml")
OTHER_ACCOUNT = "222222222222"


def names() -> list[str]:
    return re.findall(r"^([a-z][\w-]*):", FILE.read_text(encoding="utf-8"), re.MULTILINE)


def _read(name: str, account: str = DEFAULT_ACCOUNT) -> dict[str, Any]:
    import yaml

    from irsa_cli.sandbox.aws.clusters import issuer_of

    issuer = issuer_of(ClusterSpec()).removeprefix("https://")
    values = {
        "account": account,
        "issuer": issuer,
        "provider": f"arn:aws:iam::{account}:oidc-provider/{issuer}",
    }
    text = Template(FILE.read_text(encoding="utf-8")).substitute(values)
    found: dict[str, Any] = yaml.safe_load(text)[name]
    return found


def put_other_account(sandbox: Sandbox, first: str, clusters: Iterable[ClusterSpec] = ()) -> None:
    """Add a second account, with roles that the first one uses in examples, and access to its clusters."""
    roles = _read("OtherAccount", first)["roles"]
    sandbox.put_roles((RoleSpec(**role) for role in roles), account=OTHER_ACCOUNT)
    for spec in clusters:
        if spec.account == OTHER_ACCOUNT:
            arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/{roles[0]['name']}"
            sandbox.grant(spec.name, arn, groups=("system:masters",))


def prepare(sandbox: Sandbox, name: str, environment: Mapping[str, str]) -> str:
    """Bring a sandbox to a world, and return the IAM user to call as. `environment` is for its commands."""
    world = _read(name)
    cluster = ClusterSpec().name
    for more, objects in world.get("clusters", {}).items():
        sandbox.add_cluster(ClusterSpec(more))
        sandbox.put_objects(more, objects)
    for gone in world.get("gone", ()):
        sandbox.add_cluster(ClusterSpec(gone))
    for line in world.get("commands", ()):
        command = [sys.executable, "-m", "irsa_cli", *shlex.split(line)]
        subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - of our own file
    sandbox.put_roles(RoleSpec(**role) for role in world.get("roles", ()))
    for gone in world.get("gone", ()):
        sandbox.remove_cluster(gone)
    sandbox.age_roles(world.get("days", 0))
    sandbox.put_objects(cluster, world.get("objects", ()))
    for user, policy in world.get("users", {}).items():
        sandbox.add_user(user, policy=policy)
    for grant in world.get("grants", ()):
        sandbox.grant(cluster, rules=[Rule(**rule) for rule in grant.pop("rules", ())], **grant)
    for fault in world.get("faults", ()):
        sandbox.faults.add(Fault(**fault))
    return str(world.get("user", "admin"))
