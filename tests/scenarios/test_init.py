"""`irsa init`: a file from what is in the cluster, which changes nothing of what irsa manages."""

import json

import pytest

from tests.scenarios.foreign import TOOLS, Tool
from tests.scenarios.reading import zoo
from tests.support.documents import policy
from tests.support.ran import Ran
from tests.support.stage import READ_ONLY, Stage


def init(stage: Stage, more: str = "", code: int = 0) -> str:
    """The file that it prints."""
    return stage.run(f"init -n $ns -q {more}", code=code, changes="").out


def differs(stage: Stage, file: str) -> Ran:
    """What the file would change, and lint says nothing is wrong with it."""
    (stage.folder / "found.yaml").write_text(file)
    assert stage.irsa("lint", "found.yaml", "-q").code in (0, 5, 7)
    return stage.irsa("diff", "-f", "found.yaml", "-q")


MUCH = (
    "--attach-policy-arn $SQS,$S3 --inline-policy read.json --tags team=a,cost=1 --label tier=web"
    " --annotation example.com/note=x --description d --max-session-duration 2h --permissions-boundary $S3"
    " --role-name much-of-it --role-path /own/ --token-expiration 2h --no-sts-regional-endpoints"
)


def test_an_applied_file_comes_back(stage: Stage, namespace: str) -> None:
    (stage.folder / "file.yaml").write_text(f"""
apiVersion: irsa/v1
kind: Bindings
metadata: {{name: {stage.cluster}, region: {stage.region}}}
withOIDC: true
serviceAccounts:
- metadata: {{name: web, namespace: {namespace}, labels: {{a: b}}, annotations: {{c.io/d: e}}}}
  attachPolicyARNs: [{READ_ONLY}]
  tags: {{team: x}}
  audience: vault
  subjects: [{{namespace: {namespace}, name: other}}]
""")
    stage.run("apply -f file.yaml -q")
    text = init(stage)
    found = differs(stage, text)
    assert (found.code, "team: x" in text) == (0, True), (text, found.out, found.err)


@pytest.mark.parametrize("tool", [TOOLS[0], TOOLS[1], TOOLS[-2]], ids=lambda tool: tool.name)
def test_a_binding_of_another_tool_is_adopted_first(stage: Stage, namespace: str, tool: Tool) -> None:
    stage.associate("-q")
    tool.make(stage, namespace, "web", f"{namespace}-web")
    text = init(stage)
    assert f"owner {tool.maker}" in text
    assert differs(stage, text).code == 0
    (line,) = [words.strip("# ") for words in text.splitlines() if "irsa adopt" in words]
    assert stage.irsa(*line.split()[1:], "--ignore-maker").code == 0
    before, _, after = text.partition(line)
    adopted = before.replace("# serviceA", "serviceA") + line + after.replace("\n# ", "\n")
    found = differs(stage, adopted)
    # An entry names its own ServiceAccount, so it adds that to a trust policy of wildcards only.
    assert found.code == (6 if "*" in tool.subject else 0), (adopted, found.out, found.err)
    assert len(stage.irsa("diff", "-f", "found.yaml", "-o", "json").items) == 1


def test_what_is_broken_or_not_read_is_a_comment(stage: Stage, namespace: str) -> None:
    zoo(stage, namespace)
    text = init(stage, code=1)
    for name in ("gone", "foreign", "junk", "path"):
        (line,) = [words for words in text.splitlines() if f"{namespace}/{name}:" in words]
        assert "status" in line
    assert differs(stage, text).code in (0, 6)


def test_a_file_is_never_overwritten(stage: Stage, namespace: str) -> None:
    stage.associate("-q")
    assert init(stage, "--out new.yaml") == ""
    text = (stage.folder / "new.yaml").read_text()
    assert "attachPolicyARNs" in text
    assert differs(stage, text).code == 0
    stage.run("init -n $ns -q --out new.yaml", code=2, says="exists")
    assert (stage.folder / "new.yaml").read_text() == text


BINDINGS = {
    "plain": "--attach-policy-arn $S3",
    "none": "--no-policy",
    "much": MUCH,
    "pattern": "--attach-policy-arn $S3 --subject-pattern patt*",
    "alone": "--attach-policy-arn $S3 --role-only",
    "known": "--well-known-policy externalDNS",
    "chained": "--target-role arn:aws:iam::222222222222:role/data --external-id abc",
}


def test_bindings_of_irsa_are_entries_that_change_nothing(stage: Stage, namespace: str) -> None:
    (stage.folder / "read.json").write_text(json.dumps(policy("Allow * on *")))
    stage.associate("-q")
    for name, flags in BINDINGS.items():
        stage.run(f"create-sa {name} -n $ns {flags} --allow-wide-trust")
    text = init(stage, "--all-paths")
    assert [name for name in BINDINGS if f"{namespace}/{name}: owner irsa" not in text] == []
    found = differs(stage, text)
    # Only apply notes a pattern.
    marks = "0 to create, 0 to update, 0 to delete, and 1 mark of irsa"
    assert marks in found.out, (text, found.out, found.err)
