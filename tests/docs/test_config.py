"""The pages about configuration files: examples are read, no field is left out, generated ones are fresh."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from irsa_cli.core.config.documents import OF_ASSOCIATION, parse
from irsa_cli.core.config.service_accounts import EKSCTL, METADATA, OURS
from tests.docs.console import ROOT

PAGE = (ROOT / "docs" / "reference" / "config.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUEUE = '{"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}'


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_read(example: str) -> None:
    (config,) = parse(example, "example.yaml", {"policies/queue.json": QUEUE}.__getitem__)
    assert config.bindings
    document = yaml.safe_load(example)
    if document["apiVersion"] == "irsa/v1":
        schema = json.loads((ROOT / "docs" / "reference" / "irsa-v1.schema.json").read_text("utf-8"))
        jsonschema.validate(document, schema)


def test_the_examples_have_every_field() -> None:
    there: set[str] = set()
    for example in EXAMPLES:
        document = yaml.safe_load(example)
        entries = document.get("iam", document)["serviceAccounts"]
        there |= {field for entry in entries for field in entry}
        there |= {f"metadata.{field}" for entry in entries for field in entry["metadata"]}
    wanted = {*EKSCTL, *OURS, *(f"metadata.{field}" for field in METADATA)} - {"status"}
    assert there == wanted
    assert all(f"| `{field}` |" in PAGE for field in wanted - {"metadata"})
    iams = [yaml.safe_load(example).get("iam", {}) for example in EXAMPLES]
    given = [entry for iam in iams for entry in iam.get("podIdentityAssociations", ())]
    assert {field for entry in given for field in entry} == set(OF_ASSOCIATION)
