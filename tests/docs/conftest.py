"""What tests of the documentation share: they wait no longer than scenarios do."""

import pytest


@pytest.fixture(autouse=True)
def hurried(short_pauses: None) -> None:
    """What a test runs in this process is as quick as a scenario."""
