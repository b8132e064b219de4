"""The documentation as a site, built as `make docs` does: complete, readable, nothing from elsewhere."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown import markdown

from tests.docs.console import ROOT, pages

DOCS = ROOT / "docs"
EXTENSION = "tools.docs.console_blocks"
LOADS = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "image": "href",
}


class Page(HTMLParser):
    """What a page loads, what its navigation links to, and its blocks of code."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.blocks: list[tuple[str, str]] = []
        """Each block's classes and HTML, as it stands between its tags."""
        text = file.read_text("utf-8")
        self.navigation = False
        self.feed(text)
        self.blocks = re.findall(
            r'<div class="([^"]*\bhighlight\b[^"]*)"><pre>(.*?)</pre></div>', text, re.DOTALL
        )
        config = re.search(r'<script id="__config" type="application/json">(.*?)</script>', text, re.DOTALL)
        self.settings: Mapping[str, Any] = json.loads(config[1]) if config else {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "nav" and "md-nav--primary" in (given.get("class") or ""):
            self.navigation = True
        if tag == "a" and self.navigation and given.get("href"):
            self.linked.append(str(given["href"]))
        source = given.get(LOADS.get(tag, ""))
        if source and given.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built strictly."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(folder / "mkdocs.yml")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def built(site: Path) -> Mapping[str, Page]:
    """The site's pages, by the names of their sources."""
    sources = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    return {name: Page((site / name).with_suffix(".html")) for name in sources}


def test_nothing_is_loaded_from_elsewhere(site: Path, built: Mapping[str, Page]) -> None:
    assert [source for page in built.values() for source in page.loaded if "//" in source] == []
    sheets = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert sheets
    assert not [sheet for sheet in sheets if re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet)]


def test_all_that_is_loaded_is_there(site: Path, built: Mapping[str, Page]) -> None:
    for name, page in built.items():
        folder = (site / name).parent
        assert page.loaded
        assert [source for source in page.loaded if not (folder / source).exists()] == []


def test_scripts_are_given_nothing_that_makes_them_load_more(site: Path) -> None:
    """Of diagrams, formulas and a repository's numbers, the theme's script asks other hosts."""
    text = "".join(path.read_text("utf-8") for path in site.rglob("*.html"))
    assert not re.search(r'class="(?:mermaid|arithmatex)|data-md-component="source"', text)


def test_every_page_is_in_every_navigation(built: Mapping[str, Page]) -> None:
    for name, page in built.items():
        here = Path(name).parent
        targets = {_normal(here, link) for link in page.linked}
        assert {other for other in built if _html(other) not in targets} - {name} == set(), name


def _normal(here: Path, link: str) -> str:
    return (DOCS / here / link.partition("#")[0]).resolve().relative_to(DOCS).as_posix()


def _html(name: str) -> str:
    return str(Path(name).with_suffix(".html"))


def test_commands_are_highlighted_and_can_be_copied(built: Mapping[str, Page]) -> None:
    for page in built.values():
        assert "content.code.copy" in page.settings["features"]
    blocks = [block for page in built.values() for block in page.blocks]
    commands = [text for classes, text in blocks if "command" in classes.split()]
    assert len(commands) > 20
    assert [text for text in commands if "<span class=" not in text] == []
    assert not [classes for classes, _ in blocks if "no-copy" in classes and "output" not in classes]


def test_no_command_has_a_prompt(built: Mapping[str, Page]) -> None:
    """Neither as it is shown, nor in the sources of blocks that are not run; `#` begins a comment there."""
    for name, page in built.items():
        shown = [re.sub(r"<[^>]+>", "", text) for classes, text in page.blocks if "output" not in classes]
        assert [text for text in shown if re.search(r"^(?:\$|&gt;) ", text, re.MULTILINE)] == [], name


def test_every_block_says_its_language() -> None:
    for page in pages():
        fences = re.findall(r"^ *```(.*)$", page.read_text("utf-8"), re.MULTILINE)
        assert (all(fences[::2]), any(fences[1::2])) == (True, False), page


def split(source: str) -> str:
    """The page as the extension gives it on to the others."""
    text: str = importlib.import_module(EXTENSION).split(source)
    return text


def _html_of(source: str) -> str:
    return markdown(source, extensions=["attr_list", EXTENSION, "pymdownx.superfences"])


def test_a_console_block_becomes_commands_and_output() -> None:
    source = "```console\n$ one \\\n>   two\n$ three\nsaid\n> said\n$ four\n$ echo $?\n4\n```\n"
    assert split(source) == (
        "``` { .sh .command }\none \\\n  two\nthree\n```\n\n"
        "``` { .text .output .no-copy }\nsaid\n> said\n```\n\n"
        "``` { .sh .command }\nfour\n```\n\n"
        "Exit code 4\n{ .exit-code }\n"
    )
    assert '<p class="exit-code">Exit code 4</p>' in _html_of(source)


def test_a_console_block_of_a_list_stays_in_the_list() -> None:
    source = "1. do\n\n    ```console\n    $ one\n    said\n    ```\n\n2. then\n"
    html = _html_of(source)
    assert html.count("<li>") == 2
    assert html.count("<ol>") == 1


def test_the_first_page_links_to_every_page() -> None:
    listed = set(re.findall(r"\]\(([^)#]+\.md)", (DOCS / "index.md").read_text("utf-8")))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - listed == {"index.md"}


def test_the_readme_leads_to_all_pages() -> None:
    """It links to the first page, which links to every page, and is short enough to be read."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "](docs/index.md)" in readme
    assert len(readme.split()) <= 900
