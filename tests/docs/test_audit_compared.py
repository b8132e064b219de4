"""The comparison of audits: the page has all rules, and what it says of irsa is so."""

from __future__ import annotations

import importlib
from typing import Any

from tests.support.edited_program import ROOT

PAGE = ROOT / "docs" / "explanation" / "audit-compared.md"


COMPARED: Any = importlib.import_module("tools.audit_compared")


def test_the_page_says_what_irsa_finds() -> None:
    corpus = COMPARED.Corpus()
    expected = list(COMPARED.rows(corpus, {"irsa": COMPARED.by_irsa()}))
    lines = PAGE.read_text("utf-8").partition(COMPARED.BEGIN)[2].partition(COMPARED.END)[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert table[0] == ["rule", "planted", "irsa", *COMPARED.TOOLS]
    assert [row[:3] for row in table[2:]] == expected[1:]
    assert all(planted == irsa for _, planted, irsa in expected[1:-1])
    assert expected[-1][1:] == [str(COMPARED.TIGHT), "0"]
