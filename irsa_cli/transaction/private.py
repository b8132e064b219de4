"""Files that nobody but the user can have put there, or changed: what is taken as this user's own word.

A file counts when it and its folder belong to the user, every folder above to the user or to root, and nobody
else may write them. Anybody who may write to a folder may replace its files, except in a sticky one (`/tmp`).
Once that is known from the top down, nobody else can change the answer between the look and the reading.

A folder that a group may write is accepted where the group is the user's alone: a private group of the user's
own name (umask 002), or root's group without other members (containers that run under any uid, with group 0).

The seal of a journal says that this user's irsa, on this machine, has written its plan. Its key lies with the
user's data and not with the journals: a folder of journals that is brought from elsewhere (a cache, an
archive, a repository) brings no key with it. Where no key can be kept, journals go without a seal.
`irsa_cli.core.recovery.authority` decides what a journal without one may still do.
"""

from __future__ import annotations

import hmac
import os
import secrets
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from irsa_cli.core.values.errors import Refused

LINKS = 40
"""So many symbolic links are followed at most, as the kernel does."""


class NotPrivate(Refused):
    """Somebody else may have put it there, or can change it."""


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, for the user only, whatever the umask."""
    for path in [*reversed(folder.parents), folder]:
        with suppress(FileExistsError):
            if not path.exists():
                path.mkdir(mode=0o700)
                path.chmod(0o700)  # A umask may have taken the user's own rights.


def check_folder(folder: Path) -> None:
    """Raise `NotPrivate` unless the folder and all above it are the user's; one that is not there is fine."""
    place = Path("/")
    ahead = list(reversed(_parts(folder)))
    links = 0
    _check_above(place, os.lstat(place))
    while ahead:
        name = ahead.pop()
        if name == "..":
            place = place.parent  # No link is left in it.
            continue
        above = place
        place = above / name
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refusal(place, f"it can't be checked: {error.strerror}") from error
        if stat.S_ISLNK(status.st_mode):
            _check_owner(place, status, link=True)
            links += 1
            if links > LINKS:
                raise _refusal(place, "too many symbolic links")
            ahead += reversed(_parts(above / os.readlink(place)))
            place = Path("/")
        else:
            _check_above(place, status)
    _check_own(place, os.lstat(place))


def check_itself(folder: Path) -> None:
    """Raise `NotPrivate` unless a folder that is there is the user's, wherever it lies."""
    _check_own(folder, folder.stat())


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a private file, never waiting for a pipe; raises `NotPrivate`, or OSError."""
    check_folder(path.parent)
    try:
        file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        if path.is_symlink():
            raise _refusal(path, "it is a symbolic link") from None
        raise
    try:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode):
            _check_own(path, status)
    except BaseException:
        os.close(file)
        raise
    return file


def _parts(path: Path) -> list[str]:
    return list((Path.cwd() / path).parts[1:])


def _check_above(place: Path, status: os.stat_result) -> None:
    """A folder on the way: its owner and whoever may write it decide what is below it."""
    _check_owner(place, status)
    if not status.st_mode & stat.S_ISVTX:
        _check_writers(place, status)


def _check_own(place: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise _foreign(place, status)
    _check_writers(place, status)


def _check_owner(place: Path, status: os.stat_result, *, link: bool = False) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise _foreign(place, status, subject="the link" if link else "it")


def _foreign(place: Path, status: os.stat_result, subject: str = "it") -> NotPrivate:
    owner = _name_of(status.st_uid)
    fix = "irsa recover --state-dir FOLDER  # with a folder that only you own"
    if os.geteuid() == 0 and stat.S_ISREG(status.st_mode):
        fix = f"chown root {shlex.quote(str(place))}  # only if you know who wrote it"
    return _refusal(place, f"{subject} belongs to {owner}, not to you", fix)


def _check_writers(place: Path, status: os.stat_result) -> None:
    if status.st_mode & stat.S_IWOTH:
        who = "everybody"
        fix = "go-w"
    elif status.st_mode & stat.S_IWGRP and (_has_acl(place) or not _is_alone(status.st_gid)):
        who = f"group {_name_of_group(status.st_gid)}"
        fix = "g-w"
    else:
        return
    raise _refusal(
        place,
        f"{who} can write to it (mode {stat.S_IMODE(status.st_mode):04o})",
        f"chmod {fix} {shlex.quote(str(place))}  # if you know that nobody else wrote to it",
    )


def _refusal(place: Path, why: str, *fixes: str) -> NotPrivate:
    return NotPrivate(f"{place} is not safe to use", reason=why, next_steps=fixes)


def _is_alone(group: int) -> bool:
    """Whether nobody but the user (or root) is in a group."""
    import grp
    import pwd

    members: Iterable[str]
    try:
        entry = grp.getgrgid(group)
        name = entry.gr_name
        members = entry.gr_mem
    except KeyError:
        name = ""
        members = ()
    if group == 0:
        return set(members) <= {"root"}
    try:
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        return False  # Whose primary group it is nobody can say.
    return user.pw_gid == group and name == user.pw_name and set(members) <= {user.pw_name}


def _has_acl(place: Path) -> bool:
    """Whether further users may be named: the group's rights are then the most that they have."""
    if not hasattr(os, "getxattr"):
        return False
    with suppress(OSError):
        return bool(os.getxattr(place, "system.posix_acl_access", follow_symlinks=False))
    return False


def _name_of(user: int) -> str:
    import pwd

    with suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return f"uid {user}"


def _name_of_group(group: int) -> str:
    import grp

    with suppress(KeyError):
        return grp.getgrgid(group).gr_name
    return f"gid {group}"


NAME = "journal.key"
_SIZE = 32


def seal(data: bytes) -> str:
    """The seal for a text, '' if this user has no key and none can be created."""
    for path in _places():
        key = _read(path) or _make(path)
        if key:
            return _seal(key, data)
    return ""


def is_sealed(data: bytes, present: str) -> bool:
    """Whether the text bears the seal of this user."""
    keys = (_read(path) for path in _places())
    return any(hmac.compare_digest(_seal(key, data), present) for key in keys if key)


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
