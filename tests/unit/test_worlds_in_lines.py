"""What tests say of worlds and commands: `tests.support.worlds` and `tests.support.rows`."""

import json
from typing import Any

import pytest

from tests.support.ran import Ran
from tests.support.rows import Row, Running, at, rows
from tests.support.worlds import difference, lines_of

ROLE: dict[str, Any] = {
    "arn": "arn:aws:iam::111122223333:role/app",
    "attached": ["arn:aws:iam::aws:policy/S3"],
    "inline": {"queue": {"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}},
    "tags": {"team": "a", "irsa/transaction": "20261201T084747024Z-166357d0"},
    "boundary": None,
    "trust": {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/x"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {"x:sub": "system:serviceaccount:web:app", "x:aud": "sts.amazonaws.com"}
                },
            },
            {"Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "sts:*"},
        ]
    },
}


def world(**roles: Any) -> dict[str, Any]:
    return {
        "roles": roles,
        "kubernetes": {"serviceaccounts": {"web/app": {"uid": "1", "labels": {"a": "b"}}}},
    }


def test_a_world_is_one_fact_a_line() -> None:
    assert lines_of(world(app=ROLE)) == [
        "role app",
        "role app attached S3",
        'role app inline queue {"Effect":"Allow","Action":"sqs:*","Resource":"*"}',
        "role app tags team a",
        'role app trust {"Effect":"Allow","Principal":{"AWS":"1"},"Action":"sts:*"}',
        "role app trusts web/app for sts.amazonaws.com",
        "sa web/app",
        "sa web/app labels a b",
    ]


def test_a_difference_names_what_is_gone_and_what_is_new() -> None:
    other = {**ROLE, "attached": [], "boundary": "arn:aws:iam::aws:policy/B"}
    assert difference(world(app=ROLE), world(app=other)) == "- role app attached S3\n+ role app boundary B"
    assert difference(world(app=ROLE), world(app=ROLE)) == ""


@pytest.mark.parametrize(
    "change", [{"StringLike": {"x:sub": "a"}}, {"StringEquals": {"x:sub": "system:serviceaccount:web:app"}}]
)
def test_a_statement_that_is_not_as_irsa_writes_it_is_shown_whole(change: dict[str, Any]) -> None:
    statement = {**ROLE["trust"]["Statement"][0], "Condition": change}
    (line,) = (text for text in lines_of(world(app={"trust": {"Statement": statement}})) if "trust" in text)
    assert json.dumps(change, separators=(",", ":")) in line


class Echo(Running):
    """A stage whose command prints what it was given, and whose world is a count of runs."""

    cluster = "demo"

    def __init__(self) -> None:
        self.words = {"ns": "web"}
        self.runs = 0

    def irsa(self, *arguments: str, **_: Any) -> Ran:
        self.runs += 1
        return Ran(2 if "bad" in arguments else 0, json.dumps({"items": [list(arguments)]}), "")

    def world(self) -> dict[str, Any]:
        return {"roles": {f"r{number}": {} for number in range(self.runs)}, "kubernetes": {}}


@rows(
    Row("a word", "get-sa app -n $ns", says='"web", "-c", "demo"', changes="+ role r0"),
    Row("another cluster", "get-sa -c other", changes="+ role r0", silent="demo"),
    Row("a bad end", "get-sa bad", code=2, changes=None),
    Row("what was there", "get-sa", given="create-sa a\n create-sa b", changes="+ role r2"),
    Row("a document", "get-sa app", changes=None, document={"items.0.1": "app"}),
)
def test_a_row_says_how_a_command_ends(row: Row) -> None:
    row.play(Echo())


@pytest.mark.parametrize(
    "expected",
    [{"code": 1}, {"says": "nothing"}, {"silent": "app"}, {"changes": ""}, {"changes": "+ role r1"}],
)
def test_a_run_that_ends_otherwise_fails(expected: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="get-sa app"):
        Echo().run("get-sa app", **expected)


def test_a_path_leads_into_a_document() -> None:
    assert at({"items": [{"kind": "Role"}]}, "items.0.kind") == "Role"
