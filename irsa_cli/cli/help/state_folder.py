"""Where the journals of transactions are kept. Imported for completion, so it imports little."""

from __future__ import annotations

from pathlib import Path


def state_dir(given: str | None) -> Path:
    """Where journals live: as given, else where this system keeps a user's state."""
    if given:
        return Path(given)
    from platformdirs import user_state_path

    return user_state_path("irsa") / "transactions"
