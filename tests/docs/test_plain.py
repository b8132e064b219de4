"""Plain English: the forms that readers stumble over are found in texts, docstrings and names."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

PLAIN: Any = importlib.import_module("tools.docs.plain")


def test_no_text_that_is_done_has_a_form_to_avoid() -> None:
    assert PLAIN.problems() == []


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Create it where it is missing.", "where it"),
        ("The role is to be deleted.", "is to be"),
        ("Let a trust policy be broad.", "let be"),
        ("The deletion goes on.", "goes on"),
        ("irsa takes the annotation away.", "take away"),
        ("Pods that can become the role.", "become a role"),
        ("Make the role.", "make"),
        ("A role that Terraform or a person made.", "be made"),
        ("It was made.", "be made"),
        ("Delete the policy, too.", ", too"),
        ("What the target role requires.", "bare What"),
        ("Done. What remains of it.", "bare What"),
        ("What happened?", None),
        ("As `--approve`, as eksctl has it.", "as X has it"),
        ("Options can stand in the file.", "stand in"),
        ("The user is told.", "told, said of"),
        ("The policy admits pods.", "admit"),
        ("Beside, nothing.", "beside"),
        ("The call is waited for.", "waited for"),
        ("It is nothing but a name.", "nothing but"),
        ("Create the role if it is missing.", None),
    ],
)
def test_a_form_is_found(text: str, form: str | None) -> None:
    found = [one.name for one in PLAIN.FORMS if one.found_by.search(text)]
    assert found == ([form] if form else [])


def test_docstrings_names_and_long_messages_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        f'"""What is here."""\n\n\ndef laid(told):  # where it is missing\n    return "{"word " * 26}."\n'
    )
    monkeypatch.setattr(PLAIN, "ROOT", tmp_path)
    found = PLAIN.found_in(module)
    assert sorted((one.line, one.words) for one in found["code"]) == [
        (1, "What is here."),
        (4, "laid"),
        (4, "told"),
        (4, "where it"),
    ]
    assert [one.line for one in found["messages"]] == [5]
