"""A real Chromium without a screen, where there is one: what a page becomes in it, and what it asks for."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.programs import first_of, reason

LIMIT = 600
"""Seconds after which a browser hangs, also on a machine that has other things to do."""
_BROWSER = first_of("chromium", "chromium-browser", "google-chrome", "chrome")
needs_browser = pytest.mark.skipif(_BROWSER is None, reason=reason("chromium"))


@dataclass(frozen=True)
class Loaded:
    """A page that has been loaded: its DOM as HTML, its console, and the addresses that it asked for."""

    dom: str
    console: tuple[str, ...]
    asked: tuple[str, ...]

    def text_of(self, identifier: str) -> str:
        """The text in the element, without elements in it."""
        found = re.search(rf'<(\w+)[^>]* ?id="{identifier}"[^>]*>(.*?)</\1>', self.dom, re.DOTALL)
        assert found, identifier
        return re.sub(r"<[^>]*>", "", found[2])


def load(page: Path, folder: Path, fragment: str = "") -> Loaded:
    """Open a page; nothing that it, or the browser by itself, asks for leaves the machine."""
    assert _BROWSER is not None
    net = folder / "net.json"
    command = [
        _BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={net}",
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        "--window-size=1280,900",
        "--dump-dom",
        f"{page.as_uri()}#{fragment}",
    ]
    ran = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=LIMIT, check=False
    )
    assert ran.returncode == 0, ran.stderr
    console = tuple(line for line in ran.stderr.splitlines() if ":CONSOLE" in line)
    return Loaded(ran.stdout, console, tuple(_asked(net)))


def _asked(net: Path) -> list[str]:
    """Requests of pages: those of the browser itself have no origin."""
    document = json.loads(net.read_text(encoding="utf-8"))
    found = [event.get("params", {}) for event in document["events"]]
    return [params["url"] for params in found if params.get("initiator", "not an origin") != "not an origin"]
