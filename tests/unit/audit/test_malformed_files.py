"""What can't be read or judged in one place, and hides nothing that is in others."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run as cli
from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.lint.report import LintReport
from irsa_cli.core.trust.rules.judge import judge
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases import texts
from irsa_cli.usecases.audit.files import baseline_of, read_files
from irsa_cli.usecases.audit.lint import Request, lint
from irsa_cli.usecases.files.configs import read_configs
from tests.support.documents import doc

OPEN = doc(
    """{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated":
    "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12"}}"""
)
EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}


def write(path: Path, *statements: Any) -> Path:
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return path


MALFORMED = {
    '{"Condition": "text"}': "Condition of statement 1 is not an object",
    '{"Condition": null}': "Condition of statement 1 is not an object",
    '{"Condition": ["x"]}': "Condition of statement 1 is not an object",
    '{"Condition": {"StringEquals": "x"}}': "StringEquals of statement 1 has no condition keys",
    '{"Effect": "allow"}': "Effect of statement 1 is neither Allow nor Deny",
}


def shown(found: LintReport) -> list[str]:
    return [item.rule.id for item in found.selection.shown]


@pytest.mark.parametrize("elements", MALFORMED)
def test_a_malformed_statement_hides_no_other_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], elements: str
) -> None:
    path = write(tmp_path / "trust.json", {**OPEN, **json.loads(elements)}, EVERYBODY)
    report = tmp_path / "report.json"
    assert cli(["lint", str(path), "-o", "json", "--json-file", str(report)]) == 5
    for text in (capsys.readouterr().out, report.read_text()):
        document = json.loads(text)
        assert "everybody" in [item["id"] for item in document["items"]]
        (error,) = document["errors"]
        assert error["message"].startswith(f"{path}:1:")
        assert error["message"].endswith(MALFORMED[elements])


@pytest.mark.parametrize("form", ["text", "json", "yaml", "csv", "sarif", "junit", "markdown", "github"])
def test_a_malformed_statement_is_told_in_every_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    path = write(tmp_path / "trust.json", {**OPEN, "Condition": 7}, EVERYBODY)
    assert cli(["lint", str(path), "-o", form, "--fail-on", "never"]) == 2
    said = capsys.readouterr()
    assert "everybody" in said.out
    assert "Condition of statement 1 is not an object" in said.out + said.err


def test_a_statement_that_is_none(tmp_path: Path) -> None:
    found = lint(Request((str(write(tmp_path / "trust.json", "text", EVERYBODY)),)))
    assert [str(error).partition(": ")[2] for error in found.unread] == ["statement 1 is not an object"]
    assert shown(found) == ["everybody"]


def test_a_bug_in_judging_one_document_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(document: Any, context: Any) -> Any:
        if "bad" in str(document):
            raise AttributeError("oh")
        return judge(document, context)

    monkeypatch.setattr("irsa_cli.core.lint.judging.judge", broken)
    write(tmp_path / "a.json", {**OPEN, "Sid": "bad"})
    write(tmp_path / "b.json", EVERYBODY)
    found = lint(Request((str(tmp_path),)))
    assert shown(found) == ["everybody"]
    assert "a.json:1:1 can't be checked: a bug in irsa" in str(found.unread[0])
    assert lint(Request((str(tmp_path / "a.json"),))).exit_code == 1


BAD = "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts: [{metadata: {name: [x]}}]"
ACCOUNT = """apiVersion: v1
kind: ServiceAccount
metadata:
  name: %s
  annotations:
    eks.amazonaws.com/role-arn: no
"""


@pytest.mark.parametrize("bad", ["a: [", BAD])
def test_a_bad_document_hides_no_other_of_its_file(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "all.yaml"
    text = f"{ACCOUNT % 'one'}---\n{bad}\n---\n{ACCOUNT % 'two'}"
    path.write_text(text)
    found = lint(Request((str(path),)))
    places = [(item.account, item.place.line) for item in found.selection.shown if item.place]
    assert places == [("one", 6), ("two", text.count("\n"))]
    (error,) = found.unread
    assert str(error).startswith(f"{path}:")
    assert found.exit_code == 2


MERGED = (
    "<<: text\napiVersion: {0}\nkind: {1}\nmetadata: {{<<: [1, {{name: demo}}]}}\nnodeGroups: [{{<<: x}}]\n"
)


@pytest.mark.parametrize("kind", [EKSCTL, OWN, ("v1", "ServiceAccount")])
def test_what_is_merged_and_is_no_mapping(tmp_path: Path, kind: tuple[str, str]) -> None:
    write(tmp_path / "good.json", EVERYBODY)
    path = tmp_path / "merged.yaml"
    path.write_text(MERGED.format(*kind))
    found = lint(Request((str(tmp_path),)))
    assert shown(found) == ["everybody"]
    assert all(isinstance(error, InvalidInput) for error in found.unread)
    with pytest.raises(InvalidInput):
        read_configs([str(path)])


# Files that have no end, and folders with what is none


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "NO_WRITER_SECONDS", 0.05)
    monkeypatch.setattr(texts, "SILENT_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
def test_no_file_of_an_audit_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_cli.usecases.audit.files.LARGEST", 2**20)
    os.mkfifo(tmp_path / "pipe")
    for read in (baseline_of, lambda path: read_files([path])):
        with pytest.raises(InvalidInput, match="nobody writes to this pipe"):
            read(tmp_path / "pipe")
        with pytest.raises(InvalidInput, match="/dev/zero can't be read: it is larger than 1 MiB"):
            read(Path("/dev/zero"))


@pytest.mark.usefixtures("impatient")
def test_a_pipe_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "PIPE_SECONDS", -1)
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w", buffering=1) as pipe:
        pipe.write("x\n")
        with pytest.raises(InvalidInput, match="no end within"):
            texts.read_text(f"/dev/fd/{reading}")


def test_what_a_folder_has_that_is_no_file_is_told(tmp_path: Path) -> None:
    write(tmp_path / "good.json", EVERYBODY)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "folder.json").mkdir()
    found = lint(Request((str(tmp_path),)))
    assert shown(found) == ["everybody"]
    assert sorted(str(error) for error in found.unread) == [
        f"{tmp_path / 'gone.json'} can't be read: No such file or directory",
        f"{tmp_path / 'pipe.json'} can't be read: it is no file",
    ]
