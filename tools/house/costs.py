"""What each test costs: a pytest plugin, loaded with `-p costs`.

One line of JSON for each test goes to the file of `IRSA_COSTS`: its name, its outcome, the seconds that it
took, and the seconds of processor that its worker and the processes that ended in it used.
"""

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COSTS = "IRSA_COSTS"
_outcomes: dict[str, str] = {}


def _processor() -> float:
    """Seconds of processor of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Measure one test, with what it sets up and tears down."""
    began, used = time.monotonic(), _processor()
    result = yield
    record = {
        "test": item.nodeid,
        "outcome": _outcomes.pop(item.nodeid, "passed"),
        "seconds": round(time.monotonic() - began, 3),
        "processor": round(_processor() - used, 3),
        "e2e": item.get_closest_marker("e2e") is not None,
    }
    with Path(os.environ[COSTS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of a test's three parts."""
    if report.outcome != "passed" and _outcomes.get(report.nodeid) != "failed":
        _outcomes[report.nodeid] = report.outcome
