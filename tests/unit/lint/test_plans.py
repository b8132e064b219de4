"""The JSON of a Terraform plan, by its documented format, and the files that are mistaken for it.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.usecases.audit.lint import Request, lint

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/5B8D"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
ARN = "arn:aws:iam::111122223333:role/app"
ANNOTATION = "eks.amazonaws.com/role-arn"


def trust(subject: str, operator: str = "StringEquals", audience: str | None = "sts.amazonaws.com") -> str:
    condition: dict[str, Any] = {operator: {f"{ISSUER}:sub": subject}}
    if audience:
        condition.setdefault("StringEquals", {})[f"{ISSUER}:aud"] = audience
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


WIDE = trust("system:serviceaccount:prod:*", "StringLike")
TIGHT = trust("system:serviceaccount:prod:app")


def resource(address: str, *actions: str, unknown: Any = None, **values: Any) -> dict[str, Any]:
    """A resource with its change; `before` has its values if it is deleted."""
    kind = address.split(".")[-2]
    change = {"actions": list(actions), "after": values, "after_unknown": unknown or {}}
    if actions == ("delete",):
        change.update(before=values, after=None)
    return {"address": address, "mode": "managed", "type": kind, "values": values, "change": change}


def plan(*resources: dict[str, Any], configuration: Any = None, **more: Any) -> str:
    """A plan; resources of modules are in a child module."""
    planned = [item for item in resources if item["change"]["after"] is not None]
    own = [item for item in planned if not item["address"].startswith("module.")]
    below = [item for item in planned if item["address"].startswith("module.")]
    root = {"resources": own, "child_modules": [{"address": "module.m", "resources": below}]}
    return json.dumps(
        {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "planned_values": {"root_module": root},
            "resource_changes": list(resources),
            "configuration": {"root_module": {"resources": configuration or []}},
            **more,
        }
    )


def run(folder: Path, text: str, **more: Any) -> LintReport:
    (folder / "plan.json").write_text(text)
    return lint(Request((str(folder),), **more))


def found(report: LintReport) -> list[str]:
    return [f"{item.rule.id} {item.place.whose if item.place else ''}" for item in report.selection.shown]


def test_each_finding_tells_its_resource_and_what_happens_to_it(tmp_path: Path) -> None:
    actions = {"a": ("create",), "b": ("update",), "c": ("delete", "create"), "d": ("no-op",)}
    roles = [
        resource(f"aws_iam_role.{name}", *own, name=name, assume_role_policy=WIDE)
        for name, own in actions.items()
    ]
    roles.append(resource("module.m.aws_iam_role.e", "create", name="e", assume_role_policy=WIDE))
    report = run(tmp_path, plan(*roles))
    assert found(report) == [
        "every-name aws_iam_role.a (created)",
        "every-name aws_iam_role.b (updated)",
        "every-name aws_iam_role.c (replaced)",
        "every-name module.m.aws_iam_role.e (created)",
        "every-name aws_iam_role.d (unchanged)",
    ]
    assert "1 of 5 findings is about a resource that the plan does not change" in report.notes
    items = report.envelope().to_json("lint")["items"]
    assert [item["place"]["change"] for item in items][-2:] == ["created", "unchanged"]


def test_permissions_that_change_are_a_change_of_the_role(tmp_path: Path) -> None:
    role = resource("aws_iam_role.a", "no-op", name="a", assume_role_policy=WIDE)
    values = {"role": "a", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    for action, expected in (("create", "updated"), ("no-op", "unchanged")):
        attached = resource("aws_iam_role_policy_attachment.a", action, **values)
        (risk,) = run(tmp_path, plan(role, attached)).selection.shown
        assert risk.severity is Severity.HIGH
        assert risk.place is not None
        assert risk.place.change == expected


def test_a_trust_policy_that_is_known_after_apply_is_not_called_fine(tmp_path: Path) -> None:
    role = resource("aws_iam_role.a", "create", unknown={"assume_role_policy": True}, name="a")
    report = run(tmp_path, plan(role), fail_on=Severity.HIGH)
    assert "known after apply" in str(report.unjudged[0])
    assert report.exit_code == 1


@pytest.mark.parametrize("more", [{"errored": True}, {"complete": False}])
def test_a_plan_that_lacks_resources_is_not_called_fine(tmp_path: Path, more: dict[str, bool]) -> None:
    report = run(tmp_path, plan(**more), fail_on=Severity.HIGH)
    assert (report.exit_code, len(report.unjudged)) == (1, 1)


def test_the_audiences_of_a_provider_of_the_plan_count(tmp_path: Path) -> None:
    role = resource(
        "aws_iam_role.a",
        "create",
        name="a",
        assume_role_policy=trust("system:serviceaccount:a:b", audience=""),
    )
    for audiences, rules in ((["sts.amazonaws.com"], []), (["sts.amazonaws.com", "vault"], ["no-audience"])):
        provider = resource(
            "aws_iam_openid_connect_provider.p", "no-op", arn=PROVIDER, client_id_list=audiences
        )
        report = run(tmp_path, plan(role, provider))
        assert [item.rule.id for item in report.selection.shown] == rules


def test_a_provider_or_role_that_the_plan_deletes_is_gone(tmp_path: Path) -> None:
    role = resource("aws_iam_role.a", "no-op", name="a", assume_role_policy=TIGHT)
    provider = resource("aws_iam_openid_connect_provider.p", "delete", arn=PROVIDER)
    assert found(run(tmp_path, plan(role, provider))) == ["provider-gone aws_iam_role.a (unchanged)"]
    (tmp_path / "sa.yaml").write_text(
        f"{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: app, namespace: prod,"
        f" annotations: {{{ANNOTATION}: '{ARN}'}}}}}}"
    )
    deleted = resource("aws_iam_role.app", "delete", name="app", arn=ARN)
    (risk,) = run(tmp_path, plan(deleted)).selection.shown
    assert (risk.rule.id, risk.rule.broken) == ("role-gone", True)
    assert "which the plan deletes" in risk.reason
    assert found(run(tmp_path, plan())) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("kubernetes_service_account", {"metadata": [{"name": "app", "annotations": {ANNOTATION: "x"}}]}),
        ("kubernetes_service_account_v1", {"metadata": [{"name": "app", "annotations": {ANNOTATION: "x"}}]}),
        (
            "kubernetes_annotations",
            {"kind": "ServiceAccount", "metadata": [{"name": "app"}], "annotations": {ANNOTATION: "x"}},
        ),
        (
            "kubernetes_manifest",
            {"manifest": {"kind": "ServiceAccount", "metadata": {"annotations": {ANNOTATION: "x"}}}},
        ),
    ],
)
def test_each_resource_that_annotates_a_service_account_is_judged(
    tmp_path: Path, kind: str, values: dict[str, Any]
) -> None:
    report = run(tmp_path, plan(resource(f"{kind}.a", "create", **values)))
    assert found(report) == [f"annotation-no-role {kind}.a (created)"]
    other = {**values, "kind": "Deployment", "manifest": {"kind": "Deployment"}, "metadata": []}
    assert found(run(tmp_path, plan(resource(f"{kind}.a", "create", **other)))) == []


def test_a_role_of_the_plan_that_does_not_trust_its_service_account(tmp_path: Path) -> None:
    """The annotation is known after apply: the configuration tells the role."""
    role = resource("aws_iam_role.app", "create", name="app", assume_role_policy=TIGHT)
    later = {"metadata": [{"annotations": {ANNOTATION: True}}]}
    refers = {"metadata": [{"annotations": {"references": ["aws_iam_role.app.arn", "aws_iam_role.app"]}}]}
    for name, expected in (
        ("app", []),
        ("other", ["annotated-refused kubernetes_service_account.a (created)"]),
    ):
        metadata = [{"name": name, "namespace": "prod", "annotations": {}}]
        account = resource("kubernetes_service_account.a", "create", unknown=later, metadata=metadata)
        configuration = [
            {"address": account["address"], "type": account["type"], "expressions": refers},
        ]
        report = run(tmp_path, plan(role, account, configuration=configuration))
        assert (found(report), report.unjudged) == (expected, ())
    report = run(tmp_path, plan(role, account))
    assert "known after apply" in str(report.unjudged[0])


def test_a_pod_identity_association_of_the_plan(tmp_path: Path) -> None:
    role = resource("aws_iam_role.app", "create", name="app", assume_role_policy=TIGHT)
    values = {"namespace": "prod", "service_account": "app"}
    association = resource("aws_eks_pod_identity_association.a", "create", **values)
    configuration = [
        {
            "address": "aws_eks_pod_identity_association.a",
            "expressions": {"role_arn": {"references": ["aws_iam_role.app.arn"]}},
        }
    ]
    report = run(tmp_path, plan(role, association, configuration=configuration))
    assert found(report) == ["association-refused aws_eks_pod_identity_association.a (created)"]


def test_what_is_no_plan_is_told_what_to_run(tmp_path: Path) -> None:
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "resources": []}
    files = {
        "terraform.tfstate": (json.dumps(state), "terraform show -json {} | irsa lint -"),
        "log.json": ('{"@level":"info"}\n{"@level":"info"}\n', "terraform show -json PLAN | irsa lint -"),
    }
    for name, (text, command) in files.items():
        path = tmp_path / name
        path.write_text(text)
        (error,) = lint(Request((str(path),))).unread
        assert str(error).endswith(f"run {command.format(path)}"), error
        assert "\n" not in str(error)
        path.unlink()
    assert run(tmp_path, '{"format_version": "1.0"}').unread == ()


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform")
def test_a_binary_plan_is_told_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "terraform_data" "x" {\n  input = "y"\n}\n')
    for line in ("init", "plan -out=tfplan"):
        subprocess.run(["terraform", *line.split()], cwd=tmp_path, check=True, capture_output=True)
    (error,) = lint(Request((str(tmp_path / "tfplan"),))).unread
    command = str(error).partition("run ")[2].removesuffix(" | irsa lint -").split()
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    (tmp_path / "main.tf").unlink()
    report = run(tmp_path, shown.stdout)
    assert report.unread == ()
    assert [kind.value for file in report.files for kind in file.kinds] == ["Terraform plan"]
