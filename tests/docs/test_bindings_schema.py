"""What `get-sa` and `describe-sa` print fits the schema, and the schema lists all that can be said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.inventory.bindings import BindingStatus
from irsa_cli.core.inventory.restarts import Identity
from irsa_cli.sandbox import Sandbox
from tests.docs import staging
from tests.docs.console import ROOT
from tests.docs.test_verification_schema import closed

SCHEMA = ROOT / "docs" / "reference" / "bindings.schema.json"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
RunIrsa = Callable[..., dict[str, Any]]


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


@pytest.fixture
def irsa(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs a reading command in this process; returns its document, which fits the schema."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    staging.associate(sandbox)
    policies = ("--attach-policy-arn", READ_ONLY, "--permissions-boundary", READ_ONLY)
    assert run(["create-sa", "app", "-c", "demo", "-q", *policies]) == 0
    assert run(["create-sa", "only", "-c", "demo", "-q", "--role-only", *policies]) == 0
    sandbox.put_service_accounts("demo", "other", {"junk": {"eks.amazonaws.com/role-arn": "x"}})

    def run_irsa(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        code = run([*arguments, "-o", "json", "-q"])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.validate(document, closed(_schema()))
        assert document["exitCode"] == code
        return document

    return run_irsa


def test_the_schema_lists_what_the_code_can_say() -> None:
    schema = _schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["status"]["enum"] == [status.value for status in BindingStatus]
    assert schema["properties"]["summary"]["required"] == [status.value for status in BindingStatus]
    assert schema["$defs"]["pod"]["properties"]["identity"]["enum"] == [item.value for item in Identity]


def test_lists_fit_the_schema(irsa: RunIrsa) -> None:
    document = irsa("get-sa", "-c", "demo")
    found = [(item["serviceAccount"]["name"], item["status"]) for item in document["items"]]
    assert found == [("app", "ok"), ("only", "role-only"), ("junk", "bad-arn")]
    assert irsa("get-sa", "nobody", "-c", "demo")["error"]["code"] == "Refused"
    assert irsa("get-sa", "-c", "nowhere")["exitCode"] == 4


def test_descriptions_fit_the_schema(irsa: RunIrsa) -> None:
    assert irsa("describe-sa", "app", "-c", "demo", "--policies")["status"] == "ok"
    assert irsa("describe-sa", "junk", "-n", "other", "-c", "demo")["status"] == "bad-arn"
    assert irsa("describe-sa", "nobody", "-c", "demo")["error"]["code"] == "Refused"
    assert "role" not in irsa("describe-sa", "nobody", "-c", "demo", "--ignore-not-found")
