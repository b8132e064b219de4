"""The description and the links of the package: README.md for a reader who has no checkout.

A package index shows README.md without the files next to it, so relative links and images are broken there.
If IRSA_PROJECT_URL (https://HOST/OWNER/NAME) is set, as in a release, they become absolute links to
IRSA_PROJECT_REF (a tag; default: HEAD). Otherwise a link becomes `irsa docs PAGE`, and images are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+://|#)([^)\s]+)\)")


def description(text: str, url: str = "", ref: str = "HEAD") -> str:
    """Return README.md's text with absolute links, or without links if the project has no URL."""

    def replaced(link: re.Match[str]) -> str:
        image, words, target = link.groups()
        if url:
            return f"{image}[{words}]({url}/{'raw' if image else 'blob'}/{ref}/{target})"
        page = re.match(r"docs/([\w/-]+)\.md", target)
        return "" if image else f"{words} (`irsa docs {page[1]}`)" if page else words

    return _LINK.sub(replaced, text)


class Description(MetadataHookInterface):
    """Sets `readme` and `urls`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both to the metadata of the package."""
        url, ref = (
            os.environ.get("IRSA_PROJECT_URL", "").rstrip("/"),
            os.environ.get("IRSA_PROJECT_REF", "HEAD"),
        )
        text = description(Path(self.root, "README.md").read_text(encoding="utf-8"), url, ref)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        pages = {"Documentation": "docs/index.md", "Changelog": "CHANGELOG.md", "Security": "SECURITY.md"}
        links = {name: f"{url}/blob/{ref}/{path}" for name, path in pages.items()}
        metadata["urls"] = {"Repository": url, "Issues": f"{url}/issues", **links} if url else {}
