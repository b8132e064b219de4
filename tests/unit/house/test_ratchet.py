"""How much can be reached from what writes to an account: SECURITY.md states it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import irsa_cli

ROOT = Path(irsa_cli.__file__).parents[1]
WRITING = ("irsa_cli.cli.commands.create_sa", "irsa_cli.cli.commands.associate_oidc")
REACH = 29_900
"""Lines that these can reach, as SECURITY.md says it."""
USE_CASE = 23_500
"""Lines that the use case of `create-sa` alone can reach."""


def test_what_can_write_to_an_account_stays_short(script: ModuleType) -> None:
    lines, _ = script.reach(ROOT, WRITING)["irsa_cli"]
    alone, _ = script.reach(ROOT, ["irsa_cli.usecases.write.create_sa"])["irsa_cli"]
    assert lines <= REACH
    assert alone <= USE_CASE
    assert f"{REACH:,} lines" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
