"""Common parts of the rules of IAM: the account of a call, its quotas, pages, tags, and its delay.

Look-ups refuse what is not there. A page's marker names its last item, so that pages survive deletions. Tags
are those of OIDC providers and managed policies, whose keys differ by case, other than those of roles:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
Tagged objects keep tags as in moto, `tags`, but with unchanged keys.

IAM is eventually consistent: reads, attachments and STS may get an older state of what was written. Each read
of an object gets it as it was some time ago, at most `seconds`: always that long ago, or with a `seed` of any
age, so that one read can be older than the one before it, as if another replica had answered. That is true of
new objects, of changes of every part of them, and of deletions. `calls` says which writes see old states.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from botocore import xform_name

from irsa_cli.sandbox.aws.cloud import Cloud
from irsa_cli.sandbox.aws.iam.grammar import check_tags
from irsa_cli.sandbox.aws.messages import (
    AwsRequest,
    limit_exceeded,
    no_such_entity,
    result_of,
    validation_error,
)
from irsa_cli.sandbox.model import Answer, table

T = TypeVar("T")
QUOTAS: dict[str, int] = table("quotas")
"""IAM's defaults, by their names in GetAccountSummary; it doesn't report those for providers and tags."""


@dataclass(frozen=True)
class Account:
    """An account that a call is about. Used with `Cloud.lock` held."""

    cloud: Cloud
    number: str
    partition: str
    quotas: dict[str, int]
    lag: Lag

    @property
    def iam(self) -> Any:
        return self.cloud.iam(self.number, self.partition)

    def forward(self, request: AwsRequest) -> Answer:
        return self.cloud.forward(request, self.number, self.partition)

    def check_quota(self, quota: str, used: int, name: str) -> None:
        """Raises LimitExceeded, with `name` for the quota, if more would be `used`."""
        if used > self.quotas[quota]:
            raise limit_exceeded(f"Cannot exceed quota for {name}: {self.quotas[quota]}")

    def role(self, request: AwsRequest) -> Any:
        role = self.role_or_none(request)
        if role is None:
            name = request.params.get("RoleName", "")
            raise no_such_entity(f"The role with name {name} cannot be found.")
        return role

    def role_or_none(self, request: AwsRequest) -> Any:
        name = request.params.get("RoleName", "")
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def policy(self, arn: str) -> Any:
        if arn not in self.iam.managed_policies:
            raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
        return self.iam.managed_policies[arn]


def page(request: AwsRequest, keys: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The page of sorted `keys` that a call asks for, and the members that tell whether there is more."""
    size = int(request.params.get("MaxItems", "100"))
    try:
        last = urlsafe_b64decode(request.params.get("Marker", "")).decode()
    except ValueError:
        raise validation_error("Invalid Marker.") from None
    following = [key for key in keys if key > last]
    if len(following) <= size:
        return following, {"IsTruncated": False}
    marker = urlsafe_b64encode(following[size - 1].encode()).decode()
    return following[:size], {"IsTruncated": True, "Marker": marker}


def page_of(
    request: AwsRequest, member: str, entries: Mapping[str, T], show: Callable[[T], Any] = lambda entry: entry
) -> Answer:
    """The page of items that a call asks for, in the order of their keys, as the answer's `member`."""
    keys, more = page(request, sorted(entries))
    return result_of(request, {member: [show(entries[key]) for key in keys], **more})


def members(holder: Any, *names: str, kind: str = "") -> dict[str, Any]:
    """Members of an answer, from the attributes of moto's object, whose names don't repeat its `kind`."""
    return {name: getattr(holder, xform_name(name.removeprefix(kind))) for name in names}


def serve_tags(account: Account, holder: Any, request: AwsRequest) -> Answer:
    """A call that lists tags, in pages, or writes them; also one that creates their holder.

    Tags are added to those that are there, or replace them; untagging ignores keys that are not there. Roles,
    whose tags moto keeps in a list, have keys that differ by more than case.
    """
    any_case = isinstance(holder.tags, list)
    fold = str.lower if any_case else str
    present = holder.tags if any_case else holder.tags.values()
    if request.operation.startswith("List"):
        return page_of(request, "Tags", {tag["Key"]: tag for tag in present})
    check_tags(request.tags(), any_case=any_case)
    new = [{"Key": key, "Value": value} for key, value in request.tags()]
    written = {fold(key) for key in (*dict(request.tags()), *request.parameters.get("TagKeys", []))}
    tags = [*(tag for tag in present if fold(tag["Key"]) not in written), *new]
    if any_case:
        account.check_quota("TagsQuota", len(tags), "TagsPerResource")
    elif len(tags) > account.quotas["TagsQuota"]:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    holder.tags = tags if any_case else {tag["Key"]: tag for tag in tags}
    return result_of(request)


def tags_of(holder: Any) -> list[dict[str, str]]:
    return [holder.tags[key] for key in sorted(holder.tags)]


_PARTS: dict[str, list[str]] = table("parts")
"""The remembered parts of an object, by moto's names for its collections and attributes."""

_Parts = dict[str, Any]
_Key = tuple[str, str]


@dataclass(frozen=True)
class _Write:
    """One object changed by a write, and its former state: None if it did not exist."""

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
        self.seconds = 0.0
        self._ages = None
        self._writes.clear()

    def replicate(self, seed: int | None) -> None:
        """Set the age of each read: any age, by `seed`; None: the greatest age."""
        self._ages = None if seed is None else Random(seed)  # noqa: S311 - no secret

    @property
    def replicas(self) -> bool:
        """Whether reads are of any age."""
        return self._ages is not None

    @contextmanager
    def watch(self, account: str, partition: str) -> Iterator[None]:
        """Objects that the block adds, changes or deletes in this account are written now."""
        if not self.seconds:
            yield
            return
        iam = self._cloud.iam(account, partition)
        before = _state(iam)
        yield
        after = _state(iam)
        place = (account, partition)
        now = time.monotonic()
        for key in before.keys() | after.keys():
            former, old = before.get(key, (None, None))
            latter, new = after.get(key, (None, None))
            if former is not latter or old != new:
                self._writes.append(_Write(now, place, key, latter if former is None else former, old))

    @contextmanager
    def stale_view(self, account: str, partition: str, *, within: bool = True) -> Iterator[None]:
        """The block sees an older state of an account; unless `within`, only what is new is missing."""
        now = time.monotonic()
        self._writes = [write for write in self._writes if write.at > now - self.seconds]
        shown: dict[_Key, _Write] = {}
        ages: dict[_Key, float] = {}
        for write in self._writes:
            if write.place != (account, partition):
                continue
            since = now - ages.setdefault(write.key, self._age())
            if write.at > since:
                shown.setdefault(write.key, write)
        with ExitStack() as stack:
            for write in shown.values():
                if within or write.before is None:
                    stack.callback(_show(self._cloud.iam(account, partition), write))
            yield

    def _age(self) -> float:
        """Seconds by which a read is late: often not at all, sometimes as much as can be."""
        if self._ages is None:
            return self.seconds
        return min(max(self._ages.uniform(-0.5, 1.25), 0.0), 1.0) * self.seconds


def _state(iam: Any) -> dict[_Key, tuple[Any, _Parts]]:
    states: dict[_Key, tuple[Any, _Parts]] = {}
    for kind, attributes in _PARTS.items():
        for key, holder in getattr(iam, kind).items():
            values = {name: copy(getattr(holder, name, None)) for name in attributes}
            states[kind, key] = (holder, values)
    return states


def _show(iam: Any, write: _Write) -> Callable[[], None]:
    """Show the state before a write; returns what shows the state after all again."""
    kind, key = write.key
    objects = getattr(iam, kind)
    present = objects.get(key)
    now = {attribute: getattr(write.found, attribute, None) for attribute in _PARTS[kind]}
    if write.before is None:
        objects.pop(key, None)
    else:
        objects[key] = write.found
        vars(write.found).update(write.before)

    def show_again() -> None:
        vars(write.found).update(now)
        if present is None:
            objects.pop(key, None)
        else:
            objects[key] = present

    return show_again
