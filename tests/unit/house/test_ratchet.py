"""How large each room may be, and how much can be reached from what writes to an account.

Growth is paid back: a number here is raised by a line of its own, in a commit that says what users get for
it.
It is lowered with what makes a room smaller.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import irsa_cli

ROOT = Path(irsa_cli.__file__).parents[1]
SLACK = 60
"""So many lines a room may have lost before its number here is to be lowered."""
ROOMS: dict[str, tuple[int, int]] = {
    # room: lines, modules
    "irsa_cli": (65, 2),
    "irsa_cli.aws": (2864, 16),
    "irsa_cli.changes": (1787, 8),
    "irsa_cli.cli": (377, 3),
    "irsa_cli.cli.commands": (3655, 38),
    "irsa_cli.cli.help": (836, 5),
    "irsa_cli.cli.options": (834, 7),
    "irsa_cli.cli.output": (3029, 24),
    "irsa_cli.cli.terminal": (453, 4),
    "irsa_cli.core": (4, 1),
    "irsa_cli.core.audit": (2357, 10),
    "irsa_cli.core.binding": (1630, 10),
    "irsa_cli.core.config": (1827, 10),
    "irsa_cli.core.doctor": (5368, 21),
    "irsa_cli.core.inventory": (1060, 5),
    "irsa_cli.core.lint": (2239, 10),
    "irsa_cli.core.marks": (731, 5),
    "irsa_cli.core.objects": (932, 8),
    "irsa_cli.core.plan": (1132, 7),
    "irsa_cli.core.planning": (3725, 14),
    "irsa_cli.core.policies": (1357, 8),
    "irsa_cli.core.rbac": (1105, 5),
    "irsa_cli.core.recovery": (788, 4),
    "irsa_cli.core.results": (1582, 10),
    "irsa_cli.core.trust": (3197, 15),
    "irsa_cli.core.values": (1707, 11),
    "irsa_cli.kube": (1263, 6),
    "irsa_cli.preflight": (1320, 9),
    "irsa_cli.sandbox": (7220, 33),
    "irsa_cli.transaction": (2151, 10),
    "irsa_cli.usecases": (145, 2),
    "irsa_cli.usecases.audit": (612, 4),
    "irsa_cli.usecases.command": (1622, 9),
    "irsa_cli.usecases.doctor": (945, 5),
    "irsa_cli.usecases.exec": (475, 3),
    "irsa_cli.usecases.files": (1846, 7),
    "irsa_cli.usecases.local": (413, 4),
    "irsa_cli.usecases.locks": (1164, 7),
    "irsa_cli.usecases.plans": (596, 3),
    "irsa_cli.usecases.read": (2140, 13),
    "irsa_cli.usecases.recovery": (1096, 6),
    "irsa_cli.usecases.show": (321, 3),
    "irsa_cli.usecases.verification": (993, 4),
    "irsa_cli.usecases.write": (2715, 11),
}
WRITING = ("irsa_cli.cli.commands.create_sa", "irsa_cli.cli.commands.associate_oidc")
REACH = 25_100
"""Lines that these can reach, as SECURITY.md says it."""
USE_CASE = 19_900
"""Lines that the use case of `create-sa` alone can reach."""


def _measured(script: ModuleType) -> dict[str, tuple[int, int]]:
    lines: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for module in script._modules(ROOT):
        room = module.name
        while room not in ROOMS:
            room = room.rpartition(".")[0]
        lines[room] += module.lines
        modules[room] += 1
    return {room: (lines[room], modules[room]) for room in lines}


def test_no_room_grows_by_the_way(script: ModuleType) -> None:
    found = _measured(script)
    grown = {room: now for room, now in found.items() if now[0] > ROOMS[room][0] or now[1] > ROOMS[room][1]}
    assert grown == {}, "make room in it, or raise its number in a commit that says why"


def test_what_was_saved_is_kept(script: ModuleType) -> None:
    found = _measured(script)
    saved = {room: found.get(room) for room, most in ROOMS.items() if found[room][0] < most[0] - SLACK}
    assert saved == {}, "smaller than its number says: lower that"


def test_what_can_write_to_an_account_stays_short(script: ModuleType) -> None:
    lines, _ = script.reach(ROOT, WRITING)["irsa_cli"]
    alone, _ = script.reach(ROOT, ["irsa_cli.usecases.write.create_sa"])["irsa_cli"]
    assert lines <= REACH
    assert alone <= USE_CASE
    assert f"{REACH:,} lines" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
