"""EKS Pod Identity associations in files, and the trust policies of their roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.usecases.audit.lint import Request, lint
from tests.unit.lint.test_across import found, run

SERVICE = "pods.eks.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/app"
LIMITED = (
    "Condition: {StringEquals: {'aws:SourceAccount': '111122223333',"
    " 'aws:RequestTag/kubernetes-namespace': prod}}"
)
BARE = "pod-identity-no-condition"
REFUSED = "association-refused"


def trust(action: str = "['sts:AssumeRole', 'sts:TagSession']", more: str = LIMITED) -> str:
    """A trust policy of one statement."""
    statement = f"Effect: Allow, Principal: {{Service: {SERVICE}}}, Action: {action}, {more}"
    return f"{{Version: '2012-10-17', Statement: [{{{statement}}}]}}"


def of_role(document: str) -> str:
    """A role as AWS describes it."""
    return f"Role: {{Arn: '{ROLE}', AssumeRolePolicyDocument: {document}}}"


def template(document: str, role: str = "{'Fn::GetAtt': [App, Arn]}", more: str = "") -> str:
    """A CloudFormation template with a role and its association."""
    return f"""Resources:
  App: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {document}}}}}
  Link:
    Type: AWS::EKS::PodIdentityAssociation
    Properties:
      ClusterName: prod
      Namespace: prod
      ServiceAccount: app
      RoleArn: {role}
      {more}
"""


ASSUME = trust("'sts:AssumeRole'")
CASES = [
    (template(trust()), []),
    (template(trust(more="")), [BARE]),
    (template(ASSUME), [REFUSED]),
    (template(ASSUME, more="DisableSessionTags: true"), []),
    (template(trust("'sts:*'")), []),
    (template(trust().replace(SERVICE, "ec2.amazonaws.com")), [REFUSED]),
    (template(trust(), f"'{ROLE}'"), []),
]


@pytest.mark.parametrize(("text", "rules"), CASES)
def test_in_cloudformation(tmp_path: Path, text: str, rules: list[str]) -> None:
    report = run(tmp_path, text)
    assert [name for name in found(report) if name in (REFUSED, BARE)] == rules
    assert report.scope.examined["EKS Pod Identity association"] == 1


def test_the_place_is_that_of_the_role(tmp_path: Path) -> None:
    (risk,) = run(tmp_path, template(ASSUME)).selection.shown
    assert "sts:TagSession" in risk.reason
    assert risk.place is not None
    line = (tmp_path / "0.yaml").read_text().splitlines()[risk.place.line - 1]
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


@pytest.mark.parametrize(("tags", "rules"), [("false", [REFUSED]), ("true", [])])
def test_in_a_cluster_config(tmp_path: Path, tags: str, rules: list[str]) -> None:
    config = cluster_config(f", roleARN: '{ROLE}', disableSessionTags: {tags}")
    assert [name for name in found(run(tmp_path, config, of_role(ASSUME))) if name == REFUSED] == rules
    # A role that apply would create is judged.
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    (tmp_path / "1.yaml").unlink()
    report = run(
        tmp_path, cluster_config(f", permissionPolicyARNs: ['{policy}'], disableSessionTags: {tags}")
    )
    assert not found(report)
    examined = report.scope.examined
    assert (examined["trust policy"], examined["EKS Pod Identity association"]) == (2, 1)


def cluster_config(entry: str) -> str:
    """A ClusterConfig with an association after an entry of IRSA."""
    return f"""apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: prod, region: eu-west-1}}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {{name: web, namespace: prod}}
    wellKnownPolicies: {{autoScaler: true}}
  podIdentityAssociations:
  - {{namespace: prod, serviceAccountName: app{entry}}}
"""


def test_an_entry_that_apply_would_refuse_is_refused(tmp_path: Path) -> None:
    report = run(tmp_path, cluster_config(""))
    assert "prod/app has no role" in str([item.problems for item in report.files])


OWN = f"""apiVersion: irsa/v1
kind: Bindings
serviceAccounts:
- {{metadata: {{name: app, namespace: prod}}, attachRoleARN: '{ROLE}', podIdentity: true}}
- {{metadata: {{name: web, namespace: prod}}, also: pod-identity}}
"""


def test_own_entries(tmp_path: Path) -> None:
    report = run(tmp_path, OWN, of_role(ASSUME))
    (risk,) = (item for item in report.selection.shown if item.rule.id == REFUSED)
    assert risk.account == "prod/app"
    assert report.scope.examined["EKS Pod Identity association"] == 2
