"""Roles as Terraform's resources: what the AWS provider reads must be what the configuration says."""

from __future__ import annotations

from typing import Any

from irsa_cli.core.export.terraform import ExportedRole, terraform
from irsa_cli.core.objects.role import DETAILED, Role
from irsa_cli.core.plan.states import ProviderState, RoleState

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{ISSUER}:sub": "system:serviceaccount:backend:app",
                    f"{ISSUER}:aud": "sts.amazonaws.com",
                }
            },
        }
    ],
}
OWN = {"Statement": [{"Effect": "Deny", "Action": ["s3:*"], "Resource": "a/${aws:username}"}]}


def role(name: str = "demo-app", **more: Any) -> Role:
    state = RoleState("/irsa/demo/", TRUST, **more)
    return Role(f"arn:aws:iam::111122223333:role/irsa/demo/{name}", state)


WHOLE = Role(
    "arn:aws:iam::111122223333:role/irsa/demo/demo-app",
    RoleState(
        "/irsa/demo/",
        TRUST,
        'for "backend"',
        7200,
        "arn:aws:iam::111122223333:policy/limit",
        {"team": "a", "irsa/cluster": "arn:aws:eks:…", "Cost Center": "1", "aws:x": "y"},
    ),
    frozenset({"arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"}),
    {"own": OWN, "second.one": {"Statement": []}},
)
KNOWN = {PROVIDER: ProviderState(f"https://{ISSUER}", ["sts.amazonaws.com"], ["a" * 40], {"b": "c"})}


def test_a_role_has_its_import_and_all_that_iam_knows() -> None:
    assert (
        terraform([ExportedRole("backend", "app", role(description="for app"))])
        == f"""\
# backend/app
import {{
  to = aws_iam_role.backend_app
  id = "demo-app"
}}

resource "aws_iam_role" "backend_app" {{
  name                 = "demo-app"
  path                 = "/irsa/demo/"
  description          = "for app"
  max_session_duration = 3600

  assume_role_policy = jsonencode({{
    "Version" = "2012-10-17"
    "Statement" = [
      {{
        "Effect" = "Allow"
        "Principal" = {{
          "Federated" = "{PROVIDER}"
        }}
        "Action" = "sts:AssumeRoleWithWebIdentity"
        "Condition" = {{
          "StringEquals" = {{
            "{ISSUER}:sub" = "system:serviceaccount:backend:app"
            "{ISSUER}:aud" = "sts.amazonaws.com"
          }}
        }}
      }},
    ]
  }})
}}
"""
    )


def test_ids_of_imports_are_those_of_the_provider() -> None:
    text = terraform([ExportedRole("backend", "app", WHOLE)], KNOWN)
    assert [line.strip() for line in text.splitlines() if line.startswith("  id = ")] == [
        f'id = "{PROVIDER}"',
        'id = "demo-app"',
        'id = "demo-app/arn:aws:iam::aws:policy/A"',
        'id = "demo-app/arn:aws:iam::aws:policy/B"',
        'id = "demo-app:own"',
        'id = "demo-app:second.one"',
    ]


def test_tags_of_irsa_are_set_apart_and_those_of_aws_left_out() -> None:
    text = terraform([ExportedRole("backend", "app", WHOLE)])
    own = text.partition("# irsa's marks")[2].partition("}")[0]
    assert "irsa/cluster" in own
    assert "team" not in own
    assert "aws:x" not in text


def test_a_role_of_two_accounts_is_written_once() -> None:
    exported = [ExportedRole("backend", "b", WHOLE), ExportedRole("backend", "a", WHOLE)]
    text = terraform(exported)
    assert text.count('resource "aws_iam_role" ') == 1
    assert text.endswith("# backend/b has the role of aws_iam_role.backend_a\n")


def test_what_was_not_read_is_left_out() -> None:
    listed = Role(WHOLE.arn, RoleState("/", TRUST), left_out=DETAILED)
    assert "max_session_duration" not in terraform([ExportedRole("1st", "a.b", listed)])
    assert 'resource "aws_iam_role" "_1st_a_b"' in terraform([ExportedRole("1st", "a.b", listed)])
