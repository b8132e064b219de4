"""`irsa lint`: what is found in each kind of file and where, and what a hostile file costs."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.cli.main import run as cli
from irsa_cli.core.config.project import ACCEPTED_DAYS
from irsa_cli.core.lint.judging import judged
from irsa_cli.core.lint.report import FileKind, LintedFile, LintReport, read_file
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.audit.lint import Request, lint
from tests.support.edited_program import ROOT
from tests.support.thoroughness import examples

FOLDER = Path(__file__).with_name("linted")
TIGHT, WIDE = sorted((FOLDER / "tight").iterdir()), sorted((FOLDER / "wide").iterdir())

# Rule and severity of each finding, and what stands at its place.
# Rule and severity of each finding, and what stands at its place.
EXPECTED = {
    "cdk-no-subject.template.json": 'no-subject high "Condition"',
    "cdk-pattern.template.json": 'pattern-crosses-colon critical "StringLike"',
    "cluster.yaml": """every-name high subjectPattern: "*"
        default-service-account medium name: default
        namespace-pattern medium {namespace: "team-*"
        several-stages medium clusters:""",
    "eksctl-stack-changed.json": 'every-namespace high "oidc.eks.eu-west-1',
    "manifests.yaml": """only-negative high "Condition"
        default-service-account medium name: default
        annotation-no-role medium eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:policy""",
    "parameters.yaml": """no-condition high Effect: Allow
        every-name medium "${OIDCProvider}:sub": "system:serviceaccount:backend:*\"""",
    "terraform-new-cluster.json": 'every-namespace high "condition": [',
    "terraform-plan.json": r'''every-name high "{\"Version\": \"2012-10-17\"
        annotation-no-role medium "eks.amazonaws.com/role-arn": "app"''',
    "trust.json": """pattern-crosses-colon high "system:serviceaccount:prod*"
        for-all-values medium "oidc.eks.eu-west-1""",
}
UNKNOWN = {
    "manifests.yaml": ["${ROLE_ARN}"],
    "parameters.yaml": ["sub '${Subject}' of statement 1", 'Fn::If ["IsProd"'],
    "terraform-new-cluster.json": [
        "module.vpc_cni_irsa.aws_iam_role.this[0]: the trust policy is known after"
    ],
}


def run(*paths: Path | str, **more: Any) -> LintReport:
    return lint(Request(tuple(map(str, paths)), **more))


def found(text: str, name: str = "x.yaml") -> LintedFile:
    def none(path: str) -> str:
        raise InvalidInput(f"{path} can't be read")

    return read_file(text, name, none)


def risks(text: str) -> list[Risk]:
    return [item for each in found(text).found for item in judged(each) if isinstance(item, Risk)]


def test_the_tight_files_of_tools_give_no_finding() -> None:
    for path in TIGHT:
        report = run(path)
        assert (report.selection.shown, report.unchecked) == ((), ()), path
        assert report.files[0].is_known, path


@pytest.mark.parametrize("path", WIDE, ids=lambda path: path.name)
def test_wide_ones_give_the_rule_at_its_place(path: Path) -> None:
    report = run(path)
    lines = path.read_text().splitlines()
    expected = EXPECTED[path.name].splitlines()
    for item, line in zip(report.selection.shown, expected, strict=True):
        rule, severity, begin = line.split(maxsplit=2)
        assert (item.rule.id, item.severity.value) == (rule, severity)
        assert item.place is not None
        assert item.place.file == str(path)
        assert lines[item.place.line - 1][item.place.column - 1 :].startswith(begin)
    for later, said in zip(report.unjudged, UNKNOWN.get(path.name, ()), strict=True):
        assert said in str(later)


def test_the_exit_code_tells_what_was_found_what_could_not_be_read_and_what_may_be_hidden(
    tmp_path: Path,
) -> None:
    later = FOLDER / "wide" / "parameters.yaml"
    text = later.read_text().replace("Effect: Allow", "Effect: Deny")
    (tmp_path / "later.yaml").write_text(text.replace("backend:*", "backend:app"))
    strange = tmp_path / "other.json"
    strange.write_text('{"name": "a package"}')
    for path, fail_on, code in (
        (later, Severity.HIGH, 5),
        (later, Severity.CRITICAL, 1),
        (later, None, 0),
        (tmp_path / "later.yaml", Severity.HIGH, 1),
        (tmp_path / "none.json", None, 2),
    ):
        assert run(path, fail_on=fail_on).exit_code == code, (path, fail_on)
    other = run(strange, FOLDER / "tight" / "cluster.yaml")
    assert other.exit_code == 2
    assert "irsa lint does not recognize" in other.notes[0]
    skipped = run(strange, skip_unknown=True, fail_on=Severity.LOW)
    assert (skipped.exit_code, skipped.unchecked) == (0, ())
    assert "1 file" in skipped.notes[0]


def test_one_file_that_can_not_be_read_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\niam: {x: 1}\n")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text((FOLDER / "wide" / "trust.json").read_text())
    (tmp_path / "d.yaml").write_text("image: {{ .Values.image }}\nx: }")
    report = run(tmp_path)
    assert [item.rule.id for item in report.selection.shown] == ["pattern-crosses-colon", "for-all-values"]
    assert len(report.unread) == 2
    assert "unknown field 'x'" in report.notes[0]
    assert "1 file" in report.notes[-1]
    assert report.exit_code == 2
    # A template of Helm's has nothing that would be judged; one that has is not skipped.
    assert len(run(tmp_path, skip_unknown=True).unread) == 1


def test_a_folder_is_looked_into_but_not_what_others_have_put_there(tmp_path: Path) -> None:
    trust = (FOLDER / "wide" / "trust.json").read_text()
    for name in ("cdk.out/app.template.json", "node_modules/x/t.json", ".terraform/t.json", "deep/er/t.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(trust)
    (tmp_path / "cdk.out" / "manifest.json").write_text('{"version": "36.0.0"}')
    report = run(tmp_path)
    names = [Path(file.name).relative_to(tmp_path).as_posix() for file in report.files]
    assert names == ["cdk.out/app.template.json", "deep/er/t.json"]
    assert report.unread == ()
    assert run(tmp_path / "cdk.out", tmp_path / "cdk.out" / "app.template.json").files[1:] == ()


NO_SUBJECT = (FOLDER / "wide" / "cdk-no-subject.template.json").read_text()


def accepting(days: int, *rules: str, more: str = "") -> str:
    """The settings of a project that accepts these until so many days from now."""
    until = datetime.now(timezone.utc).date() + timedelta(days=days)
    ignored = ", ".join(f"{{rule: {rule}, reason: known, until: {until}{more}}}" for rule in rules)
    return f"audit: {{ignore: [{ignored}]}}\n"


def test_a_baseline_and_what_a_project_accepts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = (FOLDER / "wide" / "parameters.yaml").read_text()
    Path("x.yaml").write_text(source)
    Path("b.json").write_text(json.dumps(run("x.yaml").envelope().to_json("lint")))
    Path("x.yaml").write_text(f"# A line more.\n{source}")
    report = run("x.yaml", baseline=tmp_path / "b.json", fail_on=Severity.LOW)
    assert (report.selection.shown, report.selection.known) == ((), 2)
    for file, accepted in (("*.yaml", 1), ("*.json", 0)):
        text = accepting(ACCEPTED_DAYS, "every-name", more=f", role: EveryName, file: '{file}'")
        Path(".irsa.yaml").write_text(text)
        report = run("x.yaml")
        assert report.selection.shown[0].rule.id == "no-condition"
        assert (len(report.selection.shown), len(report.selection.accepted)) == (2 - accepted, accepted)


@pytest.mark.parametrize(
    ("days", "accepted"), [(-1, False), (0, True), (366, True), (367, False), (355_000, False)]
)
def test_nobody_accepts_a_risk_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, accepted: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.json").write_text(NO_SUBJECT)
    Path(".irsa.yaml").write_text(accepting(days, "no-subject", "every-name"))
    report = run("x.json", fail_on=Severity.LOW)
    document = report.envelope().to_json("lint")
    assert document["metadata"]["summary"]["accepted"] == len(report.selection.accepted) == int(accepted)
    assert (report.exit_code == 0) == accepted
    until = str(datetime.now(timezone.utc).date() + timedelta(days=days))
    assert any(until in note for note in report.notes) == (not accepted)


def test_the_settings_of_the_base_judge_and_not_those_that_lie_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout, base = tmp_path / "checkout", tmp_path / "base.yaml"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    own = Path(".irsa.yaml")
    Path("x.json").write_text(NO_SUBJECT)
    own.write_text(f"failOn: never\n{accepting(0, 'no-subject', 'every-name')}")
    assert cli(["lint", "x.json", "--fail-on", "high"]) == 0
    assert "1 accepted by .irsa.yaml" in capsys.readouterr().out
    base.write_text("failOn: high\n")
    for line in (["--config", str(base)], [f"--config={base}"]):
        assert cli(["lint", "x.json", *line]) == 5
        assert "accepted" not in capsys.readouterr().out
    monkeypatch.setenv("IRSA_CONFIG", str(base))
    assert cli(["lint", "x.json"]) == 5
    monkeypatch.delenv("IRSA_CONFIG")
    own.write_text("nonsense: [")
    assert cli(["lint", "x.json", "--config", str(base)]) == 5
    capsys.readouterr()
    assert cli(["lint", "x.json", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    # What one run was told holds for no other one.
    own.write_text("failOn: never\n")
    assert cli(["lint", "x.json"]) == 0


def test_nothing_of_aws_or_kubernetes_is_imported() -> None:
    import subprocess

    code = (
        "import sys; from irsa_cli.cli.main import run;"
        f"run(['lint', {str(FOLDER / 'wide')!r}, '-o', 'sarif']);"
        "sys.exit(any(name.split('.')[0] in ('boto3', 'botocore', 'kubernetes') for name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


# What is in a template may mean anything


def role(document: str) -> str:
    """A template with a role of this trust policy."""
    properties = f'{{"AssumeRolePolicyDocument": {document}}}'
    return f'{{"Resources": {{"R": {{"Type": "AWS::IAM::Role", "Properties": {properties}}}}}}}'


ADMITTING = """{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": {"Ref": "P"}},
    "Condition": {"StringEquals": {"e:sub": "system:serviceaccount:a:b", "e:aud": "sts.amazonaws.com"}}}"""


def trust(*elements: str) -> str:
    """A trust policy with a statement for each of these elements; `{}` in place of one leaves it out."""
    statements = [{**json.loads(ADMITTING), **json.loads(text)} for text in elements]
    return json.dumps(
        {"Statement": [{key: part for key, part in item.items() if part != {}} for item in statements]}
    )


@pytest.mark.parametrize(
    ("document", "rules", "unknown"),
    [
        (trust("{}"), "", 0),
        (trust('{"Condition": {"Ref": "C"}}'), "", 1),
        (trust('{"Effect": {"Ref": "E"}}'), "", 1),
        (trust('{"Action": {"Ref": "A"}}'), "", 1),
        ('{"Statement": {"Ref": "S"}}', "", 1),
        ('{"Statement": [{"Fn::If": ["X", {}, {}]}]}', "", 1),
        ('{"Ref": "D"}', "", 1),
        (trust('{"Effect": {"Ref": "E"}, "Action": "*", "Principal": "*"}', '{"Condition": {}}'), "", 1),
        (trust('{"Condition": {"Ref": "C"}}', '{"Condition": {}}'), "no-condition", 1),
        (trust('{"Condition": {"StringEquals": {"e:sub": {"Ref": "S"}, "e:aud": "x"}}}'), "", 1),
        (
            trust('{"Condition": {"StringLike": {"e:sub": {"Fn::Sub": "repo:${Org}/*"}, "e:aud": "x"}}}'),
            "",
            1,
        ),
        (trust('{"Condition": {"StringLike": {"e:sub": "repo:org/*"}}}'), "", 0),
        (trust('{"Principal": {"Federated": {"Ref": "AWS::NoValue"}, "AWS": "*"}}'), "everybody", 0),
        (trust('{"Condition": {"Ref": "AWS::NoValue"}}'), "no-condition", 0),
    ],
)
def test_a_part_that_is_not_known_is_never_called_fine_nor_unsafe(
    document: str, rules: str, unknown: int
) -> None:
    (item,) = found(role(document)).found
    got = list(judged(item))
    told = [each.rule.id for each in got if isinstance(each, Risk)]
    assert (" ".join(told), len(got) - len(told)) == (rules, unknown)


@pytest.mark.parametrize(
    "value",
    [
        '{"Fn::GetAtt": ["Self", "Value"]}',
        f'{{"Fn::Sub": ["{"${a}" * 9000}", {{"a": "{"x" * 9000}"}}]}}',
        f'{{"Fn::Join": ["{"x" * 9000}", {json.dumps(["y"] * 9000)}]}}',
        '{"Fn::Select": [9, ["a"]]}',
        '{"Fn::Select": ["x", {"Fn::Split": [":", {"Ref": "A"}]}]}',
        '{"Fn::Split": ["", "a"]}',
        '{"Fn::Join": 3}',
        '{"Fn::Sub": [3, 4]}',
        '{"Fn::GetAtt": [[], {}]}',
        '{"Fn::Sub": "${Self.Value}${!x}${ A . b }"}',
    ],
    ids=lambda value: value[:40],
)
def test_functions_that_can_not_be_known_are_gaps(value: str) -> None:
    asked = role(trust('{"Condition": {"StringEquals": {"Fn::GetAtt": ["Self", "Value"]}}}'))
    own = f', "Self": {{"Type": "Custom::AWSCDKCfnJson", "Properties": {{"Value": {value}}}}}'
    (item,) = found(f"{asked[:-2]}{own}{asked[-2:]}").found
    assert [isinstance(each, Risk) for each in judged(item)] == [False]


KINDS = {
    '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}': FileKind.UNKNOWN,
    '{"apiVersion": "irsa/v1", "kind": "RiskList"}': FileKind.UNKNOWN,
    '{"apiVersion": "v1", "kind": "Pod"}': FileKind.MANIFEST,
    '{"Resources": {"a": 1}}': FileKind.UNKNOWN,
    '{"Resources": {"a": {"Type": "AWS::S3::Bucket"}}}': FileKind.CLOUDFORMATION,
    '{"format_version": "1.0", "terraform_version": "1.9"}': FileKind.TERRAFORM,
    "[1]": FileKind.UNKNOWN,
    '"x"': FileKind.UNKNOWN,
}


def test_a_document_is_known_by_what_it_is_like() -> None:
    for text, kind in KINDS.items():
        assert found(text).kinds == (kind,), text


# Hostile files

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["*", "Allow", "R"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = """Resources Properties AssumeRolePolicyDocument Statement Condition Principal planned_values Effect
root_module resources values child_modules resource_changes change after after_unknown statement condition
principals identifiers type address metadata annotations items iam serviceAccounts subjects Role Roles Ref
Fn::Sub Fn::Join Fn::GetAtt RoleDetailList assume_role_policy Type role"""


def known_documents() -> list[Any]:
    texts = [path.read_text() for path in (*TIGHT, *WIDE) if path.suffix == ".json"]
    texts.append(
        '{"apiVersion": "v1", "kind": "List", "items": [{"kind": "ServiceAccount", "metadata": {}}]}'
    )
    texts.append(
        '{"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": "c"}, "serviceAccounts": []}'
    )
    return list(map(json.loads, texts))


def changed(document: Any, key: str, value: Any) -> Any:
    """The document with another value wherever the key is."""
    if isinstance(document, dict):
        return {name: value if name == key else changed(item, key, value) for name, item in document.items()}
    return [changed(item, key, value) for item in document] if isinstance(document, list) else document


@settings(max_examples=examples(400), deadline=None)
@given(st.sampled_from(known_documents()), st.sampled_from(KEYS.split()), ANY)
def test_wrong_types_cost_no_traceback(document: Any, key: str, value: Any) -> None:
    for text in (json.dumps(changed(document, key, value)), json.dumps({**document, key: value})):
        for item in found(text).found:
            for each in judged(item):
                assert isinstance(each, InvalidInput) or each.place is not None


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]" for n in range(12)
)


def like(*subjects: str) -> str:
    return trust(f'{{"Condition": {{"StringLike": {{"e:sub": {json.dumps(subjects)}}}}}}}')


LARGE = {
    "a list": like(*["system:*a" * 4] * 20_000),
    "patterns": like(*["a*" * 40] * 90, "system:*"),
    "joined": role(f'{{"Fn::Join": ["", {json.dumps([{"Fn::Sub": "${A}" * 9000}] * 30)}]}}'),
    "substituted": role(f'{{"Fn::Sub": "{"${" * 50_000}"}}'),
    "substituted blanks": role(f'{{"Fn::Sub": "{"${" + " " * 50_000 + "${a" + " a" * 50_000}"}}'),
    "a text": f'{{"Role": {{"AssumeRolePolicyDocument": "{"%7B" * 200_000}"}}}}',
    "depth": "[" * 100_000,
    "aliases": BOMB,
    "itself": "a: &a {Resources: *a}",
    "merged": "a: &a {<<: *a, Statement: {Principal: 1}}",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_hostile_file_ends(text: str) -> None:
    """What costs more than its size would not end for hours."""
    with suppress(InvalidInput):
        for item in found(text).found:
            assert text != LARGE["a list"] or "larger than IAM allows" in str(list(judged(item)))
            list(judged(item))


def test_the_corrected_policy_is_there_where_a_file_can_tell_it() -> None:
    for name, unknown in (("trust.json", [True, False]), ("parameters.yaml", [True, True])):
        report = run(FOLDER / "wide" / name, with_fixes=True)
        assert [item.corrected is None for item in report.selection.shown] == unknown


def test_the_hook_of_pre_commit_runs() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    last = (ROOT / hook["entry"]).read_text().splitlines()[-1]
    _, program, *words, files = last.split()
    assert (program, files) == ('"$place/bin/irsa"', '"$@"')
    assert cli([*words, *map(str, TIGHT), str(ROOT / "docs/reference/output.schema.json")]) == 0
    assert cli([*words, *map(str, WIDE)]) == 5


PROVIDERS = """arn:aws:iam::${ACCOUNT_ID}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A
arn:aws:iam::ACCOUNT_ID:oidc-provider/OIDC_PROVIDER
arn:aws:iam::<account-id>:oidc-provider/<oidc-provider>
${oidc_provider_arn}
$(PROVIDER)
{{ .Values.provider }}
arn:aws:iam::{{ .Account }}:oidc-provider/{{ .OidcProvider }}"""


def test_a_placeholder_hides_no_statement_without_conditions() -> None:
    for provider in PROVIDERS.splitlines():
        (item,) = risks(trust(f'{{"Principal": {{"Federated": "{provider}"}}, "Condition": {{}}}}'))
        assert item.rule.id == "no-condition", provider
        assert "k7q2" not in item.warning, provider


def test_placeholders_of_conditions_are_not_taken_for_names() -> None:
    wide = trust(
        """{"Principal": {"Federated": "${arn}"}, "Condition": {
        "StringLike": {"${issuer}:sub": "system:serviceaccount:${NAMESPACE}:*"},
        "StringEquals": {"${issuer}:aud": "sts.amazonaws.com"}}}"""
    )
    assert [item.rule.id for item in risks(wide)] == ["every-name"]
    tight = trust(
        """{"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/OIDC"}, "Condition": {
        "StringEquals": {"OIDC:sub": "system:serviceaccount:a:b", "OIDC:aud": "sts.amazonaws.com"}}}"""
    )
    (item,) = found(tight).found
    assert list(judged(item)) == []


ADMIN = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
LOOSE = trust(
    """{"Condition": {}, "Principal": {"Federated":
    "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"}}"""
)


def severity(text: str) -> Severity:
    """How bad the missing condition of its role is."""
    (item,) = risks(text)
    assert item.rule.id == "no-condition"
    return item.severity


@pytest.mark.parametrize(
    ("role", "kind", "more"),
    [
        ("", "Policy", ', "Roles": [{"Ref": "R"}]'),
        ("", "RolePolicy", ', "RoleName": {"Ref": "R"}'),
        (', "RoleName": "r"', "ManagedPolicy", ', "Roles": ["r"]'),
        (', "ManagedPolicyArns": [{"Ref": "P"}]', "ManagedPolicy", ""),
    ],
)
def test_policies_by_reference_count_in_a_template(role: str, kind: str, more: str) -> None:
    for document, expected in (("PolicyDocument", Severity.CRITICAL), ("Other", Severity.HIGH)):
        text = f'''{{"Resources": {{
            "R": {{"Type": "AWS::IAM::Role", "Properties": {{"AssumeRolePolicyDocument": {LOOSE}{role}}}}},
            "P": {{"Type": "AWS::IAM::{kind}", "Properties": {{"{document}": {ADMIN}{more}}}}}}}}}'''
        assert severity(text) is expected


PLAN = """{"planned_values": {"root_module": {"resources": [
  {"address": "aws_iam_role.x[0]", "type": "aws_iam_role",
   "values": {"name_prefix": "x", "assume_role_policy": LOOSE}},
  {"address": "aws_iam_policy.x[0]", "type": "aws_iam_policy", "values": {"policy": ADMIN}},
  {"address": "aws_iam_role_policy_attachment.x[0]", "values": {},
   "type": "aws_iam_role_policy_attachment"}]}},
 "configuration": {"root_module": {"resources": [
  {"address": "aws_iam_role_policy_attachment.x", "expressions": {
   "role": {"references": ["aws_iam_role.x[0].id"]},
   "policy_arn": {"references": ["aws_iam_policy.x[0].arn"]}}}]}}}"""


def test_policies_by_reference_count_in_a_plan() -> None:
    plan = PLAN.replace("LOOSE", json.dumps(LOOSE)).replace("ADMIN", json.dumps(ADMIN))
    assert severity(plan) is Severity.CRITICAL
    assert severity(plan.replace('"configuration"', '"other"')) is Severity.HIGH
