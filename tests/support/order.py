"""The order of a run on several workers: unit tests first, so that a mistake is known early, then slow ones.

A pytest plugin, loaded by tests/conftest.py. The workers begin with equal shares of the list, each from its
front, and later take from the ends of others' shares (pytest-xdist, `--dist worksteal`). So each share has
its part of the unit tests, then its part of the slow modules, each as a whole, and cheap tests at its end.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

import pytest

T = TypeVar("T")
SLOW: dict[str, float] = {
    "tests/recipes/test_adding_a_writing_command.py": 300,
    "tests/recipes/test_adding_a_kind.py": 300,
    "tests/recipes/test_adding_a_flag.py": 200,
    "tests/recipes/test_adding_a_room.py": 200,
    "tests/recipes/test_adding_an_output_form.py": 200,
    "tests/docs/test_permissions.py": 320,
    "tests/faults/test_sample.py": 250,
    "tests/pipeline/test_packaging.py": 200,
    "tests/faults/test_schedules.py": 190,
    "tests/scenarios/test_reported.py": 190,
    "tests/acceptance/test_acceptance.py": 180,
    "tests/faults/test_mutants.py": 150,
    "tests/scenarios/test_recover_cluster.py": 140,
    "tests/unit/usecases/test_broken_calls.py": 140,
    "tests/pipeline/test_injection.py": 130,
    "tests/scenarios/test_delete_sa.py": 130,
    "tests/fuzz/test_fuzz.py": 130,
    "tests/e2e/test_rbac_reach.py": 120,
    "tests/scenarios/test_preflight_hostile.py": 120,
    "tests/docs/test_console.py": 110,
    "tests/scenarios/test_runs_in_a_row.py": 110,
    "tests/scenarios/test_doctor_cures.py": 110,
    "tests/docs/test_examples.py": 110,
    "tests/scenarios/test_one_odd_object.py": 100,
    "tests/scenarios/test_preflight.py": 100,
    "tests/scenarios/test_one_answer.py": 100,
    "tests/scenarios/test_update_sa.py": 90,
    "tests/pipeline/test_action.py": 90,
    "tests/scenarios/test_retire.py": 90,
    "tests/scenarios/test_create_sa.py": 80,
    "tests/scenarios/test_migrate_clients.py": 80,
    "tests/scenarios/test_chaining.py": 80,
    "tests/scenarios/test_superseded.py": 70,
    "tests/scenarios/test_lock_limits.py": 70,
    "tests/scenarios/test_saved_plans.py": 70,
    "tests/scenarios/test_screens.py": 60,
    "tests/scenarios/test_recover_chains.py": 60,
    "tests/scenarios/test_apply.py": 60,
    "tests/scenarios/test_repoint.py": 60,
    "tests/scenarios/test_migrate.py": 60,
    "tests/scenarios/test_association_files.py": 60,
    "tests/oracle/test_access.py": 60,
    "tests/scenarios/test_planted.py": 60,
    "tests/scenarios/test_audit.py": 60,
    "tests/scenarios/test_role_account_files.py": 60,
    "tests/scenarios/test_migrate_templates.py": 60,
    "tests/scenarios/test_doctor_fixes.py": 60,
    "tests/docs/test_escalation.py": 50,
    "tests/contract/test_client.py": 50,
    "tests/aws_facts/test_facts.py": 50,
    "tests/scenarios/test_two_runs.py": 50,
    "tests/scenarios/test_adopt.py": 50,
    "tests/scenarios/test_audit_page_in_a_browser.py": 50,
    "tests/oracle/test_trust_policies.py": 50,
    "tests/scenarios/test_confirming.py": 50,
    "tests/contract/test_handlers.py": 50,
    "tests/scenarios/test_cluster_gone.py": 50,
    "tests/scenarios/test_adopt_foreign.py": 50,
    "tests/integration/test_sandbox_command.py": 50,
    "tests/integration/test_mistakes.py": 50,
    "tests/scenarios/test_doctor_in_pod.py": 50,
    "tests/contract/test_leases.py": 50,
    "tests/scenarios/test_attach_restricted.py": 50,
    "tests/scenarios/test_patience.py": 50,
    "tests/scenarios/test_foreign_bindings.py": 40,
    "tests/scenarios/test_groundwork.py": 40,
    "tests/scenarios/test_many_clusters.py": 40,
    "tests/scenarios/test_doctor_evidence.py": 40,
    "tests/scenarios/test_pod_identity_refusals.py": 40,
    "tests/scenarios/test_pod_identity.py": 40,
    "tests/scenarios/test_interrupted.py": 40,
    "tests/scenarios/test_signals_anywhere.py": 40,
}
"""Seconds of the modules that take longest, as `tools/house/suite.py` prints them; all others are cheap."""
UNIT = "tests/unit/"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in order, the same in each worker."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = ordered([(item.nodeid.partition("::")[0], item) for item in items], workers)


def ordered(tests: Sequence[tuple[str, T]], workers: int) -> list[T]:
    """Tests with their modules, in the order of a run."""
    units = [test for module, test in tests if module.startswith(UNIT) and module not in SLOW]
    cheap = [test for module, test in tests if not module.startswith(UNIT) and module not in SLOW]
    slow = _spread([(module, test) for module, test in tests if module in SLOW], workers)
    shares: list[T] = []
    for number, size in enumerate(_sizes(len(tests), workers)):
        share = _take(units, len(units) // (workers - number)) + slow[number]
        shares += share + _take(cheap, size - len(share))
    return shares + units + cheap


def _sizes(count: int, workers: int) -> Iterable[int]:
    """How many tests each worker begins with."""
    for number in range(workers):
        size = count // (workers - number)
        count -= size
        yield size


def _take(tests: list[T], count: int) -> list[T]:
    taken = tests[: max(0, count)]
    del tests[: len(taken)]
    return taken


def _spread(tests: Sequence[tuple[str, T]], workers: int) -> list[list[T]]:
    """The slow modules for each worker, so that all have as much to do."""
    modules = [(name, list(group)) for name, group in groupby(tests, key=lambda test: test[0])]
    shares: list[list[T]] = [[] for _ in range(workers)]
    seconds = [0.0] * workers
    for name, group in sorted(modules, key=lambda module: -SLOW[module[0]]):
        number = seconds.index(min(seconds))
        seconds[number] += SLOW[name]
        shares[number] += [test for _, test in group]
    return shares
