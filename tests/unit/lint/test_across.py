"""What is broken, and what files say of each other: manifests, roles and rights together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.cli.main import run as cli
from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.rule import RULES
from irsa_cli.usecases.audit.lint import Request, lint

ANNOTATION = "eks.amazonaws.com/role-arn"
ROLE = "arn:aws:iam::111122223333:role/app"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/5B8D"
RBAC = "rbac.authorization.k8s.io"


def account(name: str = "app", role: str | None = None, namespace: str = "prod") -> dict[str, Any]:
    notes = {} if role is None else {"annotations": {ANNOTATION: role}}
    metadata = {"name": name, "namespace": namespace, **notes}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def deployment(account: str = "app", **template: Any) -> dict[str, Any]:
    pod = {"metadata": template, "spec": {"serviceAccountName": account, "containers": []}}
    metadata = {"name": "web", "namespace": "prod"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": pod}}


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [*rules]}


def binding(ref: str, group: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "all"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": ref},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
        **more,
    }


def trusting(subject: str, **more: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:sub": subject, f"{ISSUER}:aud": "sts.amazonaws.com"}},
    }
    return {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": {"Statement": [statement]}, **more}}


def run(folder: Path, *documents: Any) -> LintReport:
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return lint(Request((str(folder),)))


def found(report: LintReport) -> list[str]:
    return [item.rule.id for item in report.selection.shown]


@pytest.mark.parametrize(
    ("role", "rules"),
    [
        (ROLE, []),
        ("", ["annotation-no-role"]),
        ("arn:aws:iam::ACCOUNT_ID:role/app", ["annotation-no-role"]),
        ("arn:aws:iam::<account-id>:role/app", ["annotation-placeholder"]),
        ("REPLACE_ME", ["annotation-placeholder"]),
    ],
)
def test_an_annotation_that_can_be_no_role_is_broken(tmp_path: Path, role: str, rules: list[str]) -> None:
    report = run(tmp_path, account(role=role))
    assert found(report) == rules
    assert report.unjudged == ()
    assert all(RULES[name].broken for name in rules)


@pytest.mark.parametrize("text", ["${ROLE_ARN}", "{{ .Values.role }}", "arn:aws:iam::$(ACCOUNT):role/app"])
def test_a_placeholder_that_a_tool_fills_is_not_known_yet(tmp_path: Path, text: str) -> None:
    report = run(tmp_path, account(role=text))
    assert found(report) == []
    assert len(report.unjudged) == 1


def test_the_annotation_counts_on_a_service_account_only(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": {ANNOTATION: ROLE}}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: ROLE}}}}}},
    }
    report = run(tmp_path, account(), deployment(annotations={ANNOTATION: ROLE}), pod, job)
    assert found(report) == ["annotation-misplaced"] * 3
    assert {item.statement for item in report.selection.shown} == {
        "Deployment prod/web",
        "Pod x",
        "CronJob nightly",
    }
    place = report.selection.shown[0].place
    assert place is not None
    assert ANNOTATION in (tmp_path / "1.yaml").read_text(encoding="utf-8").splitlines()[place.line - 1]


@pytest.mark.parametrize(
    ("documents", "rules"),
    [
        ([account(), deployment()], []),
        ([account(), deployment("ap")], ["service-account-missing"]),
        ([account(), deployment("default")], []),
        ([account(), deployment("${NAME}")], []),
        ([deployment("ap")], []),
        ([account(namespace="dev"), deployment("ap")], []),
        (
            [
                account(),
                deployment("ap"),
                {"kind": "Kustomization", "apiVersion": "kustomize.config.k8s.io/v1"},
            ],
            [],
        ),
        ([account(), deployment("ap"), account("x", "${ROLE}")], []),
    ],
)
def test_a_service_account_that_is_in_no_file(tmp_path: Path, documents: list[Any], rules: list[str]) -> None:
    assert found(run(tmp_path, *documents)) == rules


@pytest.mark.parametrize(
    ("subject", "annotated", "rules"),
    [
        ("system:serviceaccount:prod:app", ROLE, []),
        ("system:serviceaccount:prod:api", ROLE, ["annotated-refused"]),
        ("system:serviceaccount:prod:api", "arn:aws:iam::111122223333:role/other", []),
        ("system:serviceaccount:prod:api", "${ROLE_ARN}", []),
        ("system:serviceaccount:prod:api", "arn:aws:iam::444455556666:role/app", []),
    ],
)
def test_a_role_of_the_same_files_that_does_not_allow_the_account(
    tmp_path: Path, subject: str, annotated: str, rules: list[str]
) -> None:
    assert found(run(tmp_path, account(role=annotated), trusting(subject))) == rules


def test_a_role_of_which_a_part_is_not_known_refuses_nobody(tmp_path: Path) -> None:
    template = {
        "Resources": {
            "App": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "app",
                    "AssumeRolePolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Federated": {"Ref": "Provider"}},
                                "Action": "sts:AssumeRoleWithWebIdentity",
                                "Condition": {"StringEquals": {f"{ISSUER}:sub": {"Ref": "Subject"}}},
                            }
                        ]
                    },
                },
            }
        }
    }
    assert "annotated-refused" not in found(run(tmp_path, account(role=ROLE), template))
    known = json.loads(json.dumps(template).replace('{"Ref": "Subject"}', '"system:serviceaccount:prod:api"'))
    assert "annotated-refused" in found(run(tmp_path, account(role=ROLE), known))


def test_roles_and_service_accounts_of_terraform_know_each_other(tmp_path: Path) -> None:
    source = Path(__file__).with_name("terraform") / "account-reference.tf"
    text = source.read_text(encoding="utf-8")
    (tmp_path / "main.tf").write_text(text.replace("serviceaccount:prod:app", "serviceaccount:prod:api"))
    report = lint(Request((str(tmp_path),)))
    assert found(report) == ["annotated-refused"]
    assert "aws_iam_role.app.arn" in report.selection.shown[0].reason


PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}
READING = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


@pytest.mark.parametrize(
    ("documents", "rules", "unknown"),
    [
        ([binding("cluster-admin", "system:authenticated")], 1, 0),
        ([binding("edit", "system:serviceaccounts")], 1, 0),
        ([binding("view", "system:authenticated")], 0, 0),
        ([binding("cluster-admin", "admins")], 0, 0),
        ([role("r", PODS), binding("r", "system:unauthenticated")], 1, 0),
        ([role("r", READING), binding("r", "system:authenticated")], 0, 0),
        ([binding("elsewhere", "system:authenticated")], 0, 1),
        ([binding("edit", "system:authenticated", subjects="x")], 0, 1),
        (
            [
                binding(
                    "edit",
                    "system:authenticated",
                    kind="RoleBinding",
                    metadata={"name": "all", "namespace": "ci"},
                )
            ],
            1,
            0,
        ),
        ([binding("edit", "system:authenticated", kind="RoleBinding")], 1, 0),
    ],
)
def test_rights_for_everybody(tmp_path: Path, documents: list[Any], rules: int, unknown: int) -> None:
    report = run(tmp_path, *documents)
    assert found(report) == ["everybody-may-become"] * rules
    assert len(report.unjudged) == unknown


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [("high", 0), ("broken", 5), ("high,broken", 5), ("low", 5), ("never", 0), ("never,high", 2), ("x", 2)],
)
def test_broken_is_a_scale_of_its_own(tmp_path: Path, fail_on: str, code: int) -> None:
    run(tmp_path, account(role=ROLE), trusting("system:serviceaccount:prod:api"))
    assert cli(["lint", str(tmp_path), "--fail-on", fail_on]) == code
