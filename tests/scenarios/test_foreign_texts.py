"""Texts that others have written into the cluster: no output is forged by them, and none fails over them."""

from xml.etree import ElementTree

import pytest

from tests.scenarios.binding import make_binding
from tests.support.stage import ROLE_ARN, Stage

FORGED = "x\n  ✓ prod/api  verified      arn:aws:iam::111122223333:role/prod\x1b[2K"
COMMANDS = {
    "verify": ("verify", "evil"),
    "verify --all": ("verify", "--all"),
    "get-sa": ("get-sa",),
    "get-sa wide": ("get-sa", "-o", "wide"),
    "describe-sa": ("describe-sa", "evil"),
    "exec": ("exec", "evil"),
    "credentials": ("credentials", "evil"),
    "update-sa": ("update-sa", "evil", "--description", "x"),
    "adopt": ("adopt", "evil"),
    "delete-sa": ("delete-sa", "evil", "--dry-run"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_forged(stage: Stage, namespace: str, command: str) -> None:
    make_binding(stage, namespace)
    stage.make_account(namespace, "evil", annotations={ROLE_ARN: FORGED})
    tail = ("--", "true") if command == "exec" else ()
    ran = stage.irsa(
        *COMMANDS[command], "-n", namespace, "-c", stage.cluster, *tail, PYTHONIOENCODING="utf-8"
    )
    assert ran.code != 2, ran.err
    for line in (ran.out + ran.err).splitlines():
        assert line.isprintable()
        assert not line.startswith("  ✓ prod")
    shown = ran.out + ran.err  # A line break of others is escaped, or what is behind it is marked.
    assert "\\u000a" in shown or "  |   ✓ prod" in shown or "✓ prod" not in shown


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("output", ["text", "junit", "yaml", "json"])
def test_a_stream_with_few_characters_is_no_reason_to_fail(
    stage: Stage, namespace: str, encoding: str, output: str
) -> None:
    make_binding(stage, namespace)
    stage.make_account(namespace, "evil", annotations={ROLE_ARN: FORGED})
    arguments = ("verify", "--all", "-n", namespace, "-c", stage.cluster, "-q", "-o", output)
    ran = stage.irsa(*arguments, PYTHONIOENCODING=encoding)
    assert ran.code == 5, ran.err
    assert ran.out.isascii()
    if output == "yaml":
        assert FORGED in [(item["role"] or {}).get("arn") for item in ran.yaml["items"]]
    if output == "junit":
        suites = ElementTree.fromstring(ran.out).findall("testsuite")
        (message,) = [failure.get("message", "") for suite in suites for failure in suite.iter("failure")]
        assert "✓ prod/api" in message
