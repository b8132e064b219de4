"""Documents of shards: read back as they were written, joined only if they belong together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.merging import merge, read_document
from irsa_cli.core.results.result import SHARED_PARTS, ChangeResult, Ended, Result
from irsa_cli.core.results.result_document import change_json, document_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import FailedCall, InvalidInput, IrsaError, Refused, ServiceError
from tests.support.thoroughness import examples
from tests.unit.plan.strategies import changes

FILES = "sha256:" + "0" * 64


def cluster(name: str) -> Cluster:
    arn = f"arn:aws:eks:eu-west-1:111122223333:cluster/{name}"
    return Cluster(name, arn, "eu-west-1", "aws", "111122223333", f"https://example.com/{name}")


def item(name: str, where: str, ended: Ended = Ended.COMMITTED, **more: Any) -> Item:
    return Item(where, name, Result(ended, cluster=cluster(where), **more), "f.yaml:1")


def text_of(*items: Item, index: int = 0, total: int = 1, files: str = FILES, command: str = "apply") -> str:
    shard = {"index": index, "total": total, "files": files}
    return json.dumps(AppliedList([*items], shard=shard).envelope().to_json(f"{command} -f x"))


def merged(*texts: str) -> Any:
    return merge([read_document(text, f"{number}.json") for number, text in enumerate(texts)])


@settings(max_examples=examples(200))
@given(changes(), st.sampled_from(["planned", "done", "left"]))
def test_each_change_is_read_as_it_was_written(change: Change, state: str) -> None:
    one = item("ns/a", "c", changes=[ChangeResult(change, state, 0.25)])
    (found,) = read_document(text_of(one), "f").items
    if not one.result.changes[0].is_public:
        assert found.result.changes == []
        return
    written = [change_json(each) for each in found.result.changes]
    assert written == [change_json(each) for each in one.result.changes]


def test_the_whole_is_what_one_run_says() -> None:
    parts = [
        item("ns/b", "b"),
        item(SHARED_PARTS, "a"),
        item("ns/a", "a", Ended.FAILED, error=IrsaError("no")),
        item("ns/c", "c", Ended.REFUSED, error=Refused("no", details=("x",), next_steps=("y",))),
    ]
    one = merged(text_of(*parts))
    several = merged(text_of(*parts[1:], index=1, total=2), text_of(parts[0], index=0, total=2))
    assert one.envelope().to_json() == several.envelope().to_json()
    whole = AppliedList([parts[1], parts[2], parts[0], parts[3]]).envelope().to_json()
    assert whole == one.envelope().to_json()
    assert [error["item"] for error in whole["errors"]] == [1, 3]


def test_an_error_of_a_service_is_as_it_was_written() -> None:
    error = ServiceError("no", FailedCall("iam", "GetRole", "AccessDenied"), reason="why")
    text = text_of(item("ns/a", "a", Ended.FAILED, error=error))
    assert merged(text).envelope().to_json()["errors"] == json.loads(text)["errors"]


def test_what_is_missing_is_a_failure() -> None:
    done = merged(text_of(item("ns/a", "a"), index=2, total=4))
    assert (done.missing, done.exit_code) == (("0/4", "1/4", "3/4"), 1)
    assert done.envelope().to_json()["metadata"]["missingShards"] == ["0/4", "1/4", "3/4"]


def test_a_shard_that_did_not_start_is_missing_and_its_error_is_there() -> None:
    broken = document_of(Result(Ended.FAILED, error=IrsaError("no region"))).to_json("apply -f x")
    done = merged(json.dumps(broken), text_of(item("ns/a", "a"), index=1, total=2))
    document = done.envelope().to_json()
    assert done.missing == ("0/2",)
    assert [(error["message"], error["item"]) for error in document["errors"]] == [("no region", None)]
    assert document["metadata"]["outcome"] == "unfinished"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ((text_of(total=2), text_of(total=2)), "again"),
        ((text_of(total=2), text_of(index=1, total=3)), "another run"),
        ((text_of(total=2), text_of(index=1, total=2, files="sha256:" + "1" * 64)), "another run"),
        ((text_of(total=2), text_of(index=1, total=2, command="diff")), "several commands: apply, diff"),
        (
            (text_of(item("n/a", "a"), total=2), text_of(item("n/a", "a"), index=1, total=2)),
            "is in 0.json and in 1.json",
        ),
    ],
)
def test_what_does_not_belong_together_is_not_joined(texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        merged(*texts)


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """All places in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


@settings(max_examples=examples(400))
@given(st.data())
def test_a_damaged_document_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    change = data.draw(changes())
    one = item("ns/a", "a", Ended.FAILED, error=IrsaError("no"), changes=[ChangeResult(change, "failed")])
    document = json.loads(text_of(one))
    path = data.draw(st.sampled_from(sorted(places(document), key=str)))
    place = document
    for step in path[:-1]:
        place = place[step]
    odd = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "\x1b[0m", [], [None], {}, {"x": None}])
    place[path[-1]] = data.draw(odd)
    try:
        done = merged(json.dumps(document))
    except InvalidInput:
        return
    assert json.dumps(done.envelope().to_json())
