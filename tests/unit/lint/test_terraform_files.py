"""Terraform's own files, modelled after public ones: each says in its first lines what it decides."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from irsa_cli.core.lint import hcl
from irsa_cli.core.lint.budget import Budget
from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.usecases.audit.lint import Request, lint

CASES = sorted(Path(__file__).with_name("terraform").glob("*.tf"))


def run(*paths: Path) -> LintReport:
    return lint(Request(tuple(map(str, paths))))


def found(report: LintReport) -> list[str]:
    return [f"{item.rule.id} {item.severity.value}" for item in report.selection.shown]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_file_decides_what_it_says(case: Path, tmp_path: Path) -> None:
    shutil.copy(case, tmp_path / "main.tf")
    text = case.read_text()
    labelled = re.match(r"# risks: (.*)\n# not known: (\d+)\n", text)
    assert labelled
    report = run(tmp_path)
    expected = [] if labelled[1] == "none" else labelled[1].split(", ")
    assert report.unread == ()
    assert found(report) == expected
    assert len(report.unjudged) == int(labelled[2]), report.unchecked
    for item in report.selection.shown:
        assert item.place is not None
        assert item.place.file == str(tmp_path / "main.tf")
        assert item.place.line > 2
        assert "k7q2" not in item.warning


ROLE = 'resource "aws_iam_role" "r" {{\n  assume_role_policy = {}\n}}\n'


def doubled(first: str, form: str) -> str:
    names = [f"a{number}" for number in range(60)]
    lines = [f"{names[0]} = {first}"]
    lines += [f"{new} = {form.replace('OLD', f'local.{old}')}" for old, new in pairwise(names)]
    return "locals {\n" + "\n".join(lines) + "\n}\n" + ROLE.format(f"jsonencode(local.{names[-1]})")


DIGITS = "9" * 5000
MANY = "[" + ", ".join(f'"v{number}"' for number in range(200)) + "]"
LOCALS = f'locals {{\n  many = {MANY}\n  a = ["x"]\n}}\n'
IN_A_POLICY = {
    "digits of an index": (f"local.a[{DIGITS}]"),
    "digits of a short index": (f"local.a.{DIGITS}"),
    "digits in a text": (f'"${{{DIGITS}}}"'),
    "digits in a policy": (f"jsonencode({{ Version = {DIGITS}, Statement = [] }})"),
    "digits": (f'"x"\n  max_session_duration = {DIGITS}'),
    "digits of a count": (f'"x"\n  count = {DIGITS}'),
    "nested blocks": ('"x"\n' + "a {\n" * 3000 + "}\n" * 3000),
    "nested calls": ("lower(" * 2000 + '"x"' + ")" * 2000),
    "nested choices": ("true ? " * 2000 + '"x"' + ' : "y"' * 2000),
    "loops in loops": ('jsonencode([for a in local.many : [for b in local.many : "${a}${b}"]])'),
    "joins in loops": ("jsonencode([for a in local.many : join(a, local.many)])"),
    "merges in loops": ("jsonencode([for a in local.many : concat(local.many, local.many)])"),
    "templates for each": (
        "<<E\n" + "${each.key}${upper(each.key)}\n" * 300 + f"E\n  for_each = toset({MANY})",
    ),
    "objects for each": (
        '"x"\n  for_each = {' + ", ".join(f"k{number} = 1" for number in range(1200)) + "}",
    ),
    "depth": ("[" * 3000 + "]" * 3000),
    "openings": ("<<E\n" + "${" * 20_000 + "\nE\n"),
    "for each": ("each.value\n  for_each = range(10)"),
}
HOSTILE = {
    **{name: ROLE.format(value) for name, value in IN_A_POLICY.items()},
    "large values for each role": "".join(
        ROLE.replace('"r"', f'"r{n}"').format("jsonencode(local.many)") for n in range(500)
    ),
    "itself": "locals {\n  b = local.c\n  c = local.b\n}\n" + ROLE.format("local.b"),
    "document of itself": 'data "aws_iam_policy_document" "d" {\n'
    "  source_policy_documents = [data.aws_iam_policy_document.d.json]\n}\n"
    + ROLE.format("data.aws_iam_policy_document.d.json"),
    "nested references": "locals {\n"
    + "\n".join(f"a{number} = local.a{number + 1}" for number in range(1000))
    + "\n}\n"
    + ROLE.format("local.a0"),
    "lists": doubled('["x"]', "[OLD, OLD]"),
    "objects": doubled('{ x = "y" }', "{ a = OLD, b = OLD }"),
    "flattened": doubled('["x"]', "concat(OLD, OLD)"),
    "loops": doubled('["x"]', "[for each in OLD : OLD]"),
    "texts": doubled('"x"', '"${OLD}${OLD}"'),
}


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may cost a tenth of what it may elsewhere, so that a tenth is tried."""
    steps, instances = Budget().steps // 10, Budget().instances // 10
    monkeypatch.setattr(Budget.__init__, "__defaults__", (steps, instances))


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_not_called_fine(text: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(LOCALS + text)
    report = run(tmp_path)
    assert report.selection.shown == ()
    assert report.unjudged or report.unread
    assert all("a bug in irsa" not in line for line in report.notes)


TRUST = """jsonencode({
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::111122223333:oidc-provider/ISSUER" }
      Condition = { StringLike = { "ISSUER:sub" = SUBJECT } }
    }]
  })""".replace("ISSUER", "oidc.eks.eu-west-1.amazonaws.com/id/A")


@pytest.mark.usefixtures("small_budget")
def test_a_for_each_over_400_keys_is_judged(tmp_path: Path) -> None:
    keys = ", ".join(f'k{number} = "ns{number}"' for number in range(400))
    trust = TRUST.replace("SUBJECT", '"system:serviceaccount:${each.value}:*"')
    (tmp_path / "main.tf").write_text(ROLE.format(f"{trust}\n  for_each = {{ {keys} }}"))
    report = run(tmp_path)
    assert report.unread == ()
    assert found(report).count("every-name medium") == 400


def test_resources_of_a_folder_bring_the_budget_that_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: a folder without one of its own is judged."""
    monkeypatch.setattr(Budget.__init__, "__defaults__", (0, 0))
    for number in range(100):
        trust = TRUST.replace("SUBJECT", f'"system:serviceaccount:a:s{number}-*"')
        with (tmp_path / f"{number % 4}.tf").open("a") as file:
            file.write(ROLE.replace('"r"', f'"r{number}"').format(trust))
    report = run(tmp_path)
    assert report.unread == ()
    assert found(report).count("name-pattern low") == 100


@pytest.mark.usefixtures("small_budget")
def test_what_needs_too_much_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(LOCALS + HOSTILE["loops in loops"])
    (error,) = run(tmp_path).unread
    assert str(error) == (
        f"{tmp_path / 'main.tf'} can't be checked: its loops and references stand for too many values"
    )
    assert error.next_steps == ("check the plan instead: terraform show -json PLANFILE | irsa lint -",)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ROLE.format('"x"')
    (tmp_path / "main.tf").write_text(text)
    for limit, too_large in ((len(text), False), (len(text) - 1, True)):
        monkeypatch.setattr(hcl, "_LARGEST_FILE", limit)
        told = [f"more than {limit} characters" in str(error) for error in run(tmp_path).unread]
        assert any(told) is too_large


def test_files_of_a_folder_are_one_module_and_only_named_ones_are_judged(tmp_path: Path) -> None:
    text = (Path(__file__).with_name("terraform") / "data-no-condition.tf").read_text()
    data, role = text.partition("resource ")[::2]
    (tmp_path / "deeper").mkdir()
    files = {"data.tf": data, "role.tf": f"resource {role}", "deeper/main.tf": "{ # iam"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    report, whole = run(tmp_path / "role.tf"), run(tmp_path)
    assert found(report) == found(whole) == ["no-condition high"]
    (risk,) = report.selection.shown
    assert risk.place is not None
    assert risk.place.file == str(tmp_path / "data.tf")
    assert [Path(file.name).name for file in report.files] == ["role.tf"]
    assert "deeper/main.tf:1:1: invalid HCL" in whole.notes[0]
    assert whole.exit_code == 2


def test_a_policy_in_a_file_beside(tmp_path: Path) -> None:
    main = tmp_path / "main.tf"
    (tmp_path / "trust.json.tpl").write_text(
        """{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "${arn}"},
        "Condition": {"StringLike": {"${issuer}:sub": "system:serviceaccount:a:*"}}}]}""",
        encoding="utf-8",
    )
    call = 'templatefile("${path.module}/trust.json.tpl", { arn = var.arn, issuer = var.issuer })'
    main.write_text(ROLE.format(call))
    assert found(run(main)) == ["every-name medium", "no-audience low"]
    main.write_text(ROLE.format('file("none.json")'))
    assert len(run(main).unjudged) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("terragrunt.hcl", 'inputs = { trust = "sts:AssumeRoleWithWebIdentity" }', True),
        ("terragrunt.hcl", 'inputs = { name = "vpc" }', False),
        ("stack.ts", "new iam.OpenIdConnectPrincipal(provider)", True),
        ("app.py", "print('hello')", False),
        ("values.yaml", "serviceAccount:\n  annotations:\n    eks.amazonaws.com/role-arn: x\n", True),
        ("main.tf.json", '{"resource": {"aws_iam_role": "sts:AssumeRoleWithWebIdentity"}}', True),
        ("templates/sa.yaml", "kind: ServiceAccount\nmetadata:\n  {{- toYaml .Values.x }}\n", True),
        ("templates/service.yaml", "kind: Service\nmetadata:\n  {{- toYaml .Values.x }}\n", False),
    ],
)
def test_what_may_hold_roles_and_is_not_judged_is_named(
    name: str, text: str, said: bool, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    (tmp_path / "sound.tf").write_text("locals {}\n")
    report = lint(Request((str(tmp_path),), fail_on=Severity.MEDIUM))
    assert report.unread == ()
    assert any(name in line for line in report.unchecked) == said
    assert report.exit_code == (1 if said else 0)


def test_a_folder_without_files_that_can_be_judged_is_not_called_fine(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print()")
    assert run(tmp_path).exit_code == 2
    (tmp_path / "main.tf").write_text("")
    (tmp_path / "bundle.js").write_bytes(b"\xff\xfe\xff")
    report = run(tmp_path)
    assert report.exit_code == 0
    assert any("bundle.js" in line for line in report.notes)
