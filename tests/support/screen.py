"""The screen of a terminal after a command was run at one, as text: what a person sees, and its colours.

The terminal is a real pseudo-terminal (`tests.support.terminal`), what it is sent is drawn by pyte. A part in
a colour is written as `{red:…}`, the rest is as it stands there; times, ids and the like are masked.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

ROWS = 200
REGENERATE = "IRSA_WRITE_SCREENS"
_NAMES = {"default": "", "brown": "yellow"}
_MASKS = (
    (re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}"), "TRANSACTION"),
    (re.compile(r"\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\bN s old\b"), "AGE old"),
    (re.compile(r"(?<=/id/)[0-9A-F]{32}"), "ISSUER"),
    (re.compile(r"\b[0-9a-f]{40,}\b"), "DIGEST"),
)


def watch(
    command: Sequence[str], env: Mapping[str, str], folder: Path, *, columns: int = 100
) -> tuple[int, list[bytes]]:
    """Run a command at a terminal of `columns`; its exit code, and what the terminal was sent."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        command, env=env, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    pieces = []
    while piece := _read(ours):
        pieces.append(piece)
    os.close(ours)
    return process.wait(60), pieces


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Nobody has the other end any more.
        return b""


def drawn(pieces: Sequence[bytes], columns: int) -> pyte.Screen:
    """The screen that they make."""
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    for piece in pieces:
        stream.feed(piece)
    return screen


def shown(screen: pyte.Screen) -> str:
    """The screen as text with its colours, masked."""
    lines = [_line(screen, row) for row in range(ROWS)]
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def _line(screen: pyte.Screen, row: int) -> str:
    parts: list[tuple[str, str]] = []
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        colour = _NAMES.get(cell.fg, cell.fg)
        if cell.data == " " and parts:
            colour = parts[-1][0]
        if parts and parts[-1][0] == colour:
            parts[-1] = (colour, parts[-1][1] + cell.data)
        else:
            parts.append((colour, cell.data))
    text = "".join(_coloured(colour, said) for colour, said in parts).rstrip()
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def _coloured(colour: str, text: str) -> str:
    if not colour:
        return text
    inner = text.rstrip(" ")
    return f"{{{colour}:{inner}}}{text[len(inner) :]}"
