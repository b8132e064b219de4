"""The files that preflight reads, and those that it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from irsa_cli.preflight.files import NotRead, OversizedFile, read_text


def test_a_file_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("é" * 10)
    assert read_text(str(path), 20) == "é" * 10
    with pytest.raises(OversizedFile, match="larger than 19 bytes"):
        read_text(str(path), 19)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/tty"):
        with pytest.raises(NotRead):
            read_text(str(path), 10)
    with pytest.raises(IsADirectoryError):
        read_text(str(tmp_path), 10)


def test_the_file_by_which_templates_say_that_there_is_none() -> None:
    assert read_text(os.devnull, 10) == ""


@pytest.mark.parametrize("path", ["", "/no/such/file", "a\0b"])
def test_a_missing_file(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        read_text(path, 10)


def test_the_content_of_proc_has_no_size() -> None:
    assert read_text("/proc/version", 10_000).startswith("Linux")
