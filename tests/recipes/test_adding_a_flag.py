"""The recipe of CONTRIBUTING.md for a flag: followed in a copy, it works and the concerned tests pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import put
from tests.support.recipes import files_of, followed, generate, run, run_tests, unit_tests

OPTION = """    namespace_label: tuple[str, ...] = many(
        "--namespace-label", kind=TEXT, metavar="K=V", help="Label of a new namespace."
    )
    audience: str | None"""
VALUE = """        namespace_labels=names.labels(pairs("--namespace-label", options.namespace_label)),
        audience=options.audience"""
FIELD = "    namespace_labels: checked.Labels = field(default_factory=dict)\n"


def _spec(text: str) -> str:
    first = '    attach_role_arn: checked.RoleArn = ""\n'
    text = put(text, first, f"{FIELD}{first}")
    text = put(
        text,
        "    role: states.RoleState | None = None\n",
        f"{FIELD}    role: states.RoleState | None = None\n",
    )
    text = put(
        text,
        "        labels=spec.labels,\n",
        "        labels=spec.labels,\n        namespace_labels=spec.namespace_labels,\n",
    )
    return put(
        text, "return states.NamespaceState()", "return states.NamespaceState(dict(self.namespace_labels))"
    )


EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/cli/commands/create_sa.py": lambda text: put(
        put(text, "    audience: str | None", OPTION),
        "        audience=options.audience",
        VALUE,
    ),
    "irsa_cli/core/binding/spec.py": _spec,
    "tests/unit/binding/test_spec.py": lambda text: put(
        text,
        "NOT_IN_DIGEST: dict[str, str] = {\n",
        'NOT_IN_DIGEST: dict[str, str] = {\n    "namespace_labels": "namespaces are not compared",\n',
    ),
}
SCRIPT = """
import sys
from pathlib import Path

import irsa_cli
from tests.support.memory.playing import playing
from tests.unit.usecases.commands import CREATE

assert Path(irsa_cli.__file__).parent.parent == Path.cwd()
folder = Path(sys.argv[1])
folder.mkdir()
with playing(folder) as play:
    play.irsa("associate-oidc", "-c", "demo")
    labelled = (*CREATE, "--namespace-label", "team=a", "-o", "json")
    refused = play.irsa(*CREATE, "--namespace-label", "team", code=2)
    assert "--namespace-label" in refused.err and not play.cloud.calls
    namespace, *_ = play.irsa(*labelled, "--dry-run").item["changes"]
    assert (namespace["kind"], namespace["after"]) == ("Namespace", {"labels": {"team": "a"}}), namespace
    assert play.irsa(*labelled).metadata["outcome"] == "committed"
    labels = play.cloud.kube.metadata("namespaces", "", "backend")["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "irsa", "team": "a"}, labels
    assert play.irsa(*labelled).metadata["outcome"] == "unchanged"
    assert play.irsa(*CREATE, "-o", "json").metadata["outcome"] == "unchanged"
"""


def test_the_recipe_of_a_flag_leaves_the_tests_green(tmp_path: Path) -> None:
    assert files_of("A new flag") == list(EDITS)
    project = followed(tmp_path / "project", EDITS)
    run(project, ["-c", SCRIPT, str(tmp_path / "home")])
    generate(project, "commands", "man", "saved_plan_schema")
    saved = (f"tests/unit/usecases/test_saved_{name}.py" for name in ("texts", "plan_schema", "requests"))
    run_tests(
        project,
        *unit_tests("binding"),
        "tests/unit/house/test_gates.py",
        *saved,
        "tests/unit/cli/test_help.py",
    )
    run(project, ["tools/docs/plain.py", "--check"])
