"""What has one place stays in it: writing, the journal's context, the banner; no error changes in flight."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "irsa_cli"
PROGRAM = sorted(path for path in ROOT.rglob("*.py") if "sandbox" not in path.relative_to(ROOT).parts[:1])


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


WRITING = ["usecases/command/execute.py"]


@pytest.mark.parametrize(
    ("text", "within", "places"),
    [
        ("Transaction(", "usecases", WRITING),
        ("Journal.open(", "usecases", WRITING),
        ("Ended.PLANNED, cluster", "usecases", WRITING),
        ('"serviceAccount": ', "usecases/command", WRITING),
        ('f"account {self.account}"', "", ["core/values/cluster.py"]),
        ('" · ".join', "", ["cli/output/views/markdown.py", "core/values/shown.py"]),
        ("%H:%M} UTC", "", ["core/values/shown.py"]),
        ("vars(request.target)", "", []),
    ],
)
def test_what_has_one_place_stays_in_it(text: str, within: str, places: list[str]) -> None:
    files = {named(path): path.read_text(encoding="utf-8") for path in PROGRAM}
    assert [name for name, content in files.items() if text in content and name.startswith(within)] == places
