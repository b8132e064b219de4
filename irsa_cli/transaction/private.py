"""Files that nobody but the user can have put there, or changed: what is taken as this user's own word.

A file counts when it and its folder belong to the user, every folder above to the user or to root, and nobody
else may write them. Anybody who may write to a folder may replace its files, except in a sticky one (`/tmp`).
Once that is known from the top down, nobody else can change the answer between the look and the reading.

A folder that a group may write is accepted where the group is the user's alone: a private group of the user's
own name (umask 002), or root's group without other members (containers that run under any uid, with group 0).
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
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
    place, ahead, links = Path("/"), list(reversed(_parts(folder))), 0
    _check_above(place, os.lstat(place))
    while ahead:
        name = ahead.pop()
        if name == "..":
            place = place.parent  # No link is left in it.
            continue
        place, above = place / name, place
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refusal(place, f"it can't be checked: {error.strerror}") from error
        if stat.S_ISLNK(found.st_mode):
            _check_owner(place, found, link=True)
            links += 1
            if links > LINKS:
                raise _refusal(place, "too many symbolic links")
            ahead += reversed(_parts(above / os.readlink(place)))
            place = Path("/")
        else:
            _check_above(place, found)
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
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode):
            _check_own(path, found)
    except BaseException:
        os.close(file)
        raise
    return file


def _parts(path: Path) -> list[str]:
    """The names on the way to a path."""
    return list((Path.cwd() / path).parts[1:])


def _check_above(place: Path, found: os.stat_result) -> None:
    """A folder on the way: its owner and whoever may write it decide what is below it."""
    _check_owner(place, found)
    if not found.st_mode & stat.S_ISVTX:
        _check_writers(place, found)


def _check_own(place: Path, found: os.stat_result) -> None:
    """The folder or the file itself."""
    if found.st_uid != os.geteuid():
        raise _foreign(place, found)
    _check_writers(place, found)


def _check_owner(place: Path, found: os.stat_result, *, link: bool = False) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise _foreign(place, found, what="the link" if link else "")


def _foreign(place: Path, found: os.stat_result, what: str = "") -> NotPrivate:
    owner = _name_of(found.st_uid)
    fix = "irsa recover --state-dir FOLDER  # with a folder that only you own"
    if os.geteuid() == 0 and stat.S_ISREG(found.st_mode):
        fix = f"chown root {shlex.quote(str(place))}  # only if you know who wrote it"
    return _refusal(place, f"{what or 'it'} belongs to {owner}, not to you".strip(), fix)


def _check_writers(place: Path, found: os.stat_result) -> None:
    who, fix = "", ""
    if found.st_mode & stat.S_IWOTH:
        who, fix = "everybody", "go-w"
    elif found.st_mode & stat.S_IWGRP and not (_is_alone(found.st_gid) and not _has_acl(place)):
        who, fix = f"group {_name_of_group(found.st_gid)}", "g-w"
    if who:
        raise _refusal(
            place,
            f"{who} can write to it (mode {stat.S_IMODE(found.st_mode):04o})",
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
        found = grp.getgrgid(group)
        name, members = found.gr_name, found.gr_mem
    except KeyError:
        name, members = "", ()
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
