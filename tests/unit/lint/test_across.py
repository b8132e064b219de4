"""What is broken, and what files say of each other: manifests, roles and rights together."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.cli.main import run as cli
from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.rule import RULES
from irsa_cli.usecases.audit.lint import Request, lint

ANNOTATION = "eks.amazonaws.com/role-arn"
ROLE = "arn:aws:iam::111122223333:role/app"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/5B8D"
RBAC = "rbac.authorization.k8s.io"


def account(role: str | None = None, name: str = "app", namespace: str = "prod") -> str:
    note = "" if role is None else f', annotations: {{{ANNOTATION}: "{role}"}}'
    return (
        f"{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: {namespace}{note}}}}}"
    )


def deployment(account: str = "app", template: str = "{}") -> str:
    pod = f'{{metadata: {template}, spec: {{serviceAccountName: "{account}", containers: []}}}}'
    metadata = "metadata: {name: web, namespace: prod}"
    return f"{{apiVersion: apps/v1, kind: Deployment, {metadata}, spec: {{template: {pod}}}}}"


def role(verbs: str) -> str:
    """The ClusterRole r over pods."""
    rules = f"[{{apiGroups: [''], resources: [pods], verbs: [{verbs}]}}]"
    return f"{{apiVersion: {RBAC}/v1, kind: ClusterRole, metadata: {{name: r}}, rules: {rules}}}"


def binding(ref: str, group: str, kind: str = "ClusterRoleBinding", more: str = "") -> str:
    subjects = f"subjects: [{{apiGroup: {RBAC}, kind: Group, name: '{group}'}}]"
    ref = f"roleRef: {{apiGroup: {RBAC}, kind: ClusterRole, name: {ref}}}"
    return f"{{apiVersion: {RBAC}/v1, kind: {kind}, metadata: {{name: all{more}}}, {ref}, {subjects}}}"


def trusting(subject: str) -> str:
    return f"""Role:
  Arn: {ROLE}
  AssumeRolePolicyDocument:
    Statement:
    - Effect: Allow
      Principal: {{Federated: "arn:aws:iam::111122223333:oidc-provider/{ISSUER}"}}
      Action: sts:AssumeRoleWithWebIdentity
      Condition:
        StringEquals: {{"{ISSUER}:sub": "{subject}", "{ISSUER}:aud": sts.amazonaws.com}}
"""


def run(folder: Path, *documents: str) -> LintReport:
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(document)
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
    report = run(tmp_path, account(role))
    assert found(report) == rules
    assert report.unjudged == ()
    assert all(RULES[name].broken for name in rules)


@pytest.mark.parametrize("text", ["${ROLE_ARN}", "{{ .Values.role }}", "arn:aws:iam::$(ACCOUNT):role/app"])
def test_a_placeholder_that_a_tool_fills_is_not_known_yet(tmp_path: Path, text: str) -> None:
    report = run(tmp_path, account(text))
    assert (found(report), len(report.unjudged)) == ([], 1)


def test_the_annotation_counts_on_a_service_account_only(tmp_path: Path) -> None:
    noted = f"annotations: {{{ANNOTATION}: '{ROLE}'}}"
    pod = f"{{apiVersion: v1, kind: Pod, metadata: {{name: x, {noted}}}}}"
    template = f"{{template: {{metadata: {{{noted}}}}}}}"
    job = f"""apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec: {{jobTemplate: {{spec: {template}}}}}
"""
    report = run(tmp_path, account(), deployment(template=f"\n {{{noted}}}"), pod, job)
    assert found(report) == ["annotation-misplaced"] * 3
    told = {item.statement for item in report.selection.shown}
    assert told == {"Deployment prod/web", "Pod x", "CronJob nightly"}
    place = report.selection.shown[0].place
    assert place is not None
    assert ANNOTATION in (tmp_path / "1.yaml").read_text().splitlines()[place.line - 1]
    assert place.line == 2


KUSTOMIZATION = "{kind: Kustomization, apiVersion: kustomize.config.k8s.io/v1}"


@pytest.mark.parametrize(
    ("documents", "rules"),
    [
        ([account(), deployment()], []),
        ([account(), deployment("ap")], ["service-account-missing"]),
        ([account(), deployment("default")], []),
        ([account(), deployment("${NAME}")], []),
        ([deployment("ap")], []),
        ([account(namespace="dev"), deployment("ap")], []),
        ([account(), deployment("ap"), KUSTOMIZATION], []),
        ([account(), deployment("ap"), account("${ROLE}", "x")], []),
    ],
)
def test_a_service_account_that_is_in_no_file(tmp_path: Path, documents: list[str], rules: list[str]) -> None:
    assert found(run(tmp_path, *documents)) == rules


@pytest.mark.parametrize(
    ("subject", "annotated", "rules"),
    [
        ("app", ROLE, []),
        ("api", ROLE, ["annotated-refused"]),
        ("api", "arn:aws:iam::111122223333:role/other", []),
        ("api", "${ROLE_ARN}", []),
        ("api", "arn:aws:iam::444455556666:role/app", []),
    ],
)
def test_a_role_of_the_same_files_that_does_not_allow_the_account(
    tmp_path: Path, subject: str, annotated: str, rules: list[str]
) -> None:
    assert (
        found(run(tmp_path, account(annotated), trusting(f"system:serviceaccount:prod:{subject}"))) == rules
    )


TEMPLATE = f"""Resources:
  App:
    Type: AWS::IAM::Role
    Properties:
      RoleName: app
      AssumeRolePolicyDocument:
        Statement:
        - Effect: Allow
          Principal: {{Federated: {{Ref: Provider}}}}
          Action: sts:AssumeRoleWithWebIdentity
          Condition: {{StringEquals: {{"{ISSUER}:sub": SUBJECT}}}}
"""


def test_a_role_of_which_a_part_is_not_known_refuses_nobody(tmp_path: Path) -> None:
    for subject, refused in (("{Ref: Subject}", False), ("'system:serviceaccount:prod:api'", True)):
        report = run(tmp_path, account(ROLE), TEMPLATE.replace("SUBJECT", subject))
        assert ("annotated-refused" in found(report)) is refused


def test_roles_and_service_accounts_of_terraform_know_each_other(tmp_path: Path) -> None:
    source = Path(__file__).with_name("terraform") / "account-reference.tf"
    text = source.read_text()
    (tmp_path / "main.tf").write_text(text.replace("serviceaccount:prod:app", "serviceaccount:prod:api"))
    report = lint(Request((str(tmp_path),)))
    assert found(report) == ["annotated-refused"]
    assert "aws_iam_role.app.arn" in report.selection.shown[0].reason


@pytest.mark.parametrize(
    ("documents", "rules", "unknown"),
    [
        ([binding("cluster-admin", "system:authenticated")], 1, 0),
        ([binding("edit", "system:serviceaccounts")], 1, 0),
        ([binding("view", "system:authenticated")], 0, 0),
        ([binding("cluster-admin", "admins")], 0, 0),
        ([role("create"), binding("r", "system:unauthenticated")], 1, 0),
        ([role("get, list"), binding("r", "system:authenticated")], 0, 0),
        ([binding("elsewhere", "system:authenticated")], 0, 1),
        ([binding("edit", "system:authenticated")[:-1] + ", subjects: x}"], 0, 1),
        ([binding("edit", "system:authenticated", "RoleBinding", ", namespace: ci")], 1, 0),
        ([binding("edit", "system:authenticated", "RoleBinding")], 1, 0),
    ],
)
def test_rights_for_everybody(tmp_path: Path, documents: list[str], rules: int, unknown: int) -> None:
    report = run(tmp_path, *documents)
    assert found(report) == ["everybody-may-become"] * rules
    assert len(report.unjudged) == unknown


def test_broken_is_a_scale_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, account(ROLE), trusting("system:serviceaccount:prod:api"))
    scale = "high=0 broken=5 high,broken=5 low=5 never=0 never,high=2 x=2"
    for fail_on, _, code in (item.partition("=") for item in scale.split()):
        assert cli(["lint", str(tmp_path), "--fail-on", fail_on]) == int(code), fail_on


def terraform(name: str, subject: str = "system:serviceaccount:prod:app", more: str = "") -> str:
    return f"""resource "aws_iam_role" "r" {{
  name               = {name}
  {more}
  assume_role_policy = jsonencode({{ Statement = [{{
    Effect = "Allow", Action = "sts:AssumeRoleWithWebIdentity"
    Principal = {{ Federated = "arn:aws:iam::111122223333:oidc-provider/{ISSUER}" }}
    Condition = {{ StringEquals = {{ "{ISSUER}:sub" = "{subject}", "{ISSUER}:aud" = "sts.amazonaws.com" }} }}
  }}] }})
}}
"""


@pytest.mark.parametrize(
    ("role", "rules"),
    [
        (terraform('"app"'), []),
        (terraform('"ap"'), ["role-gone"]),
        (terraform('"App"'), ["role-gone"]),
        (terraform('"app"', more='path = "/irsa/"'), ["role-gone"]),
        # Defined elsewhere, for another ServiceAccount, or with a name that is not known yet.
        (terraform('"other"', "system:serviceaccount:prod:web"), []),
        (terraform("var.name"), []),
        (terraform("null", more='name_prefix = "app-"'), []),
        ("locals {}\n", []),
    ],
)
def test_a_role_that_the_files_define_otherwise_is_gone(tmp_path: Path, role: str, rules: list[str]) -> None:
    (tmp_path / "main.tf").write_text(role)
    assert found(run(tmp_path, account(ROLE))) == rules


def test_the_role_of_another_cluster_is_not_called_gone(tmp_path: Path) -> None:
    """The files have the ServiceAccount twice, and one of the two has the role that trusts it."""
    (tmp_path / "main.tf").write_text(terraform('"ap"'))
    assert found(run(tmp_path, account(ROLE), account(ROLE.replace("role/app", "role/ap")))) == []


def test_what_helm_fills_in_is_no_wrong_annotation(tmp_path: Path) -> None:
    text = account("ROLE").replace('"ROLE"', "{{ .Values.roleArn }}")
    block = f"""apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{{{ .Release.Name }}}}
  annotations:
    {ANNOTATION}: {{{{ .Values.roleArn | quote }}}}
"""
    for written in (text, block):
        report = run(tmp_path, written)
        assert (found(report), len(report.unjudged)) == ([], 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Dockerfile.template", "FROM x\nRUN echo: : y\n"),
        ("user-data.tftpl", "#!/bin/sh\n%{ if x }\n"),
        ("values.yaml", "a: b\n%{ if x }\nc: d\n%{ endif }\n"),
        ("pods.yaml", "spec:\n  name: %s\n"),
    ],
)
def test_a_template_of_another_tool_is_no_wrong_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    report = run(tmp_path, account(ROLE))
    assert (report.unread, report.unjudged, report.exit_code) == ((), (), 0)


def test_a_template_that_terraform_reads_is_no_unknown_file(tmp_path: Path) -> None:
    policy = (
        '{"Statement": [{"Action": "sts:AssumeRoleWithWebIdentity", "Effect": "Deny", "Principal": "*"}]}'
    )
    (tmp_path / "trust.tftpl").write_text(policy)
    role = 'resource "aws_iam_role" "r" {\n  assume_role_policy = FILE\n}\n'
    for file, unknown in (('templatefile("trust.tftpl", {})', 0), ("jsonencode({ Statement = [] })", 1)):
        (tmp_path / "main.tf").write_text(role.replace("FILE", file))
        assert len(run(tmp_path, account(ROLE)).unjudged) == unknown


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ((), 3),
        (("test",), 2),
        (("test/",), 2),
        (("**/test/*.yaml",), 2),
        (("*.yaml",), 1),
        (("a/test/0.yaml", "main.tf"), 1),
        (("es",), 3),
        (("/",), 3),
    ],
)
def test_excluded_files_are_not_read(tmp_path: Path, patterns: tuple[str, ...], left: int) -> None:
    (tmp_path / "a" / "test").mkdir(parents=True)
    run(tmp_path / "a" / "test", account("wrong"))
    run(tmp_path, account("wrong"))
    (tmp_path / "main.tf").write_text("locals {}\n")
    report = lint(Request((str(tmp_path),), exclude=patterns))
    assert len(report.files) == left
    assert any("by --exclude" in note for note in report.notes) is (left < 3)
