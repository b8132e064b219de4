"""Terraform modules in folders beside the files: each is judged with the values of those who call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.usecases.audit.lint import Request, lint

MODULE = """
variable "create" {
  default = true
}
variable "accounts" {
  type = map(object({ names = list(string), test = optional(string, "StringEquals") }))
}
variable "extra" {
  default = null
}
data "aws_iam_policy_document" "trust" {
  count = var.create ? 1 : 0
  dynamic "statement" {
    for_each = var.accounts
    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [var.provider_arn]
      }
      condition {
        test     = statement.value.test
        variable = "${replace(var.provider_arn, "/^(.*provider/)/", "")}:sub"
        values   = [for n in statement.value.names : "system:serviceaccount:${statement.key}:${n}" if n != ""]
      }
      condition {
        test     = "StringEquals"
        variable = "${replace(var.provider_arn, "/^(.*provider/)/", "")}:aud"
        values   = ["sts.amazonaws.com"]
      }
      dynamic "condition" {
        for_each = var.extra != null ? [var.extra] : []
        content {
          test     = "StringLike"
          variable = "aws:SourceIp"
          values   = [condition.value]
        }
      }
    }
  }
}
resource "aws_iam_role" "this" {
  count              = var.create ? 1 : 0
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
}
output "arn" {
  value = aws_iam_role.this[0].arn
}
"""
ARN = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"


def call(name: str, accounts: str, more: str = "") -> str:
    return f"""module "{name}" {{
  source       = "../modules/role"
  name         = "{name}"
  provider_arn = "{ARN}"
  accounts     = {accounts}
  {more}
}}
"""


def run(folder: Path, main: str, module: str = MODULE) -> LintReport:
    for name, text in (("env/main.tf", main), ("modules/role/main.tf", module)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return lint(Request((str(folder),), fail_on=Severity.HIGH))


def found(report: LintReport) -> list[str]:
    return [f"{item.rule.id} {item.place.subject if item.place else ''}" for item in report.selection.shown]


ROLE = "aws_iam_role.this"


@pytest.mark.parametrize(
    ("main", "risks"),
    [
        (call("a", '{ prod = { names = ["app"] } }'), []),
        (call("a", '{ prod = { names = ["*"] } }'), [f"literal-wildcard module.a.{ROLE}"]),
        (call("a", '{ prod = { names = ["*"], test = "StringLike" } }'), [f"every-name module.a.{ROLE}"]),
        (call("a", '{ prod = { names = ["*", ""], test = "StringLike" } }', "create = false"), []),
        (
            call("a", '{ prod = { names = ["app"] } }') + call("b", '{ dev = { names = ["default"] } }'),
            [f"default-service-account module.b.{ROLE}"],
        ),
        (
            call("a", "{ (each.key) = { names = each.value } }", 'for_each = { x = ["y"], z = ["default"] }'),
            [f'default-service-account module.a["z"].{ROLE}'],
        ),
        ("locals {\n  who = \"default\"\n}\n" + call("a", "{ prod = { names = [local.who] } }"),
         [f"default-service-account module.a.{ROLE}"]),
    ],
)  # fmt: skip
def test_a_module_is_judged_with_its_callers_values(tmp_path: Path, main: str, risks: list[str]) -> None:
    report = run(tmp_path, main)
    assert report.unread == ()
    assert (found(report), report.unjudged, report.exit_code) == (risks, (), 0)
    for risk in report.selection.shown:
        assert risk.place is not None
        assert risk.place.file == str(tmp_path / "modules/role/main.tf")


def test_a_module_that_nobody_calls_is_judged_alone(tmp_path: Path) -> None:
    report = run(tmp_path, "locals {}\n")
    assert (found(report), len(report.unjudged)) == ([], 1)
    unset = run(tmp_path, call("a", "{}", "for_each = var.items") + 'variable "items" {\n  default = {}\n}\n')
    assert any("1 module is decided elsewhere (callers of these files)" in note for note in unset.notes)


def test_an_output_names_the_role_of_a_service_account(tmp_path: Path) -> None:
    account = """resource "kubernetes_service_account" "a" {
  metadata {
    name        = "NAME"
    namespace   = "prod"
    annotations = { "eks.amazonaws.com/role-arn" = module.a.arn }
  }
}
"""
    for name, risks in (("app", []), ("other", ["annotated-refused kubernetes_service_account.a"])):
        main = call("a", '{ prod = { names = ["app"] } }') + account.replace("NAME", name)
        assert found(run(tmp_path, main)) == risks


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('name = "x"\n  oidc_provider_arn = var.arn\n', 0),
        ('service_account_name = "*"\n', 1),
        ('namespace_service_accounts = ["kube-system:*"]\n', 1),
        ("assume_role_policy = var.policy\n", 1),
    ],
)
def test_a_module_from_elsewhere_matters_if_its_call_points_to_a_risk(
    tmp_path: Path, arguments: str, code: int
) -> None:
    main = f'module "irsa" {{\n  source = "acme/irsa/aws"\n  {arguments}}}\n'
    report = run(tmp_path, main, "locals {}\n")
    assert (report.exit_code, len(report.unjudged)) == (code, code)
    assert any("acme/irsa/aws" in note for note in report.notes) is (code == 0)


@pytest.mark.parametrize(
    "body", ['module "b" {\n  source = "."\n}\n', 'module "b" {\n  source = "../role"\n}\n']
)
def test_a_module_that_calls_itself_ends(tmp_path: Path, body: str) -> None:
    report = run(tmp_path, call("a", "{}"), MODULE + body)
    assert all("a bug in irsa" not in line for line in report.notes)


def test_values_of_a_folder_count(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "terraform.tfvars").write_text('who = ["default"]\n')
    main = 'variable "who" {}\n' + call("a", "{ prod = { names = var.who } }")
    assert found(run(tmp_path, main)) == [f"default-service-account module.a.{ROLE}"]


def test_each_instance_of_a_data_source_is_a_policy_of_its_own(tmp_path: Path) -> None:
    text = MODULE.replace("count = var.create ? 1 : 0\n  dynamic", "for_each = local.all\n  dynamic")
    text = text.replace("for_each = var.accounts", "for_each = { (each.key) = { names = each.value } }")
    text = text.replace("statement.value.test", '"StringEquals"').replace("trust[0]", "trust[each.key]")
    text = text.replace("count              = var.create ? 1 : 0", "for_each = local.all")
    text += 'locals {\n  all = { a = ["app"], b = ["default"] }\n}\n'
    text += f'variable "provider_arn" {{\n  default = "{ARN}"\n}}\n'
    text = text.replace("var.extra != null ? [var.extra] : []", "[]")
    text = text.replace("var.name", "each.key").replace("aws_iam_role.this[0]", 'aws_iam_role.this["a"]')
    report = run(tmp_path, "locals {}\n", text)
    assert (found(report), report.unjudged) == ([f"default-service-account {ROLE}"], ())
