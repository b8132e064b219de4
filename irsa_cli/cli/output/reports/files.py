"""Write the files that flags name for the next step of a pipeline: outputs, a summary, the JSON document."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irsa_cli.cli.output.reports.markdown import LEAST, SUMMARY_LENGTH
from irsa_cli.core.values.shown import json_text

FILES = ("output_file", "summary_file", "json_file")
"""Options that name a file."""
_CHANGING = ("committed", "planned", "incomplete")
"""Outcomes with a change, made or planned."""


@dataclass(frozen=True)
class ReportFiles:
    """The files for the result, '' for none; `max_length` None: each form's own."""

    output_file: str = ""
    summary_file: str = ""
    json_file: str = ""
    max_length: int | None = None

    @property
    def is_asked_for(self) -> bool:
        return bool(self.output_file or self.summary_file or self.json_file)

    def write(self, document: Mapping[str, Any], markdown: Callable[[int], str]) -> Iterator[OSError]:
        """Write all files; yields the errors of those that it can't write."""
        puts: dict[str, Callable[[Path], None]] = {
            self.json_file: lambda file: _replace(file, json_text(document) + "\n"),
            self.output_file: lambda file: _append(file, outputs(document)),
            self.summary_file: lambda file: _append(file, self._summary(file, markdown)),
        }
        for path, put in puts.items():
            try:
                if path:
                    put(Path(path))
            except OSError as error:
                yield OSError(error.errno, error.strerror or str(error), path)

    def _summary(self, path: Path, markdown: Callable[[int], str]) -> str:
        """The report, cut to the room that is left in the file."""
        room = SUMMARY_LENGTH - _size(path)
        length = max(LEAST, min(self.max_length or room, room))
        text = markdown(length)
        while (size := len(text.encode())) > max(LEAST, room) and length > LEAST:
            length = max(LEAST, min(length - 1_000, length * room // size))
            text = markdown(length)
        return text


def outputs(document: Mapping[str, Any]) -> str:
    """The outputs in GitHub's form, with random delimiters.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
    """
    text = ""
    for name, value in values(document).items():
        end = f"irsa_{secrets.token_hex(16)}"
        while end in value:
            end = f"irsa_{secrets.token_hex(16)}"
        text += f"{name}<<{end}\n{value}\n{end}\n"
    return text


def values(document: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a command by their names."""
    metadata, items = document["metadata"], document["items"]
    roles = list(
        dict.fromkeys(role["arn"] for item in items if (role := item.get("role")) and role.get("arn"))
    )
    transactions = list(dict.fromkeys(filter(None, (item.get("transaction") for item in items))))
    return {
        "exit-code": str(metadata["exitCode"]),
        "outcome": str(metadata["outcome"]),
        "changed": "true" if any(map(_is_changed, items)) else "false",
        "cluster": (metadata["cluster"] or {}).get("name", ""),
        "role-arn": roles[0] if len(roles) == 1 else "",
        "role-arns": json.dumps(roles),
        "transaction": transactions[0] if len(transactions) == 1 else "",
    }


def _is_changed(item: Mapping[str, Any]) -> bool:
    """Whether a command changed something, or would; never for one that only reads."""
    if item.get("outcome") == "unfinished":
        return any(change["state"] == "done" for change in item.get("changes", ()))
    return "changes" in item and item.get("outcome") in _CHANGING


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _opened(path: str, flags: int) -> int:
    """Open a file for writing; a pipe without a reader is an error."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    os.set_blocking(file, True)
    return file


def _replace(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", newline="\n", opener=_opened) as file:
        file.write(text)


def _append(path: Path, text: str) -> None:
    """Append it on lines of its own."""
    begun = ""
    if _size(path):
        with path.open("rb") as there:
            there.seek(-1, os.SEEK_END)
            begun = "" if there.read(1) == b"\n" else "\n"
    with open(path, "a", encoding="utf-8", newline="\n", errors="backslashreplace", opener=_opened) as file:
        file.write(begun + text)
