"""How long one call may take; every call that irsa makes has this limit."""

from __future__ import annotations

import os

from irsa_cli.core.errors import InvalidInput

VARIABLE = "IRSA_CALL_TIMEOUT"
DEFAULT_SECONDS = 10.0


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
