"""An object whose age nobody can know is an error in words, and no bug."""

import pytest

from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.recovery.by_cluster import _created


@pytest.mark.parametrize("more", [{}, {"creationTimestamp": None}, {"creationTimestamp": "yesterday"}])
def test_an_object_without_a_time_is_named(more: dict[str, str | None]) -> None:
    with pytest.raises(IrsaError, match="when app was created"):
        _created({"name": "app", **more})
    assert _created({"name": "app", "creationTimestamp": "2026-01-02T03:04:05Z"}).year == 2026
