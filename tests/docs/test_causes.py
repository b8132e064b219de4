"""The page about causes: fresh, complete, and its table as the tests demand it."""

from __future__ import annotations

import re
import subprocess
import sys

from irsa_cli.core.doctor.causes import CAUSES
from tests.docs.console import ROOT
from tests.scenarios.breaks import BREAKS, ELSEWHERE

PAGE = ROOT / "docs" / "reference" / "causes.md"


def test_the_page_is_fresh() -> None:
    generator = ROOT / "tools" / "docs" / "causes.py"
    ended = subprocess.run([sys.executable, str(generator), "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0


def test_every_cause_is_found_never_missed_and_never_named_wrongly() -> None:
    rows = re.findall(
        r"^\| \[([a-z-]+)\]\(#\1\) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", PAGE.read_text(), re.MULTILINE
    )
    assert [row[0] for row in rows] == list(CAUSES)
    for _, ways, found, missed, false in rows:
        assert (found, missed, false) == (ways, "0", "0")


def test_what_is_tried_end_to_end_exists() -> None:
    assert {cause for cause, _ in BREAKS.values()} | set(ELSEWHERE) <= set(CAUSES)


def test_the_page_links_to_every_source() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [cause.id for cause in CAUSES.values() if f"<{cause.source}>" not in page] == []
