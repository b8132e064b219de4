"""Roles that dead and living clusters share: whoever can assume one before, and lives, can afterwards."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, RoleSpec, Sandbox
from irsa_cli.sandbox.enforce import Who, admits, of_every_request
from tests.scenarios.conftest import sandbox_stage
from tests.support import makers
from tests.support.documents import doc
from tests.support.sandbox_clients import administrator
from tests.support.stage import ACCOUNT, ROLE_ARN, Json, Stage
from tests.support.thoroughness import THOROUGH

ACTION = "sts:AssumeRoleWithWebIdentity"
NAMESPACE = "apps"
COUNT = 190 if THOROUGH else 30
OLD, NEW = "old", "new"
LIVING = "living"
FORMS = (makers.irsa, makers.eksctl, makers.terraform)
MARKS = """{"irsa/cluster": "arn:aws:eks:eu-west-1:111122223333:cluster/old",
    "irsa/service-account": "apps/<name>", "irsa/transaction": "t"}"""
JENKINS = doc(
    """{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}"""
)


class Estate:
    """Three clusters with roles that any of them may share; `old` is deleted for `irsa retire`."""

    def __init__(self, sandbox: Sandbox, folder: Path, seed: int) -> None:
        self.sandbox, self.random = sandbox, random.Random(seed)
        sandbox.quotas["AssumeRolePolicySizeQuota"] = 8192
        self.stages: dict[str, Stage] = {}
        self.providers: dict[str, str] = {}
        eks, self.iam = (administrator(sandbox, service, ACCOUNT, "eu-west-1") for service in ("eks", "iam"))
        for name in (OLD, NEW, LIVING):
            sandbox.add_cluster(ClusterSpec(name))
            self.stages[name] = sandbox_stage(sandbox, name, folder)
            self.stages[name].run("associate-oidc")
            self.stages[name].make_namespace(NAMESPACE)
            issuer = eks.describe_cluster(name=name)["cluster"]["identity"]["oidc"]["issuer"]
            self.providers[name] = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
        self.names = [f"app-{number}" for number in range(COUNT)]
        self.sandbox.put_roles(map(self._role, self.names))

    def _role(self, name: str) -> RoleSpec:
        """A role of a random maker, for one cluster to three, each with an Allow, some with a Deny."""
        choose = self.random
        statements: list[Json] = []
        for cluster in choose.sample([OLD, NEW, LIVING], choose.randint(1, 3)):
            form = choose.choice(FORMS)(self.providers[cluster], f"{NAMESPACE}/{name}", "")
            statements += form["Statement"]
            if choose.random() < 0.3:
                barred = choose.choice([f"{NAMESPACE}/{name}", f"{NAMESPACE}/barred"])
                (denied,) = makers.terraform(self.providers[cluster], barred, "")["Statement"]
                statements.append({**denied, "Effect": "Deny", "Sid": f"No{len(statements)}"})
            if choose.random() < 0.6:
                role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
                self.stages[cluster].make_account(NAMESPACE, name, annotations={ROLE_ARN: role})
        statements += [JENKINS] if choose.random() < 0.2 else []
        choose.shuffle(statements)
        tags = doc(MARKS, name=name)
        trust = {"Version": "2012-10-17", "Statement": statements}
        return RoleSpec(name, trust, tags=tags if choose.random() < 0.7 else {})

    def access(self, *clusters: str) -> set[tuple[str, str, str]]:
        """Role, who, and cluster, by the sandbox's evaluation: pods of these clusters, and the account."""
        root = Who(aws=(f"arn:aws:iam::{ACCOUNT}:root",))
        found: set[tuple[str, str, str]] = set()
        for name, role in self.roles().items():
            text = json.dumps(role["trust"])
            for cluster, account in product(clusters, (name, "barred")):
                if self._takes(text, self.providers[cluster], account):
                    found.add((name, account, cluster))
            if admits(text, "sts:AssumeRole", root, of_every_request()):
                found.add((name, "root", "account"))
        return found

    def _takes(self, trust: str, provider: str, account: str) -> bool:
        issuer = makers.issuer_in(provider).lower()
        subject = makers.subject_of(f"{NAMESPACE}/{account}")
        keys = {f"{issuer}:sub": [subject], f"{issuer}:aud": ["sts.amazonaws.com"]}
        return admits(trust, ACTION, Who(federated=provider), {**of_every_request(), **keys})

    def roles(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.stages[LIVING].aws_world()["roles"]
        return {name: role for name, role in found.items() if name in self.names}


@pytest.fixture(params=[1, 2])
def estate(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Estate:
    return Estate(sandbox, tmp_path, request.param)


@pytest.mark.parametrize("missing", [None, LIVING])
def test_retire_takes_nothing_from_the_living(estate: Estate, missing: str | None) -> None:
    """`missing`: the cluster whose OIDC provider somebody deleted; its pods count as well."""
    stage = estate.stages[LIVING]
    estate.sandbox.remove_cluster(OLD)
    estate.sandbox.age_roles(60)
    if missing:
        estate.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=estate.providers[missing])
    before, there = estate.access(NEW, LIVING), estate.roles()
    ran = stage.irsa("retire", OLD, "--include-unmarked", "--yes", "--max", "500")
    assert ran.code == 0, ran.err
    assert estate.access(NEW, LIVING) == before
    gone = there.keys() - estate.roles().keys()
    assert gone
    assert not gone & {name for name, _, _ in before}


def test_repoint_adds_what_old_has_and_takes_nothing(estate: Estate) -> None:
    """A role whose move would take something is refused alone, and stays to the byte."""
    stage = estate.stages[NEW]
    before, there = estate.access(OLD, NEW, LIVING), estate.roles()
    line = f"repoint --from {OLD} --to {NEW} -r eu-west-1 -o json --add --include-managed"
    ran = stage.irsa(*line.split())
    refused = {item["role"]["arn"].rpartition("/")[2] for item in ran.items if item["outcome"] == "refused"}
    assert ran.code == (1 if refused else 0), ran.err
    after = estate.access(OLD, NEW, LIVING)
    assert before <= after
    of_old = {(name, account, NEW) for name, account, cluster in before if cluster == OLD}
    assert after - before <= of_old
    assert all(estate.roles()[name] == there[name] for name in refused)
    kept = {name for name, _, cluster in of_old - after}
    assert kept <= refused
    assert refused <= {name for name, role in there.items() if "Deny" in json.dumps(role["trust"])}
