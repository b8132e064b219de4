"""Runs irsa in this process, and sends it signals when so many functions of its main thread were called.

`python struck.py FIRST LAST NUMBER ARGUMENTS...`: the signal is sent at the FIRST-th call, and again LAST
calls later (0: only once). With FIRST 0 none is sent, and standard error ends with the number of calls.
It runs by path, so that it sees how irsa is imported: what comes before its entry point is Python's own.
"""

import atexit
import os
import sys
from types import FrameType
from typing import Any

from irsa_cli.__main__ import main

first, last, number = map(int, sys.argv[1:4])
sys.argv[1:] = sys.argv[4:]
begun = [0]
gone_on = [0]


def strike(frame: FrameType, event: str, _argument: Any) -> None:
    """The first one. What a handler raises ends this tracing."""
    if event == "call":
        begun[0] += 1
        if begun[0] == first:
            os.kill(os.getpid(), number)


def strike_again(frame: FrameType, event: str, _argument: Any) -> None:
    """The second one, by Python's other way of tracing."""
    if event == "call" and begun[0] >= first > 0:
        gone_on[0] += 1
        if gone_on[0] == last:
            os.kill(os.getpid(), number)


def tell() -> None:
    """How many there are."""
    if not first:
        os.write(2, f"{begun[0]}\n".encode())


# What is registered first is called last.
atexit.register(tell)
sys.settrace(strike)
if last:
    sys.setprofile(strike_again)
main()
