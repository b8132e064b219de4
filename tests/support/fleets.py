"""Clusters in several accounts of the sandbox, each with a role that the main account may assume."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Fault, Sandbox
from tests.support.sandbox_clients import administrator

Json = dict[str, Any]
MAIN = "111122223333"
REGION = "eu-west-1"
ROLE = "fleet"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


@dataclass
class Fleet:
    """The clusters by name, and their accounts."""

    sandbox: Sandbox
    clusters: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def open_account(self, account: str) -> None:
        """An account with a role for the main account."""
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{MAIN}:root"},
                "Action": "sts:AssumeRole",
            },
        }
        iam = administrator(self.sandbox, "iam", account, REGION)
        made = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
        self.roles[account] = made["Role"]["Arn"]

    def add(self, name: str, account: str, *, down: bool = False, url: str = "https://127.0.0.1:9") -> None:
        """One more cluster; `down`: nobody answers at its Kubernetes API, which is at `url`."""
        issuer = f"https://oidc.eks.{REGION}.amazonaws.com/id/{name}"
        dead = ExternalCluster(url, self.sandbox.ca_pem, issuer, dict) if down else None
        self.sandbox.add_cluster(ClusterSpec(name, REGION, account, external=dead))
        arn = f"arn:aws:eks:{REGION}:{account}:cluster/{name}"
        self.sandbox.grant(arn, self.roles[account], groups=("system:masters",))
        self.clusters[name] = account

    def deny(self, account: str) -> None:
        """Nobody may assume the role of this account any more."""
        self.roles[account] = f"arn:aws:iam::{account}:role/nobody"

    def throttle(self, cluster: str) -> None:
        """IAM creates no role for this cluster, however often it is asked."""
        self.sandbox.faults.add(
            Fault(
                "iam", "CreateRole", "error", match=f"{cluster}-", times=None, status=400, code="Throttling"
            )
        )

    def document(self, name: str, namespace: str, *accounts: str) -> Json:
        """The file of one cluster."""
        account = self.clusters[name]
        return {
            "apiVersion": "irsa/v1",
            "kind": "Bindings",
            "metadata": {
                "name": name,
                "region": REGION,
                "account": account,
                "assumeRole": self.roles[account],
            },
            "withOIDC": True,
            "serviceAccounts": [
                {"metadata": {"name": item, "namespace": namespace}, "attachPolicyARNs": [READ_ONLY]}
                for item in accounts
            ],
        }

    def write(self, folder: Path, namespace: str, *accounts: str) -> str:
        """A folder with a file for each cluster."""
        files = folder / "bindings"
        files.mkdir(exist_ok=True)
        for name in self.clusters:
            text = json.dumps(self.document(name, namespace, *accounts))
            (files / f"{name}.yaml").write_text(text, encoding="utf-8")
        return str(files)

    def bound(self) -> dict[str, set[str]]:
        """The roles that irsa created, by cluster."""
        found: dict[str, set[str]] = {name: set() for name in self.clusters}
        for account in {*self.clusters.values()}:
            for role in self.sandbox.world(account)["roles"].values():
                parts = role["arn"].split("/")
                if len(parts) == 4 and parts[1] == "irsa":
                    found.setdefault(parts[2], set()).add(parts[3])
        return found
