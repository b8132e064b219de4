"""Configuration files: which there are, and their text.

What they say is `irsa_cli.core.config`'s business.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from irsa_cli.core.config import Config, distinct, parse
from irsa_cli.core.values.errors import InvalidInput

T = TypeVar("T")

STDIN = "-"
MAX_BYTES = 16 * 2**20
"""A file of ten thousand ServiceAccounts has less."""
NO_WRITER_SECONDS, SILENT_SECONDS = 10.0, 60.0
"""How long a pipe that nobody has opened for writing, and one that says nothing, are waited for."""
_ENDINGS = (".yaml", ".yml", ".json")


def read_configs(paths: Sequence[str]) -> list[Config]:
    """The configurations in these files and folders, in order; `-` is standard input.

    Of a folder, the files that end in .yaml, .yml and .json are read, by their names; not those in folders
    below it. Raises `InvalidInput` with all that is wrong in them: what can't be read, a ServiceAccount given
    in two places, and a path that holds no document, as a generator that failed leaves it.
    """
    found: dict[str, list[Config]] = {}
    problems: list[InvalidInput] = []
    for path in dict.fromkeys(paths):
        before = len(problems)
        files = _tried(_files, path, problems)
        found |= {file: _tried(_configs, file, problems) for file in files if file not in found}
        if len(problems) == before and not any(found[file] for file in files):
            what = "standard input" if path == STDIN else path
            problems.append(InvalidInput(f"{what} holds no document"))
    configs = [config for part in found.values() for config in part]
    try:
        distinct(configs)
    except InvalidInput as error:
        problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = [line for error in problems for line in error.details or (str(error),)]
        raise InvalidInput(f"the files have {len(lines)} problems", details=lines)
    return configs


def _tried(read: Callable[[str], list[T]], path: str, problems: list[InvalidInput]) -> list[T]:
    """What is read, or nothing and one more problem."""
    try:
        return read(path)
    except InvalidInput as error:
        problems.append(error)
        return []


def _configs(file: str) -> list[Config]:
    if file == STDIN:
        return parse(read_text(STDIN), "standard input", partial(_beside, Path()))
    return parse(read_text(file), file, partial(_beside, Path(file).parent))


def _files(path: str) -> list[str]:
    if path == STDIN or not Path(path).is_dir():
        return [path]
    try:
        inside = sorted(item for item in Path(path).iterdir() if item.suffix in _ENDINGS and item.is_file())
    except OSError as error:
        raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from error
    if not inside:
        raise InvalidInput(f"{path} has no file that ends in {', '.join(_ENDINGS)}")
    return [str(item) for item in inside]


def _beside(folder: Path, name: str) -> str:
    """The text of a policy document that a configuration in this folder names."""
    return read_text(folder / name)


def read_text(path: str | Path) -> str:
    """The text of a file, a pipe or standard input (`-`).

    Raises `InvalidInput` for what is no text, is larger than `MAX_BYTES`, or has no end.
    """
    what = "standard input" if path == STDIN else str(path)
    try:
        data = _stdin() if path == STDIN else _file(path)
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


class _Endless(Exception):
    """What is read has no end, as far as anybody can wait for it."""


def _file(path: str | Path) -> bytes:
    # Without O_NONBLOCK, open() itself would wait for somebody to write to a FIFO.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return _until_the_end(file)
    finally:
        os.close(file)


def _stdin() -> bytes:
    try:
        file = sys.stdin.fileno()
    except (AttributeError, OSError):  # Closed, or replaced by a program that calls this one.
        return sys.stdin.buffer.read() if sys.stdin is not None else b""
    return _until_the_end(file)


def _until_the_end(file: int) -> bytes:
    # A person at a terminal is waited for.
    waits = not stat.S_ISREG(os.fstat(file).st_mode) and not os.isatty(file)
    found = bytearray()
    while part := _part(file, waits=waits):
        found += part
        if len(found) > MAX_BYTES:
            raise _Endless(f"it is larger than {MAX_BYTES // 2**20} MiB")
    return bytes(found)


def _part(file: int, *, waits: bool) -> bytes:
    """The next part, b"" at the end; a pipe is not waited for without an end."""
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
    """Whether there is something to read, or the end."""
    return bool(select.select([file], [], [], seconds)[0])
