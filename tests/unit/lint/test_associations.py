"""EKS Pod Identity associations in files, and the trust policies of their roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.core.lint.report import LintReport
from irsa_cli.usecases.audit.lint import Request, lint

SERVICE = "pods.eks.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/app"
BOTH = ["sts:AssumeRole", "sts:TagSession"]
LIMITED = {
    "StringEquals": {"aws:SourceAccount": "111122223333", "aws:RequestTag/kubernetes-namespace": "prod"}
}
BARE = "pod-identity-no-condition"
REFUSED = "association-refused"


def trust(service: str = SERVICE, action: Any = BOTH, **more: Any) -> dict[str, Any]:
    """A trust policy of one statement."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def template(document: Any, **more: Any) -> dict[str, Any]:
    """A CloudFormation template with a role and its association."""
    association = {
        "ClusterName": "prod",
        "Namespace": "prod",
        "ServiceAccount": "app",
        "RoleArn": {"Fn::GetAtt": ["App", "Arn"]},
        **more,
    }
    return {
        "Resources": {
            "App": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}},
            "Link": {"Type": "AWS::EKS::PodIdentityAssociation", "Properties": association},
        }
    }


def run(folder: Path, *documents: Any) -> LintReport:
    """Lint the documents, one file each."""
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return lint(Request((str(folder),)))


def found(report: LintReport) -> list[str]:
    """The rules of its risks."""
    return sorted(item.rule.id for item in report.selection.shown)


CASES: list[tuple[Any, dict[str, Any], list[str]]] = [
    (trust(Condition=LIMITED), {}, []),
    (trust(), {}, [BARE]),
    (trust(action="sts:AssumeRole", Condition=LIMITED), {}, [REFUSED]),
    (trust(action="sts:AssumeRole", Condition=LIMITED), {"DisableSessionTags": True}, []),
    (trust(action="sts:*", Condition=LIMITED), {}, ["all-sts-actions"]),
    (trust("ec2.amazonaws.com"), {}, [REFUSED, "other-services"]),
    (trust(Condition=LIMITED), {"RoleArn": ROLE}, []),
]


@pytest.mark.parametrize(("document", "more", "rules"), CASES)
def test_in_cloudformation(tmp_path: Path, document: Any, more: dict[str, Any], rules: list[str]) -> None:
    report = run(tmp_path, template(document, **more))
    assert [name for name in found(report) if name in (REFUSED, BARE)] == [
        name for name in rules if name in (REFUSED, BARE)
    ]
    assert report.scope.examined["EKS Pod Identity association"] == 1


def test_the_place_is_that_of_the_role(tmp_path: Path) -> None:
    (risk,) = run(tmp_path, template(trust(action="sts:AssumeRole", Condition=LIMITED))).selection.shown
    assert "sts:TagSession" in risk.reason
    assert risk.place is not None
    line = (tmp_path / "0.yaml").read_text(encoding="utf-8").splitlines()[risk.place.line - 1]
    assert "RoleArn" in line


def test_in_terraform(tmp_path: Path) -> None:
    text = """
resource "aws_iam_role" "app" {
  name = "app"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action = ACTION
      Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
    }]
  })
}

resource "aws_eks_pod_identity_association" "app" {
  cluster_name    = "prod"
  namespace       = "prod"
  service_account = "app"
  role_arn        = aws_iam_role.app.arn
}
"""
    (tmp_path / "main.tf").write_text(text.replace("ACTION", '["sts:AssumeRole", "sts:TagSession"]'))
    assert REFUSED not in found(lint(Request((str(tmp_path),))))
    (tmp_path / "main.tf").write_text(text.replace("ACTION", '"sts:AssumeRole"'))
    report = lint(Request((str(tmp_path),)))
    (risk,) = (item for item in report.selection.shown if item.rule.id == REFUSED)
    assert "aws_iam_role.app.arn" in risk.reason


@pytest.mark.parametrize(("tags", "rules"), [(False, [REFUSED]), (True, [])])
def test_in_a_cluster_config(tmp_path: Path, tags: bool, rules: list[str]) -> None:
    entry = {"namespace": "prod", "serviceAccountName": "app", "roleARN": ROLE, "disableSessionTags": tags}
    config = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "prod", "region": "eu-west-1"},
        "iam": {"podIdentityAssociations": [entry]},
    }
    document = trust(action="sts:AssumeRole", Condition=LIMITED)
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": document}}
    assert [name for name in found(run(tmp_path, config, role)) if name == REFUSED] == rules


def cluster_config(**entry: Any) -> dict[str, Any]:
    """A ClusterConfig with an association after an entry of IRSA."""
    irsa = {"metadata": {"name": "web", "namespace": "prod"}, "wellKnownPolicies": {"autoScaler": True}}
    given = {"namespace": "prod", "serviceAccountName": "app", **entry}
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "prod", "region": "eu-west-1"},
        "iam": {"withOIDC": True, "serviceAccounts": [irsa], "podIdentityAssociations": [given]},
    }


@pytest.mark.parametrize("tags", [False, True])
def test_a_role_that_apply_would_create_is_judged(tmp_path: Path, tags: bool) -> None:
    entry = {
        "permissionPolicyARNs": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
        "disableSessionTags": tags,
    }
    report = run(tmp_path, cluster_config(**entry))
    assert not found(report)
    examined = report.scope.examined
    assert (examined["trust policy"], examined["EKS Pod Identity association"]) == (2, 1)


def test_an_entry_that_apply_would_refuse_is_refused(tmp_path: Path) -> None:
    report = run(tmp_path, cluster_config())
    assert "prod/app has no role" in str([item.problems for item in report.files])


def test_own_entries(tmp_path: Path) -> None:
    entries = [
        {"metadata": {"name": "app", "namespace": "prod"}, "attachRoleARN": ROLE, "podIdentity": True},
        {"metadata": {"name": "web", "namespace": "prod"}, "also": "pod-identity"},
    ]
    document = {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": entries}
    role = {
        "Role": {"Arn": ROLE, "AssumeRolePolicyDocument": trust(action="sts:AssumeRole", Condition=LIMITED)}
    }
    report = run(tmp_path, document, role)
    (risk,) = (item for item in report.selection.shown if item.rule.id == REFUSED)
    assert risk.account == "prod/app"
    assert report.scope.examined["EKS Pod Identity association"] == 2
