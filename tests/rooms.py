"""Which tests a change of a room concerns: `python -m tests.rooms ROOM` prints them, for `make room`.

A room's own unit tests have its name. Here are the scenarios that its code decides, as many as 20 seconds
allow; what else may fail, the whole suite tells.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).parent
SCENARIOS = {
    "access": ("access",),
    "audit": ("audit",),
    "aws": ("clusters", "create_sa"),
    "binding": ("create_sa", "associations"),
    "changes": ("failures", "create_sa"),
    "cli": ("heads", "drift", "init"),
    "command": ("clusters", "organization"),
    "commands": ("heads", "drift"),
    "config": ("apply_files",),
    "doctor": ("doctor", "doctor_without_name"),
    "exec": ("exec", "exec_errors", "exec_credentials"),
    "export": ("export",),
    "files": ("apply", "delete_files"),
    "help": ("heads",),
    "inventory": ("get_sa", "foreign_bindings"),
    "kube": ("clusters", "failures"),
    "lint": (),
    "local": ("init",),
    "locks": ("two_runs", "unlock"),
    "marks": ("undone_by_others",),
    "objects": ("doctor", "get_sa"),
    "options": ("clusters", "heads"),
    "output": ("screens",),
    "plan": ("saved_plans",),
    "planning": ("create_sa", "attach_role", "update_sa"),
    "plans": ("saved_plans",),
    "policies": ("powerful", "well_known"),
    "preflight": ("preflight",),
    "rbac": ("who_may_become",),
    "read": ("get_sa", "describe_sa"),
    "recovery": ("recover",),
    "results": ("screens",),
    "sandbox": ("create_sa", "six_steps"),
    "show": ("get_sa", "describe_sa"),
    "terminal": ("screens", "confirming"),
    "transaction": ("failures", "recover"),
    "trust": ("wide_trusts", "attach_role"),
    "uses": ("delete_users", "migrate_uses"),
    "values": ("heads", "clusters"),
    "verification": ("verify",),
    "write": ("create_sa", "delete_sa", "update_sa"),
}


def concerned(room: str) -> list[Path]:
    """The folder of unit tests and the modules of scenarios of a room."""
    modules = [TESTS / "scenarios" / f"test_{name}.py" for name in SCENARIOS[room]]
    return [path for path in (TESTS / "unit" / room, *modules) if path.exists()]


if __name__ == "__main__":
    print(*(path.relative_to(TESTS.parent) for path in concerned(sys.argv[1])))
