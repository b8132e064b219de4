"""The page about the rules of audits: fresh, and complete."""

from __future__ import annotations

import subprocess
import sys

from irsa_cli.core.trust.rules.rule import RULES
from tests.docs.console import ROOT


def test_the_page_is_fresh() -> None:
    generator = ROOT / "tools" / "docs" / "audit_rules.py"
    ended = subprocess.run([sys.executable, str(generator), "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0


def test_the_page_has_every_rule_with_its_source() -> None:
    page = (ROOT / "docs" / "reference" / "audit-rules.md").read_text(encoding="utf-8")
    for rule in RULES.values():
        assert f"### {rule.id}\n" in page
        assert f"<{rule.source}>" in page
