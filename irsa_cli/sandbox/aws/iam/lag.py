"""IAM's eventual consistency: reads, attachments and STS may get an older state of what was written.

Each read of an object gets it as it was some time ago, at most `seconds`: always that long ago, or with a
`seed` of any age, so that one read can be older than the one before it, as if another replica had answered.
That is true of new objects, of changes of every part of them, and of deletions. Which writes see old states
is said in `irsa_cli.sandbox.aws.iam.calls`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import Any

from irsa_cli.sandbox.aws.cloud import Cloud

_PARTS = {
    "roles": (
        "assume_role_policy_document",
        "description",
        "managed_policies",
        "max_session_duration",
        "permissions_boundary_arn",
        "policies",
        "tags",
    ),
    "open_id_providers": ("client_id_list", "tags", "thumbprint_list"),
    "managed_policies": ("default_version_id", "tags", "versions"),
}
"""What of an object is remembered, by moto's names for its collections and attributes."""

_Parts = dict[str, Any]
_Key = tuple[str, str]


@dataclass(frozen=True)
class _Write:
    """One object that a write has changed, and what it was before: None where it was not there."""

    at: float
    place: tuple[str, str]
    key: _Key
    found: Any
    before: _Parts | None


class Lag:
    """Remembers what was written. Used only with `Cloud.lock` held."""

    def __init__(self, cloud: Cloud) -> None:
        self.seconds = 0.0
        self._ages: Random | None = None
        self._cloud = cloud
        self._writes: list[_Write] = []

    def reset(self) -> None:
        """No lag, and nothing was written."""
        self.seconds = 0.0
        self._ages = None
        self._writes.clear()

    def replicate(self, seed: int | None) -> None:
        """Let each read be of any age, chosen by `seed`; None: of the greatest age."""
        self._ages = None if seed is None else Random(seed)  # noqa: S311 - no secret

    @property
    def replicas(self) -> bool:
        """Whether reads are of any age."""
        return self._ages is not None

    @contextmanager
    def watch(self, account: str, partition: str) -> Iterator[None]:
        """What the block adds, changes or deletes in this account is written now."""
        if not self.seconds:
            yield
            return
        iam = self._cloud.iam(account, partition)
        before = _state(iam)
        yield
        after, place, now = _state(iam), (account, partition), time.monotonic()
        for key in before.keys() | after.keys():
            (found, old), (made, new) = (states.get(key, (None, None)) for states in (before, after))
            if found is not made or old != new:
                self._writes.append(_Write(now, place, key, made if found is None else found, old))

    @contextmanager
    def stale_view(self, account: str, partition: str, *, within: bool = True) -> Iterator[None]:
        """The block sees an older state of an account; unless `within`, only what is new is missing."""
        now = time.monotonic()
        self._writes = [write for write in self._writes if write.at > now - self.seconds]
        seen: dict[_Key, _Write] = {}
        ages: dict[_Key, float] = {}
        for write in self._writes:
            if write.place != (account, partition):
                continue
            since = now - ages.setdefault(write.key, self._age())
            if write.at > since:
                seen.setdefault(write.key, write)
        with ExitStack() as stack:
            for write in seen.values():
                if within or write.before is None:
                    stack.callback(_show(self._cloud.iam(account, partition), write))
            yield

    def _age(self) -> float:
        """Seconds by which a read is late: often not at all, sometimes as much as can be."""
        if self._ages is None:
            return self.seconds
        return min(max(self._ages.uniform(-0.5, 1.25), 0.0), 1.0) * self.seconds


def _state(iam: Any) -> dict[_Key, tuple[Any, _Parts]]:
    return {
        (kind, key): (found, {part: copy(getattr(found, part, None)) for part in parts})
        for kind, parts in _PARTS.items()
        for key, found in getattr(iam, kind).items()
    }


def _show(iam: Any, write: _Write) -> Callable[[], None]:
    """Show the state before a write; returns what shows the state after all again."""
    kind, key = write.key
    there = getattr(iam, kind)
    present = there.get(key)
    now = {part: getattr(write.found, part, None) for part in _PARTS[kind]}
    if write.before is None:
        there.pop(key, None)
    else:
        there[key] = write.found
        vars(write.found).update(write.before)

    def show_again() -> None:
        vars(write.found).update(now)
        if present is None:
            there.pop(key, None)
        else:
            there[key] = present

    return show_again
