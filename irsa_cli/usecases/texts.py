"""Read files, pipes and standard input of any size and speed: all files that the user names."""

from __future__ import annotations

import codecs
import errno
import os
import select
import stat
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from irsa_cli.core.values.errors import InvalidInput, IrsaError

STDIN = "-"
MAX_BYTES = 16 * 2**20
"""A file with ten thousand ServiceAccounts has less."""
NO_WRITER_SECONDS = 10.0
SILENT_SECONDS = 60.0
PIPE_SECONDS = 600.0
"""Seconds to wait for a pipe without a writer, a silent one, and any."""


def files_in(
    folder: Path,
    endings: Collection[str],
    problems: list[IrsaError],
    *,
    deep: bool = True,
    left_out: Collection[str] = (),
) -> list[Path]:
    """The files of a folder with these endings, sorted; `deep`: also below it, without folders `left_out`.

    irsa does not follow links to folders. Unreadable folders, and matches that are no files, are problems.
    """
    found: list[Path] = []

    def unlisted(error: OSError) -> None:
        problems.append(InvalidInput(f"{error.filename} can't be read", reason=error.strerror or str(error)))

    for here, below, names in os.walk(folder, onerror=unlisted):
        below[:] = [name for name in below if deep and name not in left_out]
        for path in (Path(here, name) for name in names if Path(name).suffix in endings):
            if os.path.exists(path) and not os.path.isfile(path):
                problems.append(InvalidInput(f"{path} can't be read", reason="it is no file"))
            else:
                found.append(path)
    return sorted(found)


def files_named(path: str, endings: Collection[str]) -> list[str]:
    """The file itself, or those of a folder with these endings; raises `InvalidInput` if it has none."""
    if path == STDIN or not Path(path).is_dir():
        return [path]
    problems: list[IrsaError] = []
    inside = files_in(Path(path), endings, problems, deep=False)
    if problems:
        raise problems[0]
    if not inside:
        raise InvalidInput(f"{path} has no file that ends in {', '.join(endings)}")
    return [str(item) for item in inside]


def read_text(path: str | Path, limit: int = 0) -> str:
    """The text of a file, a pipe or standard input (`-`).

    Raises `InvalidInput` if it is not text, has more than `limit` (else `MAX_BYTES`) bytes, or has no end.
    """
    what = "standard input" if path == STDIN else str(path)
    limit = limit or MAX_BYTES
    try:
        data = _stdin(limit) if path == STDIN else _file(path, limit)
    except OSError as error:
        raise InvalidInput(f"{what} can't be read", reason=error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the name
        raise InvalidInput(f"{what} can't be read", reason=str(error)) from error
    except _Endless as error:
        raise InvalidInput(f"{what} can't be read", reason=str(error)) from None
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        return data.decode("utf-16" if data.startswith(marks) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{what} is not a text file", reason=f"byte {error.start + 1} is not UTF-8"
        ) from error


def read_whole(path: Path) -> str:
    """The text of a regular file, with its line breaks and its byte order mark; raises `InvalidInput`."""
    if path.exists() and not path.is_file():
        raise InvalidInput(f"{path} can't be read", reason="it is no file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput(f"{path} can't be read", reason=f"it is larger than {MAX_BYTES / 2**20:g} MiB")
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} is not UTF-8"
        raise InvalidInput(f"{path} is not a text file", reason=reason) from error


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files with these line breaks, and the folders that they need; raises `OSError`."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


class _Endless(Exception):
    """The input has no end within the time limit."""


def _file(path: str | Path, limit: int) -> bytes:
    # Without O_NONBLOCK, open() itself would wait for somebody to write to a FIFO.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return _until_the_end(file, limit)
    finally:
        os.close(file)


def _stdin(limit: int) -> bytes:
    try:
        file = sys.stdin.fileno()
    except (AttributeError, OSError):  # Closed, or replaced by a program that calls this one.
        return sys.stdin.buffer.read() if sys.stdin is not None else b""
    return _until_the_end(file, limit)


def _until_the_end(file: int, limit: int) -> bytes:
    # Wait for a person at a terminal.
    waits = not stat.S_ISREG(os.fstat(file).st_mode) and not os.isatty(file)
    found = bytearray()
    latest = time.monotonic() + PIPE_SECONDS
    while part := _part(file, waits=waits):
        found += part
        if len(found) > limit:
            raise _Endless(f"it is larger than {limit / 2**20:g} MiB")
        if waits and time.monotonic() > latest:
            raise _Endless(f"it has no end within {PIPE_SECONDS:.0f} seconds")
    return bytes(found)


def _part(file: int, *, waits: bool) -> bytes:
    """The next part, b"" at the end; a pipe has a time limit."""
    if waits and not _is_ready(file, NO_WRITER_SECONDS):
        try:
            part = os.read(file, 2**16) if not os.get_blocking(file) else None
        except BlockingIOError:
            part = None
        if part == b"":
            raise _Endless("nobody writes to this pipe")
        if not part and not _is_ready(file, SILENT_SECONDS - NO_WRITER_SECONDS):
            raise _Endless(f"nothing has come for {SILENT_SECONDS:.0f} seconds, and no end")
        if part:
            return part
    return os.read(file, 2**16)


def _is_ready(file: int, seconds: float) -> bool:
    return bool(select.select([file], [], [], seconds)[0])
