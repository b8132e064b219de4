"""What `irsa retire` counts as a user of a role: a plan that takes the role from one is refused."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard, PlannedAccess
from irsa_cli.core.access.who import Who
from irsa_cli.core.planning.retire import ReadAccount, Retiring
from irsa_cli.core.values.errors import Refused
from irsa_cli.usecases.write.retire import _Retired
from tests.unit.access.states import BLUE, allow, role, statement, trust

APP_ROLE = role("app")
UNUSED: Any = None
"""The parts of the work that the answer does not depend on."""


def work(living: dict[str, str]) -> _Retired:
    account = ReadAccount("111122223333", "aws", datetime.now(timezone.utc), living)
    return _Retired(UNUSED, UNUSED, UNUSED, UNUSED, Retiring(account, (), 0.0))


def test_nobody_of_a_cluster_that_exists_loses_a_role() -> None:
    there = Documents((BLUE,), trusts={APP_ROLE: trust(allow(BLUE, "backend/app"))})
    planned = PlannedAccess(there, [statement("app", allow(BLUE, "backend/app"), None)], BLUE)
    assert [item.who.name for item in planned.change.losses] == ["backend/app"]
    with pytest.raises(Refused, match="someone who uses it"):
        planned.check(Guard(uses=work({BLUE.arn: "issuer"})._why_used))
    planned.check(Guard(uses=work({})._why_used))


def test_others_than_clusters_are_judged_by_the_plan_of_retire() -> None:
    assert work({BLUE.arn: "issuer"})._why_used(Who.principal("AWS", "*"), APP_ROLE) == ""
