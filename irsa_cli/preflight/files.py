"""The files that preflight reads: regular ones, of a limited size."""

from __future__ import annotations

import errno
import os
import stat


class NotRead(Exception):
    """A file that preflight does not read, though an SDK may: a pipe, a device or a socket."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} {why}")


class OversizedFile(NotRead):
    """A file with more bytes than its content can have."""


def check_file(path: str) -> None:
    """Raise `NotRead` for a pipe, a device or a socket, and `OSError` for a missing file or a folder."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode) and not _is_null(status):
        raise NotRead(path, "is a pipe, a device or a socket, which irsa does not read")


def _is_null(status: os.stat_result) -> bool:
    """Whether it is /dev/null, by which templates say that there is no such file."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev


def read_text(path: str, most: int) -> str:
    """The text of a file with at most so many bytes.

    Raises `OSError` or `UnicodeDecodeError` if nobody can read it as text, and `NotRead` if irsa does not.
    """
    try:
        check_file(path)
    except ValueError:  # A NUL in the path.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    # If a pipe replaced the file meanwhile, open() does not wait for a writer.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        data = bytearray()
        while len(data) <= most:
            chunk = os.read(file, most + 1 - len(data))
            if not chunk:
                return data.decode("utf-8")
            data += chunk
    finally:
        os.close(file)
    raise OversizedFile(path, f"is larger than {most:,} bytes")
