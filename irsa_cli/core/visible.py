"""Texts of others as they may be shown: on one line, and no character in them that does something.

Annotations, tags and error texts are written by others: none may forge a line, or move the cursor.
"""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with control and invisible characters as their code points."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
