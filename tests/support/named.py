"""Cases of a test in a table: a sentence, which is the case's id, and the values."""

from typing import Any

import pytest


def named(names: str, *cases: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Cases of which the first value is what is special about it, and the others are those of the names."""
    values = [case[1:] for case in cases]
    return pytest.mark.parametrize(names.split(), values, ids=[case[0] for case in cases])
