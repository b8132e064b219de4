"""Policy documents: reading with exact errors, IAM's way of counting, and when two mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.config import policies
from irsa_cli.core.policies import grammar, policy
from irsa_cli.core.values.errors import InvalidInput
from tests.support.documents import doc
from tests.unit.plan import strategies as some

Path = tuple[str | int, ...]


def shuffled(data: st.DataObject, value: Any) -> Any:
    """The same policy in another form: lists in another order, lists of one with or without brackets."""
    if isinstance(value, dict):
        keys = data.draw(st.permutations(list(value)))
        return {key: shuffled(data, value[key]) for key in keys}
    if isinstance(value, list):
        items = [shuffled(data, item) for item in data.draw(st.permutations(value))]
        return items[0] if len(items) == 1 and data.draw(st.booleans()) else items
    if isinstance(value, bool) and data.draw(st.booleans()):
        return str(value).lower()
    return [value] if data.draw(st.booleans()) else value


def leaves(value: Any, path: Path = ()) -> list[Path]:
    """The paths of all scalars in a document."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in leaves(item, (*path, index))]
    return [path]


def with_leaf(value: Any, path: Path, new: Any) -> Any:
    """The document with the scalar at this path replaced."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_leaf(value[path[0]], path[1:], new)
    return copy


@given(some.documents)
def test_a_document_is_read_as_it_was_written(document: policy.Document) -> None:
    assert policies.parse(json.dumps(document, indent=3), "file") == document
    assert policies.parse(policy.dump(document), "file") == document


@given(some.documents, st.integers(0, 4))
def test_white_space_is_not_counted(document: policy.Document, indent: int) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    assert policy.size(document) == len("".join(text.split()))
    assert policy.size(policies.parse(text, "file")) == policy.size(document)


@given(some.documents, st.data())
def test_a_cut_document_is_refused_with_its_place(document: policy.Document, data: st.DataObject) -> None:
    text = json.dumps(document, indent=2)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(InvalidInput) as caught:
        policies.parse(text[:cut], "queue.json")
    assert "queue.json" in caught.value.message
    assert "line" in caught.value.reason
    assert "column" in caught.value.reason


def test_broken_json_names_line_and_column() -> None:
    for text, place in {
        "": "line 1, column 1:",
        '{"a": 1,\n "b" 2}': "line 2, column 6:",
        '{"a": 1,\n\n  b: 2}': "line 3, column 3:",
        "{'a': 1}": "line 1, column 2:",
        '{"a": "\n"}': "line 1, column 8:",
        '{}\n{"a": 1}': "line 2, column 1:",
        "\ufeff{}": "line 1, column 1:",
    }.items():
        with pytest.raises(InvalidInput) as caught:
            policies.parse(text, "file")
        assert caught.value.reason.startswith(place), text


NO_POLICY = """[]
1
"{}"
null
{"a": NaN}
{"a": 1, "a": 1}
{"x": {"Sid": 1, "b": 2, "Sid": 3}}
{"x": [{"": 1, "": 1}]}"""


def test_what_is_not_a_policy_at_all() -> None:
    """Or has a key twice."""
    for text in (*NO_POLICY.splitlines(), "[" * 100_000, '{"a": ' + "9" * 5000 + "}"):
        with pytest.raises(InvalidInput):
            pytest.fail(f"{text} is read as {policies.parse(text, 'file')}")


@given(some.documents, st.data())
def test_form_and_order_mean_nothing(document: policy.Document, data: st.DataObject) -> None:
    one, other = (shuffled(data, document) for _ in range(2))
    assert policy.equal(document, document)
    assert policy.equal(document, one)
    assert policy.equal(one, document)
    assert policy.equal(one, other)


@given(st.data())
def test_being_equal_is_an_equivalence(data: st.DataObject) -> None:
    # Few and small, so that some of the three are equal.
    few = st.fixed_dictionaries(
        {"Statement": st.lists(st.sampled_from(["a", "b", True, "true"]), max_size=2)}
    )
    one, two, three = (data.draw(few) for _ in range(3))
    assert policy.equal(one, two) == policy.equal(two, one)
    if policy.equal(one, two) and policy.equal(two, three):
        assert policy.equal(one, three)
    assert policy.equal(one, {"Statement": policy.normalized(one["Statement"])})


@given(some.documents, st.data())
def test_any_other_value_makes_another_policy(document: policy.Document, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(document)))
    changed = with_leaf(document, path, "something else entirely")
    assert not policy.equal(document, changed)
    assert not policy.equal(changed, shuffled(data, document))


@given(some.documents, st.data())
def test_one_statement_more_makes_another_policy(document: policy.Document, data: st.DataObject) -> None:
    statements = policy.as_list(document["Statement"])
    more = {**document, "Statement": [*statements, {"Effect": "Deny", "Action": "x:y", "Resource": "z"}]}
    assert not policy.equal(document, more)
    key = data.draw(st.sampled_from(sorted(document)))
    assert not policy.equal(document, {name: value for name, value in document.items() if name != key})


@given(some.documents)
def test_a_valid_permissions_policy_is_taken(document: policy.Document) -> None:
    assert grammar.check_identity_policy(document, "file") is document


GOOD = '{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}'
REFUSED = """{}
{"Statement": []}
{"Statement": "x"}
{"Statement": [<GOOD>, "x"]}
{"Statement": <GOOD>, "Version": "2012-10-18"}
{"Statement": <GOOD>, "Version": null}
{"Statement": <GOOD>, "Statements": <GOOD>}"""


def test_what_iam_would_refuse_as_a_permissions_policy() -> None:
    for text in REFUSED.splitlines():
        with pytest.raises(InvalidInput):
            pytest.fail(f"{text}: {grammar.check_identity_policy(doc(text, GOOD=GOOD), 'file')}")
    with pytest.raises(InvalidInput, match="file is not a valid policy: 3 problems"):
        grammar.check_identity_policy(doc('{"Statement": {"Effect": "allow"}}'), "file")
