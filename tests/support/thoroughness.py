"""How thoroughly tests try: quick, which is what runs by default, or thorough (`make test-thorough`).

A quick run has fewer examples of each property, and leaves out cases that only repeat others.
"""

import os

VARIABLE = "IRSA_TEST_PROFILE"
PROFILES = ("quick", "thorough")
PROFILE = os.environ.get(VARIABLE) or "quick"
if PROFILE not in PROFILES:
    raise SystemExit(f"{VARIABLE}={PROFILE}: expected one of {', '.join(PROFILES)}")
THOROUGH = PROFILE == "thorough"
