"""How long a call may take (each one has this limit), and IAM until it is consistent."""

from __future__ import annotations

import os

from irsa_cli.core.errors import InvalidInput

VARIABLE = "IRSA_CALL_TIMEOUT"
DEFAULT_SECONDS = 10.0

PROPAGATION_SECONDS = 30.0
"""For how long IAM may not yet know, in one place, what it has confirmed in another.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""


def call_seconds() -> float:
    """Seconds to wait for the answer to one call; raises `InvalidInput` for a value that is none."""
    text = os.environ.get(VARIABLE) or str(DEFAULT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 600:
        raise InvalidInput(f"{VARIABLE}={text} is not a time-out", reason="expected 0.1 to 600 seconds")
    return seconds
