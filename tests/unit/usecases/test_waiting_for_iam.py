"""For how long the proof of `--verify` is repeated: as long as IAM may still be spreading something."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import NamespaceState, OwnerState, Present
from irsa_cli.transaction.protocol import Run
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.verification import iam_steps
from irsa_cli.usecases.write.create_sa import Work

MADE = Change(Kind.NAMESPACE, ("backend",), None, NamespaceState())
ATTACHED = Change(Kind.ATTACHMENT, ("r", "arn:aws:iam::aws:policy/p"), None, Present())
TAKEN_OVER = Change(Kind.ROLE_OWNER, ("r",), OwnerState("T0"), OwnerState(""))
"""The run before was interrupted: what it did in IAM may have been a moment ago."""


@pytest.mark.parametrize(("change", "waits"), [(MADE, False), (ATTACHED, True), (TAKEN_OVER, True)])
def test_what_iam_may_not_show_yet_is_waited_for(
    change: Change, waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def prove(*_: Any, seconds: float, **_how: Any) -> dict[str, Any]:
        given.append(seconds)
        return {}

    monkeypatch.setattr(iam_steps, "verify", prove)
    nothing = cast(Any, SimpleNamespace())
    work = Work(nothing, nothing, nothing, Settings(tmp_path), nothing)
    work._gate(Plan.of([change]), {})(Run("t1", 60.0))
    assert [seconds > 0 for seconds in given] == [waits]
