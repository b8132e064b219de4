"""What all tests share: the rule that e2e tests run or are seen not to run, and how properties are tried."""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.e2e_policy", "tests.support.fixtures"]

# The same examples on every machine and in every run; a loaded machine is not a failure.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

# nohup leaves the first ignored, a shell's background job the others, and what tests start inherits that.
for number, handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
