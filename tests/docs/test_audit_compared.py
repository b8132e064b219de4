"""The comparison of audits: the page has all rules, and what it says of irsa is so."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.support.edited_program import ROOT

PAGE = ROOT / "docs" / "explanation" / "audit-compared.md"


@pytest.fixture(scope="module")
def compared() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_compared", ROOT / "tools" / "audit_compared.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_says_what_irsa_finds(compared: ModuleType) -> None:
    corpus = compared.Corpus()
    expected = list(compared.rows(corpus, {"irsa": compared.by_irsa()}))
    lines = (
        PAGE.read_text(encoding="utf-8").partition(compared.BEGIN)[2].partition(compared.END)[0].splitlines()
    )
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert table[0] == ["rule", "planted", "irsa", *compared.TOOLS]
    assert [row[:3] for row in table[2:]] == expected[1:]
    assert all(planted == irsa for _, planted, irsa in expected[1:-1])
    assert expected[-1][1:] == [str(compared.TIGHT), "0"]
