"""Write the files that flags name for a pipeline: a summary, the JSON document."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irsa_cli.cli.output.text import json_text

FILES = ("summary_file", "json_file")
"""Options that name a file."""


@dataclass(frozen=True)
class ReportFiles:
    """The files for the result, '' for none; `max_length` None: each form's own."""

    summary_file: str = ""
    json_file: str = ""
    max_length: int | None = None

    @property
    def is_asked_for(self) -> bool:
        return bool(self.summary_file or self.json_file)

    def write(self, document: Mapping[str, Any], markdown: Callable[[int], str]) -> Iterator[OSError]:
        """Write all files; yields the errors of those that it can't write."""
        puts: dict[str, Callable[[Path], None]] = {
            self.json_file: lambda file: _write(file, "w", json_text(document) + "\n"),
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
        from irsa_cli.cli.output.reports.markdown import LEAST, SUMMARY_LENGTH

        room = SUMMARY_LENGTH - _size(path)
        length = max(LEAST, min(self.max_length or room, room))
        text = markdown(length)
        while (size := len(text.encode())) > max(LEAST, room) and length > LEAST:
            length = max(LEAST, min(length - 1_000, length * room // size))
            text = markdown(length)
        return text


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


def _write(path: Path, mode: str, text: str) -> None:
    with open(path, mode, encoding="utf-8", newline="\n", errors="backslashreplace", opener=_opened) as file:
        file.write(text)


def _append(path: Path, text: str) -> None:
    """Append it on lines of its own."""
    begun = ""
    if _size(path):
        with path.open("rb") as there:
            there.seek(-1, os.SEEK_END)
            begun = "" if there.read(1) == b"\n" else "\n"
    _write(path, "a", begun + text)
