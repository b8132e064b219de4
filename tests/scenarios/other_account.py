"""A second AWS account of the sandbox, beside the one of the clusters."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import Running
from tests.support.sandbox_clients import administrator
from tests.support.stage import EVERYTHING, Stage

OTHER = "222222222222"


@pytest.fixture(name="other_iam")
def other_account_iam(stage: Stage) -> Any:
    """IAM of another account, as its administrator."""
    return administrator(stage.sandbox, "iam", OTHER, stage.region)


class Elsewhere:
    """The other account as a place to keep roles in: a role to become there, a profile, and what is there."""

    def __init__(self, stage: Stage, iam: Any, folder: Path) -> None:
        self.stage, self.iam = stage, iam
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{stage.account_id}:root"},
                "Action": "sts:AssumeRole",
            },
        }
        made = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
        self.deployer: str = made["Role"]["Arn"]
        self.by_role = ("--role-account", OTHER, "--role-assume-role", self.deployer)
        self._folder = folder

    def profile(self, name: str = "there", *, account: str = OTHER, region: str = "") -> dict[str, str]:
        """The environment with a profile of the other account's administrator."""
        env = self.stage.sandbox.env(account=account, region=self.stage.region)
        path = self._folder / "credentials"
        keys = ("aws_access_key_id", "aws_secret_access_key")
        lines = [f"[{name}]", *(f"{key} = {env[key.upper()]}" for key in keys)]
        path.write_text("\n".join(lines))
        config = self._folder / "config"
        config.write_text(f"[profile {name}]\n" + (f"region = {region}\n" if region else ""))
        return {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_CONFIG_FILE": str(config)}

    def world(self) -> dict[str, Any]:
        """IAM of the other account."""
        found: dict[str, Any] = self.stage.sandbox.world(OTHER, region=self.stage.region)
        return {kind: things for kind, things in found.items() if kind != "kubernetes"}

    def roles(self) -> dict[str, Any]:
        """The roles there that irsa made, by name."""
        return {name: role for name, role in self.world()["roles"].items() if "/irsa/" in role["arn"]}


@pytest.fixture(name="elsewhere")
def elsewhere_fixture(stage: Stage, other_iam: Any, tmp_path: Path) -> Elsewhere:
    """The other account, with a role that the cluster's account may become."""
    return Elsewhere(stage, other_iam, tmp_path)


class Both(Running):
    """A stage and the other account as one: `there` in its world are the roles of the other one."""

    def __init__(self, stage: Stage, elsewhere: Elsewhere) -> None:
        self.stage, self.there, self.cluster, self.irsa = stage, elsewhere, stage.cluster, stage.irsa
        self.words, self.sandbox = stage.words, stage.sandbox
        self.words |= {"deployer": elsewhere.deployer, "way": f"--target-assume-role={elsewhere.deployer}"}

    def world(self) -> dict[str, Any]:
        """All that a run could leave behind in both."""
        return {**self.stage.world(), "there": self.there.world()["roles"]}

    def statements(self, name: str = "data") -> list[Any]:
        """The trust policy of a role of the other account."""
        found: list[Any] = self.there.world()["roles"][name]["trust"]["Statement"]
        return found

    def trust(self, name: str, *statements: Any) -> None:
        """Write a trust policy there."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.there.iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
