"""docs/reference/saved-plan.schema.json: plans that irsa saves fit, what irsa refuses does not."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from tests.docs.console import ROOT
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import CASES
from tests.unit.usecases.test_saved_plans import REQUESTS
from tests.unit.usecases.test_saved_requests import plan_of, saved

SCHEMA = json.loads((ROOT / "docs" / "reference" / "saved-plan.schema.json").read_text(encoding="utf-8"))


def test_it_is_fresh() -> None:
    tool = ROOT / "tools" / "docs" / "saved_plan_schema.py"
    subprocess.run([sys.executable, str(tool), "--check"], check=True, timeout=60)


@pytest.mark.parametrize("command", REQUESTS)
def test_requests_of_all_commands_fit(command: str) -> None:
    plan: dict[str, Any] = {**plan_of(command, REQUESTS[command]), "digest": f"sha256:{'0' * 64}"}
    jsonschema.validate(plan, SCHEMA)
    for where in ((), ("metadata",), ("request",)):
        other = copy.deepcopy(plan)
        part = other
        for key in where:
            part = part[key]
        part["another"] = 1
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(other, SCHEMA)


@pytest.mark.parametrize("name", CASES)
def test_what_is_saved_fits(play: Play, name: str) -> None:
    plan = saved(play, name)
    jsonschema.validate(plan, SCHEMA)
    changes = [change for item in plan["items"] for stage in item["stages"] for change in stage]
    changes[0]["kind"] = "Nothing"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plan, SCHEMA)
