"""What `irsa verify -o json` prints is what the schema says, and the schema lists all that can be said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.trust.evaluation import Failure
from irsa_cli.core.verification.report import Name, StepStatus, VerificationOutcome
from irsa_cli.sandbox import Sandbox
from tests.docs import staging
from tests.docs.console import ROOT

SCHEMA = ROOT / "docs" / "reference" / "verification.schema.json"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
VERIFY = ("verify", "-c", "demo", "-o", "json", "-q")
RunIrsa = Callable[..., tuple[dict[str, Any], int]]


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def closed(schema: Any) -> Any:
    """The schema without room for fields that it doesn't name: those have to be documented first."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture
def irsa(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs irsa in this process; returns the document, which fits the schema, and the exit code."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    staging.associate(sandbox)

    def run_irsa(*arguments: str) -> tuple[dict[str, Any], int]:
        capsys.readouterr()
        code = run(list(arguments))
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        if arguments[0] == "verify":
            jsonschema.validate(document, closed(_schema()))
            assert document["exitCode"] == code
        return document, code

    return run_irsa


def test_the_schema_lists_what_the_code_can_say() -> None:
    schema = _schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    defs = schema["$defs"]
    assert set(defs["outcome"]["enum"]) == {outcome.value for outcome in VerificationOutcome}
    assert set(defs["status"]["enum"]) == {status.value for status in StepStatus}
    assert set(defs["step"]["properties"]["name"]["enum"]) == {name.value for name in Name}
    failure = defs["statement"]["properties"]["failure"]["oneOf"][1]["properties"]
    assert set(failure) == set(Failure.__dataclass_fields__)


def test_documents_fit_the_schema(irsa: RunIrsa) -> None:
    irsa("create-sa", "app", "-c", "demo", "-o", "json", "-q", "--attach-policy-arn", READ_ONLY)
    asked = ("--action", "s3:ListAllMyBuckets,s3:DeleteBucket", "--call", "s3 list-buckets")
    document, code = irsa(*VERIFY, "app", *asked)
    assert (document["kind"], document["outcome"], code) == ("Verification", "failed", 5)
    document, code = irsa(*VERIFY, "app", "--audience", "other")
    assert (document["outcome"], code) == ("failed", 5)
    document, code = irsa(*VERIFY, "-A")
    assert (document["kind"], document["outcome"], code) == ("VerificationList", "verified", 0)


def test_documents_of_what_could_not_be_begun_fit_the_schema(irsa: RunIrsa) -> None:
    document, code = irsa(*VERIFY, "nobody")
    assert (document["error"]["code"], code) == ("Refused", 4)
    document, code = irsa("verify", "-c", "nowhere", "-A", "-o", "json", "-q")
    assert (document["items"], code) == ([], 4)
