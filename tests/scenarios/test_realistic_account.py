"""`irsa audit` of a realistic account on the sandbox, as a reviewer reads it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import ClusterSpec, RoleSpec, Sandbox
from tests.support.eks import bearer
from tests.support.estates import issuer_of
from tests.support.kubeclient import MERGE_PATCH, KubeClient
from tests.support.realistic_account import (
    CLUSTERS,
    DEAD,
    POLICIES,
    PROD,
    ROLES,
    Realistic,
    addons,
    realistic,
)
from tests.support.sandbox_clients import client
from tests.support.stage import ROLE_ARN

LEVELS = ("critical", "high", "medium", "low", "note")
MADE = realistic()


@pytest.fixture(scope="module")
def account(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The realistic account; no test here writes."""
    running_sandbox.reset()
    _plant(running_sandbox, MADE)
    yield running_sandbox
    running_sandbox.reset()


def _plant(sandbox: Sandbox, made: Realistic) -> None:
    eks, iam = client(sandbox, "eks"), client(sandbox, "iam")
    issuers = {}
    for name in CLUSTERS:
        sandbox.add_cluster(ClusterSpec(name))
        issuer = eks.describe_cluster(name=name)["cluster"]["identity"]["oidc"]["issuer"]
        issuers[issuer_of(name)] = issuer.removeprefix("https://")
        sandbox.put_objects(name, _objects(made, name))
    for issuer in (*issuers.values(), issuer_of(DEAD), "token.actions.githubusercontent.com"):
        iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"])
    for arn, document in POLICIES.items():
        if ":iam::aws:" not in arn:
            iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=json.dumps(document))
    listed = iam.get_paginator("list_policies").paginate().build_full_result()
    known = {policy["Arn"] for policy in listed["Policies"]}
    for role in made.roles:
        text = json.dumps(role.trust)
        for planted, own in issuers.items():
            text = text.replace(planted, own)
        attached = sorted(role.attached & known)
        sandbox.put_roles([RoleSpec(role.name, json.loads(text), policies=attached)])
        # The sandbox does not have all of AWS's policies.
        others = {arn.rpartition("/")[2]: POLICIES[arn] for arn in role.attached - known}
        for name, document in {**role.inline, **others}.items():
            iam.put_role_policy(RoleName=role.name, PolicyName=name, PolicyDocument=json.dumps(document))
    _annotate_defaults(sandbox, made)
    for association in made.associations:
        eks.create_pod_identity_association(
            clusterName=PROD,
            namespace=association.namespace,
            serviceAccount=association.name,
            roleArn=association.role_arn,
        )


def _annotate_defaults(sandbox: Sandbox, made: Realistic) -> None:
    for cluster in CLUSTERS:
        endpoint = client(sandbox, "eks").describe_cluster(name=cluster)["cluster"]["endpoint"]
        with KubeClient(endpoint, sandbox.ca_pem, bearer(sandbox.env(), cluster)) as kube:
            for account in made.accounts[cluster]:
                if account.name == "default":
                    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/default"
                    body = {"metadata": {"annotations": {ROLE_ARN: account.role_arn}}}
                    assert kube.request("PATCH", path, body, content_type=MERGE_PATCH).status == 200


def _objects(made: Realistic, cluster: str) -> Iterator[dict[str, Any]]:
    """The cluster's objects as Kubernetes has them; each namespace has its ServiceAccount `default`."""
    namespaces = {account.namespace for account in made.accounts[cluster]}
    for namespace in sorted(namespaces - {"kube-system", "default"}):
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    for account in made.accounts[cluster]:
        if account.name == "default":
            continue
        place = {"namespace": account.namespace, "name": account.name}
        annotations = {ROLE_ARN: account.role_arn} if account.role_arn else {}
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {**place, "annotations": annotations},
        }
        for number in range(made.pods[cluster].get(account.full_name, 0)):
            name = f"{account.name}-{number}"
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**place, "name": name},
                "spec": {"serviceAccountName": account.name, "containers": [{"name": "a", "image": "a"}]},
                "status": {"phase": "Running"},
            }
    for kind, bodies in made.rbac[cluster].items():
        for body in bodies:
            if body["metadata"]["name"] != "cluster-admin":
                yield {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, **body}


def test_a_reviewer_acts_on_most_lines(
    account: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in account.env().items():
        monkeypatch.setenv(name, value)

    def audit(*options: str) -> tuple[int, str]:
        code = run(["audit", *options])
        return code, capsys.readouterr().out

    code, text = audit()
    rows = [line.split(None, 1) for line in text.splitlines() if line.split(" ")[0] in LEVELS]
    by_severity = Counter(severity for severity, _ in rows)
    assert code == 5
    assert f"in {ROLES} roles, " in text
    listed = [(severity, rest) for severity, rest in rows if severity != "note"]
    # The sandbox's roles were all made just now: none is unused.
    labelled = {defect.about.rpartition(":")[2] for defect in MADE.defects if defect.rule != "unused-role"}
    idle = [rest for _, rest in listed if not any(about in rest for about in labelled)]
    assert len(listed) <= 30
    assert len(idle) * 2 <= len(listed), idle
    assert by_severity["high"] >= 10
    urgent = "\n".join(rest for severity, rest in listed if severity in ("critical", "high"))
    for defect in MADE.defects:
        if defect.at_least == "high":
            assert defect.about.rpartition(":")[2] in urgent, defect
    add_ons = {f"role/{cluster}-{short}:" for cluster in CLUSTERS for _, short, *_ in addons(cluster)}
    for severity, rest in listed:
        assert severity == "low" or not any(name in rest for name in add_ons), rest

    _, document = audit("-o", "json")
    assert len(json.loads(document)["items"]) > len(rows)
    Path("baseline.json").write_text(document, encoding="utf-8")
    code, text = audit("--baseline", "baseline.json")
    assert code == 0
    assert "no findings in " in text
