"""How thoroughly tests try: quick is the default; brief is `make room`, thorough `make test-thorough`.

A quick run has fewer examples of each property, and leaves out cases that only repeat others.
"""

import os

VARIABLE = "IRSA_TEST_PROFILE"
PROFILES = ("brief", "quick", "thorough")
PROFILE = os.environ.get(VARIABLE) or "quick"
if PROFILE not in PROFILES:
    raise SystemExit(f"{VARIABLE}={PROFILE}: expected one of {', '.join(PROFILES)}")
THOROUGH = PROFILE == "thorough"
EXAMPLES = {"brief": 5, "quick": 25, "thorough": 400}[PROFILE]
"""How many examples of a property are tried that does not say how many it is worth."""


def examples(worth: int) -> int:
    """How many examples of a property to try that is worth so many: a quick run tries a quarter of them."""
    if PROFILE == "brief":
        return 5
    return 4 * worth if THOROUGH else max(10, worth // 4)
