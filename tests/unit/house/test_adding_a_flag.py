"""What CONTRIBUTING.md says of a new flag is enough: added to a copy of the program, one works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, edited, put, run_in

OPTION = """@many_filled("--namespace-label", metavar="K=V", help="Label of a new namespace.")
@once("--audience","""
VALUE = """            namespace_labels=names.labels(
                common.pairs("--namespace-label", options["namespace_label"])
            ),
            **same,
"""
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
    "cli/commands/create_sa.py": lambda text: put(
        put(text, '@once("--audience",', OPTION),
        "            **same,\n",
        VALUE,
    ),
    "core/binding/spec.py": _spec,
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


def test_a_flag_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"^## A new flag\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    files = re.findall(r"(?m)^\d\. `irsa_cli/([\w/…]+\.py)`", listed[1])
    assert files == list(EDITS)
    run_in(edited(tmp_path / "program", EDITS), SCRIPT, str(tmp_path / "home"))
