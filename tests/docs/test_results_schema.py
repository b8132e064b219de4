"""What `irsa apply -o json` and its like print is what the schema says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.results.result import Ended
from irsa_cli.sandbox import Sandbox
from tests.docs.console import ROOT

REFERENCE = ROOT / "docs" / "reference"
CONFIG = {
    "apiVersion": "eksctl.io/v1alpha5",
    "kind": "ClusterConfig",
    "metadata": {"name": "demo", "region": "eu-west-1"},
    "iam": {
        "withOIDC": True,
        "serviceAccounts": [
            {"metadata": {"name": "good"}, "wellKnownPolicies": {"externalDNS": True}},
            {"metadata": {"name": "bad"}, "attachPolicyARNs": ["arn:aws:iam::111122223333:policy/none"]},
        ],
    },
    "nodeGroups": [],
}
RunIrsa = Callable[..., tuple[dict[str, Any], int]]


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((REFERENCE / "results.schema.json").read_text(encoding="utf-8"))
    result = json.loads((REFERENCE / "result.schema.json").read_text(encoding="utf-8"))
    schema["$defs"] = {**result.pop("$defs"), "result": result}
    schema["properties"]["items"]["items"]["properties"]["result"] = {"$ref": "#/$defs/result"}
    return {**schema, "additionalProperties": False}


@pytest.fixture
def irsa(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs irsa in this process on the configuration; returns the document, which fits the schema."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "demo.json"
    path.write_text(json.dumps(CONFIG))

    def run_irsa(*arguments: str) -> tuple[dict[str, Any], int]:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        capsys.readouterr()
        code = run([arguments[0], "-f", str(path), "-o", "json", *arguments[1:]])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.validate(document, _schema())
        return document, code

    return run_irsa


def test_the_schema_lists_every_outcome() -> None:
    schema = _schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]["summary"]["propertyNames"]["enum"]) == {ended.value for ended in Ended}


def test_results_fit_the_schema(irsa: RunIrsa) -> None:
    planned, code = irsa("diff", "--include", "*/good")
    assert (planned["summary"], code, planned["exitCode"]) == ({"planned": 2}, 6, 6)
    done, code = irsa("apply")
    assert (done["summary"], code) == ({"committed": 2, "failed": 1}, 1)
    again, code = irsa("apply", "--include", "*/good", "--prune", "--yes")
    assert (again["summary"], code) == ({"unchanged": 1}, 0)
    atomic, code = irsa("apply", "--include", "*/good", "--atomic")
    assert (atomic["summary"], code) == ({"unchanged": 1}, 0)
    deleted, code = irsa("delete", "--yes", "--include", "*/good")
    assert (deleted["summary"], code) == ({"committed": 1}, 0)
    assert deleted["notices"]
