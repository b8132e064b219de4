"""Wrong usage of several lines: each stands on its own, and none is one that a value has forged."""

import json
from pathlib import Path

import pytest

from irsa_cli.cli.main import run

BAD_POLICY = {"Statement": [{"Effect": "Allow"}], "x": 1}
BAD_PROJECT = "cluster: [x]\nregion: 1\n"
BAD_FILE = "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts: [{metadata: {name: [x]}}, {metadata: 1}]\n"
_CREATE = ("create-sa", "app", "-n", "a", "-c", "demo", "--dry-run")
CASES = {
    "a policy": (*_CREATE, "--inline-policy", "policy.json"),
    "the project": (*_CREATE,),
    "the project, shown": ("config",),
    "files": ("apply", "-f", "bad.yaml"),
    "what click lists": ("completion",),
}


@pytest.mark.parametrize("name", CASES)
def test_each_problem_has_a_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text(json.dumps(BAD_POLICY))
    (tmp_path / "bad.yaml").write_text(BAD_FILE)
    if "project" in name:
        (tmp_path / ".irsa.yaml").write_text(BAD_PROJECT)
    assert run(list(CASES[name])) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Error: ")
    assert len(said) > 2
    assert all(line.startswith("  ") for line in said[1:])
    assert not any("\\u000a" in line for line in said)


@pytest.mark.parametrize("text", ["x\n::error::y", "x\x1b[2Ky", "x\n##vso[task.complete]"])
def test_a_value_forges_no_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text(json.dumps({**BAD_POLICY, text: 1}))
    (tmp_path / "bad.yaml").write_text(BAD_FILE.replace("[x]", json.dumps(text)))
    for words in (CASES["a policy"], CASES["files"], ("create-sa", text, "-c", "demo"), (text,)):
        assert run(list(words)) == 2
        for line in capsys.readouterr().err.splitlines():
            assert line.isprintable()
            assert not line.lstrip().startswith("::")
            assert "##vso[" not in line
