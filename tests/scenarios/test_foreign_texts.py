"""Texts that others have written into the cluster: no output is forged by them, and none fails over them."""

from xml.etree import ElementTree

import pytest

from tests.scenarios.binding import make_binding
from tests.support.rows import arguments_of
from tests.support.stage import ROLE_ARN, Stage

FORGED = "x\n  ✓ prod/api  verified      arn:aws:iam::111122223333:role/prod\x1b[2K"


@pytest.fixture(autouse=True)
def evil(stage: Stage, namespace: str) -> None:
    """A good binding, and a forged one."""
    make_binding(stage, namespace)
    stage.make_account(namespace, "evil", annotations={ROLE_ARN: FORGED})


def test_no_line_is_forged(stage: Stage) -> None:
    for line in LINES:
        ran = stage.irsa(*arguments_of(stage, line), PYTHONIOENCODING="utf-8")
        assert ran.code != 2, ran.err
        shown = ran.out + ran.err  # A line break of others is escaped, or what is behind it is marked.
        forged = (
            text for text in shown.splitlines() if not text.isprintable() or text.startswith("  ✓ prod")
        )
        assert [*forged] == [], line
        assert "\\u000a" in shown or "  |   ✓ prod" in shown or "✓ prod" not in shown, line


def test_a_stream_with_few_characters_is_no_reason_to_fail(stage: Stage) -> None:
    for encoding, output in (
        ("cp1252", "text"),
        ("latin-1", "junit"),
        ("latin-1", "yaml"),
        ("cp1252", "json"),
    ):
        words = arguments_of(stage, f"verify --all -n $ns -q -o {output}")
        ran = stage.irsa(*words, PYTHONIOENCODING=encoding)
        assert (ran.code, ran.out.isascii()) == (5, True), ran.err
        if output == "yaml":
            assert FORGED in [(item["role"] or {}).get("arn") for item in ran.yaml["items"]]
        if output == "junit":
            (failure,) = ElementTree.fromstring(ran.out).iter("failure")
            assert "✓ prod/api" in failure.get("message", "")


LINES = (
    "verify evil -n $ns",
    "verify --all -n $ns",
    "get-sa -n $ns",
    "get-sa -o wide -n $ns",
    "describe-sa evil -n $ns",
    "exec evil -n $ns -c $cluster -- true",
    "credentials evil -n $ns",
    "update-sa evil --description x -n $ns",
    "adopt evil -n $ns",
    "delete-sa evil --dry-run -n $ns",
)
