"""The rule for tests that need a real control plane, or a program of the machine: run, or be seen not to run.

A pytest plugin, loaded by tests/conftest.py. Tests marked `e2e` are skipped when the binaries are not
there, and the summary says so. With IRSA_E2E=required their absence ends the run before it starts,
and an e2e test that skips itself has failed. What else was not run, and how to get it, is the last line.
"""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import programs
from tests.support.assets import find_assets, missing, required
from tests.support.controlplane import ControlPlane

_E2E_FOLDER = Path(__file__).resolve().parents[1] / "e2e"


def pytest_configure() -> None:
    """End the run at once when e2e tests are required and can't run."""
    if required() and find_assets() is None:
        raise pytest.UsageError(f"e2e tests are required, but there is {missing()}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in tests/e2e, and skip what is marked where it can't run."""
    can_run = find_assets() is not None
    for item in items:
        if item.path.is_relative_to(_E2E_FOLDER):
            item.add_marker(pytest.mark.e2e)
        if not can_run and item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.skip(reason="e2e: no real control plane"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped e2e test into a failed one when required; show a failed one's server log."""
    report = yield
    if report.skipped and required() and item.get_closest_marker("e2e"):
        report.outcome = "failed"
        report.longrepr = f"e2e tests are required, this one was skipped: {report.longrepr}"
    if report.skipped and programs.required() and programs.PREFIX in str(report.longrepr):
        report.outcome = "failed"
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, ControlPlane):
                report.sections.append(("kube-apiserver log", value.log_tail()))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With several workers, name a failed test at once and not only at the end."""
    if report.failed and hasattr(report, "node"):
        print(f"\nFAILED {report.nodeid}", flush=True)


_missed: Counter[str] = Counter()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last line what was not run for want of a program, and how to get it."""
    if _missed and not hasattr(config, "workerinput"):
        print("; ".join(f"{count} tests {why}" for why, count in sorted(_missed.items())))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many e2e tests ran, loudly when none could."""
    stats = terminalreporter.stats
    for report in stats.get("skipped", []):
        _, _, why = str(report.longrepr[2]).partition(programs.PREFIX)
        if why:
            _missed[programs.PREFIX + why] += 1
    ran = sum("e2e" in report.keywords for report in stats.get("passed", []))
    skipped = sum("e2e" in report.keywords for report in stats.get("skipped", []))
    if skipped:
        terminalreporter.write_sep("!", f"e2e: NOT RUN: {skipped} tests", red=True, bold=True)
        if find_assets() is None:
            terminalreporter.write_line(missing(), yellow=True)
    elif ran:
        terminalreporter.write_line(f"e2e: {ran} tests passed against a real kube-apiserver")
