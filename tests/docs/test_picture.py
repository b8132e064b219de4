"""README's picture: what the program shows in a terminal today, drawn without anything from elsewhere."""

from __future__ import annotations

import importlib
import re
from typing import Any

from rich.text import Text

from tests.docs.console import ROOT

PICTURE: Any = importlib.import_module("tools.docs.picture")


def test_the_picture_is_in_the_readme_and_needs_nothing_else() -> None:
    assert "](docs/assets/terminal.svg)" in (ROOT / "README.md").read_text("utf-8")
    drawn = PICTURE.PICTURE.read_text("utf-8")
    assert set(re.findall(r"https?://[^\"]*", drawn)) == {"http://www.w3.org/2000/svg"}
    assert "<script" not in drawn


def test_what_differs_from_run_to_run_is_fixed() -> None:
    line = Text.assemble("a ", ("took 12.3 s", "green"), " of 4 s, /id/0123456789ABCDEF0123456789ABCDEF")
    fixed = PICTURE.fixed(line)
    assert fixed.plain == f"a took 0.1 s of 0.1 s, /id/{PICTURE._ISSUER_SHOWN}"
    assert [str(span.style) for span in fixed.spans if span.style][:1] == ["green"]


def test_what_is_done_at_once_is_drawn_in_one_order() -> None:
    lines = ["head", "  + ServiceAccount a", "  + Role b", "  ✓ Verified c", "  - Namespace d", "  - Role e"]
    shown = [line.plain for line in PICTURE.in_order([Text(line) for line in lines])]
    assert shown == [lines[number] for number in (0, 2, 1, 3, 5, 4)]
