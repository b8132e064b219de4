"""The seal of a journal: that this user's irsa, on this machine, has written its plan.

The key lies with the user's data and not with the journals: a folder of journals that is brought from
elsewhere (a cache, an archive, a repository) brings no key with it. Where no key can be kept, journals go
without a seal. `irsa_cli.core.recovery.authority` decides what a journal without one may still do.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.private import check_folder, make_folder, open_own

NAME = "journal.key"
_SIZE = 32


def seal(data: bytes) -> str:
    """The seal for a text, '' if this user has no key and none can be created."""
    for path in _places():
        key = _read(path) or _make(path)
        if key:
            return _seal(key, data)
    return ""


def is_sealed(data: bytes, found: str) -> bool:
    """Whether the text bears the seal of this user."""
    keys = (_read(path) for path in _places())
    return any(hmac.compare_digest(_seal(key, data), found) for key in keys if key)


def _seal(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, "sha256").hexdigest()


def _places() -> Iterator[Path]:
    """Where the key may lie: HOME may be somebody else's folder, as in the containers of some CI systems."""
    from platformdirs import user_data_path

    first = user_data_path("irsa") / NAME
    yield first
    with suppress(KeyError, ImportError):
        import pwd

        second = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".local" / "share" / "irsa" / NAME
        if second != first:
            yield second


def _read(path: Path) -> bytes:
    """The key, b'' if there is none, or one that is not the user's secret."""
    with suppress(OSError, Refused, ValueError), open(open_own(path), "rb") as file:
        if not os.fstat(file.fileno()).st_mode & 0o077:
            key = file.read(_SIZE + 1)
            return key if len(key) == _SIZE else b""
    return b""


def _make(path: Path) -> bytes:
    """Create a key, whole or not at all; of two at the same time, one wins."""
    with suppress(OSError, Refused, ValueError):
        check_folder(path.parent)
        make_folder(path.parent)
        new = path.with_name(f".{NAME}.{secrets.token_hex(4)}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(file, "wb") as stream:
                stream.write(secrets.token_bytes(_SIZE))
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                os.link(new, path)
        finally:
            new.unlink()
    return _read(path)
