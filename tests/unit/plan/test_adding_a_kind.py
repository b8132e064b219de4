"""What CONTRIBUTING.md says of a new kind of change is enough: added to a copy of the program, one works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, edited, put, run_in

STATE = '''@dataclass(frozen=True)
class NoteState(State):
    """A note."""

    text: str


class Transition('''
ROW = """    NOTE = Traits(
        value="Note",
        state=states.NoteState,
        target=("note",),
        whole="",
        service=Service.IAM,
        proof=Proof.MARK,
        roles=no_role,
        takes_over=False,
        owner_decides=False,
        ends_runs=False,
        changes_trust=False,
        for_all=False,
        waits_for_whole=False,
        recorded_by_role=False,
        recreated=False,
        described=by_name,
        decides=Decides.NOTHING,
        given_back="written again",
        shown_by="aws iam get-note {first}",
    )
    ROLE = _Iam("""
HANDLER = '''"""Notes."""

from irsa_cli.changes.common import Unclaimed, conflict
from irsa_cli.transaction.protocol import Applied


class NoteHandler(Unclaimed):
    def __init__(self, iam):
        self._notes = iam.notes

    def apply(self, change, run, claim=None):
        name, present = change.target[0], self._notes.get(change.target[0])
        if present == change.after:
            return Applied(changed=False)
        if present != change.before:
            raise conflict(change, f"it is {present}")
        self._notes[name] = change.after
        return Applied(changed=True)

    def look(self, change, transaction):
        return self._notes.get(change.target[0]) == change.after
'''
EDITS: dict[str, Callable[[str], str]] = {
    "core/plan/kinds.py": lambda text: put(text, "    ROLE = _Iam(", ROW),
    "core/plan/states.py": lambda text: put(text, "class Transition(", STATE),
    "changes/__init__.py": lambda text: put(
        put(text, "        Kind.ROLE: ", "        Kind.NOTE: NoteHandler(iam),\n        Kind.ROLE: "),
        "from irsa_cli.changes.kubernetes",
        "from irsa_cli.changes.note import NoteHandler\nfrom irsa_cli.changes.kubernetes",
    ),
    "changes/note.py": lambda text: HANDLER,
}
SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace

from irsa_cli.changes import handlers
from irsa_cli.core.values import limits
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.results.result import ChangeResult
from irsa_cli.core.results.result_document import change_json
from irsa_cli.core.plan.states import NoteState
from irsa_cli.transaction.journal import Journal
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import roll_back
from irsa_cli.transaction.runner import Transaction
from irsa_cli.transaction.recover import roll_forward
from irsa_cli.usecases.command.execute import look_command

limits.PROPAGATION_SECONDS = 0.0
old, new = NoteState("old"), NoteState("new")
plan = Plan.of([Change(Kind.NOTE, ("a",), None, new)], [Change(Kind.NOTE, ("b",), old, new)])
quiet = lambda event: None


def run(name, notes, end=None):
    iam = SimpleNamespace(notes=notes)
    journal = Journal.open(Path(sys.argv[1]), name, plan, {})
    if end is None:
        report = Transaction(plan, handlers(iam, None), journal, Run(name, 60.0)).execute()
        journal.close()
        return report.outcome
    for event, index in (("begin", 0), ("done", 0), ("begin", 1)):
        journal.event(event, index, **({"changed": True, "identity": {}} if event == "done" else {}))
    journal.close()
    story = read(journal.path)
    if end == "back":
        return roll_back(journal.path, story, handlers(iam, None), quiet)
    return roll_forward(journal.path, story, handlers(iam, None), Run(name, 60.0), quiet).outcome


def there(notes):
    return {name: state.text for name, state in notes.items() if state is not None}


notes = {"b": old}
assert (run("made", notes), there(notes)) == ("committed", {"a": "new", "b": "new"})
notes = {"b": NoteState("somebody else's")}
assert (run("refused", notes), there(notes)) == ("rolled-back", {"b": "somebody else's"})
notes = {"a": new, "b": new}
assert (run("cut", notes, "back"), there(notes)) == ([], {"b": "old"})
notes = {"a": new, "b": old}
assert (run("on", notes, "forward"), there(notes)) == ("committed", {"a": "new", "b": "new"})
change = next(iter(plan))
assert change.description == "a" and "get-note a " in look_command(change)
assert change_json(ChangeResult(change, "done"))["after"] == {"text": "new"}
"""


def test_a_kind_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    listed = re.search(
        r"^## A new kind of change\n(.*?)^## ",
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        re.M | re.S,
    )
    assert listed is not None
    files = re.findall(r"(?m)^\d\. `irsa_cli/([\w/…]+\.py)`", listed[1])
    assert {name.replace("…", "note") for name in files} == set(EDITS)
    run_in(edited(tmp_path, EDITS), SCRIPT, str(tmp_path / "journals"), call_timeout=0.1)
