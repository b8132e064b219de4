"""What all tests share: the rule that e2e tests run or are seen not to run, and how properties are tried."""

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.support import botocore_once
from tests.support.this_process import forget_runs
from tests.support.thoroughness import EXAMPLES, PROFILE

pytest_plugins = ["tests.support.e2e_policy", "tests.support.fixtures", "tests.support.order"]

botocore_once.keep(descriptions=False)
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for, but rarely, and not among the tests and modules, which stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


# A loaded machine is not a failure.
PATIENT = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
# Quick: the same examples on every machine and in every run. Thorough: others each time, and a failure says
# how to try its own again.
for name in ("brief", "quick"):
    settings.register_profile(name, PATIENT, derandomize=True, max_examples=EXAMPLES)
settings.register_profile("thorough", PATIENT, max_examples=EXAMPLES, print_blob=True)
settings.load_profile(PROFILE)

# nohup leaves the first ignored, a shell's background job the others, and what tests start inherits that.
for number, handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _earlier_runs_are_forgotten() -> None:
    forget_runs()
