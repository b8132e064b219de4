"""Which tests reach a planted fault: a pytest plugin in the copy of the checkout that `mutants.py` makes.

A process of irsa learns where it belongs from the first folder of PATH, which reaches every child of a test:
the folder of its worker, beside the number of the fault that is on.
"""

import builtins
import os
from pathlib import Path

import pytest

FOLDER = "IRSA_PLANTING"
CURRENT, REACHED, NUMBER = "current", "reached", "number"
PRELUDE = f'''

def _plant() -> None:
    import builtins
    import os

    place = os.environ.get("PATH", "").split(os.pathsep)[0]
    number, seen = -1, set()
    if os.path.exists(os.path.join(place, "{CURRENT}")):
        with open(os.path.join(os.path.dirname(place), "{NUMBER}")) as file:
            number = int(file.read())

    def planted(fault):
        if fault not in seen and number >= 0:
            seen.add(fault)
            with open(os.path.join(place, "{CURRENT}")) as file:
                test = file.read()
            line = os.open(os.path.join(place, "{REACHED}"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(line, f"{{fault}}\\t{{test}}\\n".encode())
            os.close(line)
        return fault == number

    builtins.planted_seen = seen
    builtins.planted = planted


_plant()
'''
"""What is added to the package's `__init__` in the copy: `planted(n)`, whether fault n is on."""
_PLACE = Path(os.environ.get(FOLDER, os.devnull)) / os.environ.get("PYTEST_XDIST_WORKER", "main")
if FOLDER in os.environ:
    # Before conftest.py imports irsa, which looks for it.
    _PLACE.mkdir(parents=True, exist_ok=True)
    (_PLACE / CURRENT).write_text("", encoding="utf-8")
    os.environ["PATH"] = f"{_PLACE}{os.pathsep}{os.environ['PATH']}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Say which test runs."""
    (_PLACE / CURRENT).write_text(item.nodeid, encoding="utf-8")
    vars(builtins).get("planted_seen", set()).clear()
