"""`irsa init`: a file from what is in the cluster, which changes nothing of what irsa manages."""

import json

import pytest

from tests.scenarios.foreign import TOOLS, Tool
from tests.scenarios.reading import zoo
from tests.support.ran import Ran
from tests.support.stage import EVERYTHING, READ_ONLY, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
TARGET = "arn:aws:iam::222222222222:role/data"


def init(stage: Stage, namespace: str, *more: str) -> Ran:
    return stage.irsa("init", "-n", namespace, "-c", stage.cluster, "-q", *more)


def differs(stage: Stage, file: str) -> Ran:
    """What the file would change, and lint says nothing is wrong with it."""
    (stage.folder / "found.yaml").write_text(file)
    assert stage.irsa("lint", "found.yaml", "-q").code in (0, 5, 7)
    return stage.irsa("diff", "-f", "found.yaml", "-q")


OURS = {
    "plain": ("--attach-policy-arn", READ_ONLY),
    "none": ("--no-policy",),
    "much": (
        *(
            "--attach-policy-arn",
            f"{SQS},{READ_ONLY}",
            "--inline-policy",
            "read.json",
            "--tags",
            "team=a,cost=1",
        ),
        *("--label", "tier=web", "--annotation", "example.com/note=x", "--description", "d"),
        *("--max-session-duration", "2h", "--permissions-boundary", READ_ONLY, "--role-name", "much-of-it"),
        *("--role-path", "/own/", "--token-expiration", "2h", "--no-sts-regional-endpoints"),
    ),
    "pattern": ("--attach-policy-arn", READ_ONLY, "--subject-pattern", "patt*"),
    "alone": ("--attach-policy-arn", READ_ONLY, "--role-only"),
    "known": ("--well-known-policy", "externalDNS"),
    "chained": ("--target-role", TARGET, "--external-id", "abc"),
}


@pytest.mark.parametrize("name", OURS)
def test_a_binding_of_irsa_is_an_entry_that_changes_nothing(stage: Stage, namespace: str, name: str) -> None:
    (stage.folder / "read.json").write_text(
        json.dumps({**EVERYTHING, "Statement": [EVERYTHING["Statement"]]})
    )
    assert stage.associate("-q").code == 0
    made = stage.create_sa(name, namespace, *OURS[name], "--allow-wide-trust")
    assert made.code == 0, made.err
    before = stage.world()
    ran = init(stage, namespace, "--all-paths")
    assert ran.code == 0, ran.err
    assert f"{namespace}/{name}: owner irsa" in ran.out
    found = differs(stage, ran.out)
    marks = "0 to create, 0 to update, 0 to delete, and 1 mark of irsa"  # Only apply notes a pattern.
    assert found.code == 0 or (name == "pattern" and marks in found.out), (ran.out, found.out, found.err)
    assert stage.world() == before


def test_an_applied_file_comes_back(stage: Stage, namespace: str) -> None:
    entry = {
        "metadata": {
            "name": "web",
            "namespace": namespace,
            "labels": {"a": "b"},
            "annotations": {"c.io/d": "e"},
        },
        "attachPolicyARNs": [READ_ONLY],
        "tags": {"team": "x"},
        "audience": "vault",
        "subjects": [{"namespace": namespace, "name": "other"}],
    }
    file = {
        "apiVersion": "irsa/v1", "kind": "Bindings",
        "metadata": {"name": stage.cluster, "region": stage.region},
        "withOIDC": True, "serviceAccounts": [entry],
    }  # fmt: skip
    (stage.folder / "file.yaml").write_text(json.dumps(file))
    assert stage.irsa("apply", "-f", "file.yaml", "-q").code == 0
    ran = init(stage, namespace)
    found = differs(stage, ran.out)
    assert found.code == 0, (ran.out, found.out, found.err)
    assert "team: x" in ran.out


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_binding_of_another_tool_is_adopted_first(stage: Stage, namespace: str, tool: Tool) -> None:
    assert stage.associate("-q").code == 0
    tool.make(stage, namespace, "web", f"{namespace}-web")
    ran = init(stage, namespace)
    assert ran.code == 0, ran.err
    assert f"owner {tool.maker}" in ran.out
    before = stage.world()
    assert differs(stage, ran.out).code == 0
    assert stage.world() == before
    (line,) = [text.strip("# ") for text in ran.out.splitlines() if "irsa adopt" in text]
    assert stage.irsa(*line.split()[1:], "--ignore-maker").code == 0
    at = ran.out.index(line)
    adopted = ran.out[:at].replace("# serviceA", "serviceA") + ran.out[at:].replace("\n# ", "\n")
    found = differs(stage, adopted)
    # An entry names its own ServiceAccount, so it adds that to a trust policy of wildcards only.
    assert found.code == (6 if "*" in tool.subject else 0), (adopted, found.out, found.err)
    assert len(stage.irsa("diff", "-f", "found.yaml", "-o", "json").items) == 1


def test_what_is_broken_or_not_read_is_a_comment(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    ran = init(stage, namespace)
    assert ran.code == 1
    for name in ("gone", "foreign", "junk", "path"):
        (line,) = [text for text in ran.out.splitlines() if f"{namespace}/{name}:" in text]
        assert "status" in line
    assert differs(stage, ran.out).code in (0, 6)


def test_a_file_is_never_overwritten(stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    ran = init(stage, namespace, "--out", "new.yaml")
    assert (ran.code, ran.out) == (0, ""), ran.err
    text = (stage.folder / "new.yaml").read_text()
    assert "attachPolicyARNs" in text
    assert differs(stage, text).code == 0
    again = init(stage, namespace, "--out", "new.yaml")
    assert (again.code, "exists" in again.err) == (2, True)
    assert (stage.folder / "new.yaml").read_text() == text
