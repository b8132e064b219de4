"""Draw docs/assets/terminal.svg, the picture of README.md; with `--check`, fail when it is stale.

The commands of `SESSION` are run in a real terminal (a pseudo-terminal of this system) against a fresh
sandbox. A terminal emulator (pyte) keeps what a person would see at the end, rich draws it. What differs from
run to run (times, the issuer's id, the order of what is done at once) is drawn as if it did not. So the
picture changes when the words, marks or colours of the program do.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from fcntl import ioctl
from io import StringIO
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from irsa_cli.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "assets" / "terminal.svg"
COLUMNS, ROWS = 116, 60
POLICY = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:eu-west-1::jobs/*"}]}'
)
"""A policy document with a mistake that only IAM finds."""
BEFORE = ("irsa associate-oidc -c demo",)
SESSION = (
    "irsa create-sa s3-reader -n backend -c demo --verify \\\n"
    "    --attach-policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "irsa create-sa worker -n jobs -c demo --inline-policy jobs.json",
)
KINDS = ("Namespace", "Role", "PolicyAttachment", "InlinePolicy", "ServiceAccount")
SECONDS = 60
_TIME = re.compile(r"\b\d+(?:\.\d+)?(?= s\b)")
_NOW = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC)")
_ISSUER = re.compile(r"(?<=/id/)[0-9A-F]{32}")
_ISSUER_SHOWN = "EXAMPLED539D4633E53DE1B71EXAMPLE"
_COLOURS = {"brown": "yellow"}
"""What pyte calls other than rich."""
_THEME = TerminalTheme(
    (24, 28, 38),
    (214, 220, 232),
    [
        (72, 79, 96),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (214, 220, 232),
    ],
)
_SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <title>irsa gives a ServiceAccount a role; a run that fails is rolled back</title>
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def picture() -> str:
    """The picture, from commands that are run now."""
    with tempfile.TemporaryDirectory() as name, Sandbox() as sandbox:
        folder = Path(name)
        (folder / "jobs.json").write_text(POLICY, encoding="utf-8")
        env = _environment(folder, sandbox.env())
        for command in BEFORE:
            _screen(command, folder, env)
        shown: list[Text] = []
        for command in SESSION:
            shown += [_typed(line, first=not number) for number, line in enumerate(command.splitlines())]
            shown += [*_screen(command, folder, env), Text()]
    return drawn(shown[:-1])


def _environment(folder: Path, sandbox: Mapping[str, str]) -> dict[str, str]:
    """A terminal's environment, in which nothing of the caller's settings of AWS or colours is left."""
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "IRSA_STATE_DIR": str(folder / "state"),
    }
    return {**own, **sandbox}


def _screen(command: str, folder: Path, env: Mapping[str, str]) -> list[Text]:
    """The lines that are on a terminal after a command."""
    arguments = shlex.split(command.replace("\\\n", " "))[1:]
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "irsa_cli", *arguments],
        cwd=folder,
        env=dict(env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as running:
        os.close(theirs)
        while read := _read(ours):
            stream.feed(read)
        running.wait(SECONDS)
    os.close(ours)
    lines = [_line(screen, number) for number in range(screen.cursor.y + 1)]
    while lines and not lines[-1].plain:
        lines.pop()
    return in_order(lines)


def in_order(lines: list[Text]) -> list[Text]:
    """The lines with those of one stage, which are done at the same time, in the order of `KINDS`."""
    ordered: list[Text] = []
    for mark, group in groupby(lines, _mark):
        rows = list(group)
        if mark:
            rows.sort(key=lambda row: KINDS.index(row.plain.split()[1]), reverse=mark == "-")
        ordered += rows
    return ordered


def _mark(line: Text) -> str:
    """The mark of a change that is done; empty for any other line."""
    words = line.plain.split()
    return words[0] if len(words) > 1 and words[0] in ("+", "-") and words[1] in KINDS else ""


def _read(terminal: int) -> bytes:
    """What the program has written since; nothing when it has ended, which Linux tells by an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _line(screen: pyte.Screen, number: int) -> Text:
    cells = [screen.buffer[number][column] for column in range(screen.columns)]
    line = Text()
    for cell in cells:
        line.append(cell.data, _style(cell))
    line.rstrip()
    return fixed(line)


def _style(cell: pyte.screens.Char) -> Style:
    colour = None if cell.fg == "default" else _COLOURS.get(cell.fg, cell.fg.replace("bright", "bright_"))
    return Style(color=colour, bold=cell.bold or None, italic=cell.italics or None)


def fixed(line: Text) -> Text:
    """The line with fixed values for what differs from run to run."""
    for pattern, value in ((_TIME, "0.1"), (_NOW, "2026-06-01 12:00"), (_ISSUER, _ISSUER_SHOWN)):
        for found in reversed(list(pattern.finditer(line.plain))):
            before, within, after = line.divide([found.start(), found.end()])
            line = Text.assemble(before, Text(value, within.spans[0].style if within.spans else ""), after)
    return line


def _typed(line: str, *, first: bool) -> Text:
    return Text.assemble(("$ " if first else "", "bold blue"), (line, "bold"))


def drawn(lines: list[Text]) -> str:
    """The lines as a picture, which asks for no font of elsewhere."""
    console = Console(
        width=COLUMNS, record=True, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines:
        console.print(line, no_wrap=True, highlight=False)
    return console.export_svg(title="irsa", theme=_THEME, code_format=_SVG, unique_id="irsa")


def main(arguments: list[str]) -> int:
    """Draw the picture, or compare it; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python tools/docs/picture.py [--check]", file=sys.stderr)
        return 2
    desired = picture()
    if not arguments:
        PICTURE.write_text(desired, encoding="utf-8")
    elif not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != desired:
        print("docs/assets/terminal.svg is stale: python tools/docs/picture.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
