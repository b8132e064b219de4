"""The script that measures the house, as a module."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools/house/measure.py"


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """`tools/house/measure.py`."""
    spec = importlib.util.spec_from_file_location("house_measure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
