"""The envelope of `-o json`: whatever a run has to say, it fits the published schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.cli.main import COMMANDS, run, wanted_form
from irsa_cli.cli.output.views.documents import yaml_text
from irsa_cli.core.audit.ways import By
from irsa_cli.core.doctor.finding import Group, Verdict
from irsa_cli.core.inventory.bindings import BindingStatus
from irsa_cli.core.inventory.describe_document import Identity
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.recovery.leftovers import Recoveries, Skipped
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.envelope import DocumentKind, ReadOutcome, failed
from irsa_cli.core.results.locks import Removal
from irsa_cli.core.results.result import (
    ALL,
    CLUSTER,
    SHARED_PARTS,
    ChangeResult,
    Ended,
    Left,
    Result,
    TransactionScope,
)
from irsa_cli.core.results.result_document import document_of
from irsa_cli.core.results.steps import Name, StepStatus
from irsa_cli.core.results.verification import VerificationOutcome
from irsa_cli.core.trust.evaluation import Failure
from irsa_cli.core.trust.rules.rule import Area, Severity
from irsa_cli.core.values import errors
from irsa_cli.core.values.errors import ExitCode, FailedCall, IrsaError, ServiceError
from irsa_cli.core.values.names import account_json
from irsa_cli.transaction.story import ENDS
from irsa_cli.usecases.recovery.history import RunLock
from tests.support.ran import check, schema
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.planning.desired_states import CLUSTER as DEMO

SERVICE_ERROR = ServiceError("m", FailedCall("iam", "CreateRole", "AccessDenied", status=403))
ERRORS = [
    *(kind("m") for kind in (IrsaError, errors.InvalidInput, errors.Refused, errors.Unverified)),
    *(SERVICE_ERROR, ValueError("a bug")),
]
STATES = ["planned", "pending", "done", "unchanged", "failed", "undone", "left"]
FACTS: list[dict[str, Any]] = [
    {},
    {"serviceAccount": {"namespace": "ns", "name": "app"}, "role": {"arn": "arn:aws:iam::1:role/r"}},
    {"provider": {"arn": "arn:aws:iam::1:x", "url": "https://x", "audiences": ["a"], "deleted": True}},
    {"serviceAccounts": [{"namespace": "ns", "name": "app"}], "stays": [{"what": "a", "why": "b"}]},
]
CHANGES = st.builds(ChangeResult, some.changes(), st.sampled_from(STATES), st.floats(0, 9))
RESULTS = st.builds(
    Result,
    st.sampled_from(Ended),
    cluster=st.sampled_from([None, DEMO]),
    transaction=st.sampled_from(["", "20261125T000000000Z-00000000"]),
    facts=st.sampled_from(FACTS),
    changes=st.lists(
        st.builds(ChangeResult, some.changes(), st.sampled_from(STATES), st.floats(0, 9)), max_size=3
    ),
    left=st.lists(st.builds(Left, st.text(), st.text(), st.text()), max_size=1),
    notes=st.lists(st.text(), max_size=2),
    error=st.sampled_from([None, *ERRORS]),
    signal=st.sampled_from([0, 2, 15]),
    detailed=st.booleans(),
)
NAMES = st.sampled_from(["ns/app", "other/app", SHARED_PARTS, ALL, CLUSTER])
APPLIED = st.builds(
    AppliedList,
    st.lists(st.builds(Item, st.just("demo"), NAMES, RESULTS, st.sampled_from(["", "f.yaml:3"])), max_size=3),
    notices=st.lists(st.text(), max_size=1),
    pending=st.lists(
        st.builds(NotBegun, st.just(DEMO), st.just("ns/app"), st.sampled_from(["", "demo"])), max_size=2
    ),
    signal=st.sampled_from([0, 2, 15]),
    detailed=st.booleans(),
)
RECOVERIES = st.builds(
    Recoveries,
    st.lists(RESULTS, max_size=3),
    st.lists(st.builds(Skipped, st.text(), st.text(), st.booleans()), max_size=2),
    st.sampled_from([0, 2, 15]),
)


@settings(max_examples=examples(120))
@given(st.one_of(RESULTS, APPLIED, RECOVERIES))
def test_whatever_a_run_has_to_say_fits_the_schema(found: Result | AppliedList | Recoveries) -> None:
    envelope = document_of(found)
    document = json.loads(json.dumps(envelope.to_json("apply")))
    check(document, int(found.exit_code))
    assert list(document) == ["apiVersion", "kind", "metadata", "items", "errors"]
    items: list[Any] = [found] if isinstance(found, Result) else [*found.items]
    results = [getattr(item, "result", item) for item in items]
    wrong = [result.error for result in results if result.error is not None]
    assert len(document["errors"]) == len(wrong)
    if document["items"]:
        assert sum(document["metadata"]["summary"].values()) == len(document["items"]) == len(results)
    assert yaml.safe_load(yaml_text(document)) == document


@settings(max_examples=examples(40))
@given(st.sampled_from(DocumentKind), st.sampled_from(ERRORS), st.sampled_from([1, 2, 4, 130]))
def test_what_could_not_begin_has_no_items_and_one_error(
    kind: DocumentKind, error: Exception, code: int
) -> None:
    if kind in (DocumentKind.VERIFICATIONS, DocumentKind.DIAGNOSES):
        return  # These have outcomes of their own, also then.
    document = failed(kind, error, code).to_json()
    check(document, code)
    assert (document["items"], len(document["errors"])) == ([], 1)


LISTED: dict[str, Iterable[Any]] = {
    "outcome": Ended,
    "answer": ReadOutcome,
    "scope": TransactionScope,
    "severity": Severity,
    "rule about": Area,
    "rolePath by": By,
    "changeKind": Kind,
    "verdict": Verdict,
    "verification": VerificationOutcome,
    "stepStatus": StepStatus,
    "status": BindingStatus,
    "exitCode": [*ExitCode, 130, 143],
    "change state": STATES,
    "step name": Name,
    "finding group": Group,
    "pod identity": Identity,
    "lock removal": [None, *Removal],
    "transaction outcome": ENDS,
    "transaction lock state": RunLock,
}
"""Where the schema lists values, and those that there are."""


def test_the_schema_lists_all_that_can_be_said() -> None:
    published = schema()
    jsonschema.Draft202012Validator.check_schema(published)
    defs = published["$defs"]
    assert set(published["properties"]["kind"]["enum"]) == {kind.value for kind in DocumentKind}
    for where, known in LISTED.items():
        name, *path = where.split()
        place = defs[name]
        for part in path:
            place = next((one for one in place.get("oneOf", ()) if "properties" in one), place)
            place = place["properties"][part]
        assert set(place["enum"]) == {getattr(one, "value", one) for one in known}, where
    failure = defs["statement"]["properties"]["failure"]["oneOf"][1]["properties"]
    assert set(failure) == set(Failure.__dataclass_fields__)


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("ns/app", {"namespace": "ns", "name": "app"}),
        *((text, None) for text in ("", None, "app", "/app", "ns/", SHARED_PARTS, "namespace ns/x")),
    ],
)
def test_a_service_account_is_an_object(text: str | None, account: dict[str, str] | None) -> None:
    assert account_json(text) == account


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("get-sa -o json", "json"),
        ("get-sa -ojson", "json"),
        ("get-sa -qo yaml", "yaml"),
        ("get-sa --output=yaml", "yaml"),
        ("get-sa --output yaml --bad", "yaml"),
        ("get-sa -o text", ""),
        ("get-sa json", ""),
        ("exec app -- irsa get-sa -o json", ""),
        ("get-sa -o", ""),
        ("", ""),
    ],
)
def test_the_form_of_a_wrong_command_line_is_known(line: str, form: str) -> None:
    assert wanted_form(line.split()) == form


@pytest.mark.parametrize("name", [*COMMANDS, "no-such-command", ""])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_wrong_command_line_is_a_document_too(
    name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*([name] if name else []), "--no-such-option", "-o", form])
    out, err = capsys.readouterr()
    assert code == 2
    document = json.loads(out) if form == "json" else yaml.safe_load(out)
    check(document, 2)
    assert (document["kind"], document["items"]) == ("ResultList", [])
    (error,) = document["errors"]
    assert error["code"] == "WrongUsage"
    assert f"Error: {error['message']}" in err
    assert document["metadata"]["command"] in (name, "")


@pytest.mark.parametrize("arguments", [[], ["sandbox"]])
def test_a_group_without_a_command_shows_its_help_once(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(arguments)
    told = capsys.readouterr()
    shown = told.out + told.err
    assert code in (0, 2)  # As this version of click has it.
    assert shown.count("Usage: ") == 1
    assert len(shown.splitlines()) > 10
    assert "Error" not in shown
