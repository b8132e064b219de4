"""The recipe of CONTRIBUTING.md for a kind of change: followed in a copy, the tests that it concerns pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import put
from tests.support.recipes import files_of, followed, generate, run_tests, unit_tests

ROW = """    NOTE = _FieldOfRole("RoleNote", state=states.NoteState, proof=Proof.JOURNAL, described=by_name)
    TRUST_POLICY = _FieldOfRole("""
STATE = '''@dataclass(frozen=True)
class NoteState(State):
    """The tag `note` of a role."""

    text: str


class Transition('''
HANDLER = '''class NoteHandler(_PartHandler):
    """The tag `note`; the target is `(role name,)`."""

    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        return role.tags.get("note") == (state.text if isinstance(state, NoteState) else None)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        name = {"RoleName": change.target[0]}
        if state is None:
            return "UntagRole", {**name, "TagKeys": ["note"]}
        return "TagRole", {**name, "Tags": [{"Key": "note", "Value": expect(NoteState, state).text}]}


class RoleTagsHandler('''
EFFECT = """def _note(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    assert role.state.tags.get("note") == (None if before is None else before.text)
    tags = {key: value for key, value in role.state.tags.items() if key != "note"}
    role.state = replace(role.state, tags=tags if after is None else {**tags, "note": after.text})


def _tags("""
CASES = """CASES: dict[str, Case] = {
    "a note is made": Case(
        of_role(Kind.NOTE, before=None, after=NoteState("n")), with_role(), tags_edit(note="theirs")
    ),
"""
EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/core/plan/kinds.py": lambda text: put(text, "    TRUST_POLICY = _FieldOfRole(", ROW),
    "irsa_cli/core/plan/states.py": lambda text: put(text, "class Transition(", STATE),
    "irsa_cli/changes/role_parts.py": lambda text: put(
        put(text, "class RoleTagsHandler(", HANDLER),
        "    BoundaryState,\n",
        "    BoundaryState,\n    NoteState,\n",
    ),
    "irsa_cli/changes/__init__.py": lambda text: put(
        text,
        "            Kind.BOUNDARY: ",
        "            Kind.NOTE: parts.NoteHandler(iam),\n            Kind.BOUNDARY: ",
    ),
    "tests/unit/plan/strategies.py": lambda text: put(
        put(
            text,
            "    Kind.BOUNDARY: ",
            "    Kind.NOTE: st.builds(NoteState, text=texts),\n    Kind.BOUNDARY: ",
        ),
        "    NamespaceState,\n    OwnerState,\n",
        "    NamespaceState,\n    NoteState,\n    OwnerState,\n",
    ),
    "tests/unit/world.py": lambda text: put(
        put(text, "def _tags(", EFFECT), "    Kind.BOUNDARY: ", "    Kind.NOTE: _note,\n    Kind.BOUNDARY: "
    ),
    "tests/contract/handler_cases.py": lambda text: put(
        put(text, "CASES: dict[str, Case] = {\n", CASES),
        "    NamespaceState,\n    OwnerState,\n",
        "    NamespaceState,\n    NoteState,\n    OwnerState,\n",
    ),
    "tests/unit/access/test_guard.py": lambda text: put(text, '"RoleTags"}', '"RoleTags", "RoleNote"}'),
    "docs/reference/output.schema.json": lambda text: put(
        text, '        "RoleBoundary",\n', '        "RoleBoundary",\n        "RoleNote",\n'
    ),
}


def test_the_recipe_of_a_kind_leaves_the_tests_green(tmp_path: Path) -> None:
    assert [name.replace("…", "role_parts") for name in files_of("A new kind of change")] == list(EDITS)
    project = followed(tmp_path, EDITS)
    generate(project, "saved_plan_schema")
    run_tests(
        project,
        *unit_tests("plan"),
        "tests/contract/test_handlers.py",
        "tests/unit/access/test_guard.py",
        "tests/unit/results/test_envelope.py",
        "tests/unit/usecases/test_saved_plan_schema.py",
        *("-k", "not sandbox"),
    )
