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
_ALWAYS = (
    (rb"\d{8}T\d{9}Z-[0-9a-f]{8}", b"20260601T120000000Z-0a1b2c3d"),
    (rb"(?<=/id/)[0-9A-F]{32}", b"0123456789ABCDEF0123456789ABCDEF"),
    (rb"127\.0\.0\.1:\d{5}", b"127.0.0.1:44444"),
    (rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", b"2026-06-01 12:00:00"),
    (rb"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC)", b"2026-06-01 12:00"),
    (rb"(?<=created on )\d{4}-\d\d-\d\d", b"2026-06-01"),
    (rb"(?<=kid            )[\w-]{43}", b"K" * 43),
    (rb"(?<=until )\d\d:\d\d:\d\d", b"13:00:00"),
)
"""What is another in each run, and what stands for it, of the same length: lines break at the same place."""
_MASKS = (
    (re.compile(r"\b\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"(?<=Z-0a1b2c3d   )\d+[smh]\b(?=   )"), "Ns"),
    (re.compile(r"(?<=   )\d+[sm]\b(?=$|   )"), "Ns"),
    (re.compile(r"^AGE +\d+s$"), "AGE Ns"),
    (re.compile(r"\b\d+s(?= old$)"), "Ns"),
)


def watch(
    command: Sequence[str], env: Mapping[str, str], folder: Path, *, columns: int = 100, answer: str = ""
) -> tuple[int, list[bytes]]:
    """Run a command at a terminal of `columns`; its exit code, and what the terminal was sent.

    `answer` is typed once it asks for yes or no.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        command, env=env, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    pieces: list[bytes] = []
    while piece := _read(ours):
        pieces.append(piece)
        if answer and b"[y/N]: " in b"".join(pieces):
            os.write(ours, f"{answer}\n".encode())
            answer = ""
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
    sent = b"".join(pieces)
    for pattern, same in _ALWAYS:
        sent = re.sub(pattern, same, sent)
    stream.feed(sent)
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
