"""IAM's eventual consistency: what is new is not seen by everybody for a while.

For `seconds` after it was written, a new role, provider, policy, attachment, inline policy, audience or trust
policy is missing from (or old in) the stale view, which reads, attachments and STS get. Deletions are seen at
once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.cloud import Cloud

_Undo = Callable[[], None]
_Hide = Callable[[], _Undo]


@dataclass(frozen=True)
class _News:
    place: tuple[str, str]
    written: float
    hide: _Hide
    within: bool
    """Whether it is within something older, such as an attachment."""


@dataclass(frozen=True)
class _Snapshot:
    roles: dict[str, Any]
    providers: dict[str, Any]
    policies: dict[str, Any]
    insides: dict[tuple[str, str], dict[str, Any]]
    texts: dict[tuple[str, str], Any]


class Lag:
    """Remembers what is new. Used only with `Cloud.lock` held."""

    def __init__(self, cloud: Cloud) -> None:
        self.seconds = 0.0
        self._cloud = cloud
        self._news: list[_News] = []

    def reset(self) -> None:
        """No lag, and nothing is new."""
        self.seconds = 0.0
        self._news.clear()

    @contextmanager
    def watch(self, account: str, partition: str) -> Iterator[None]:
        """What the block adds or changes in this account is new."""
        if not self.seconds:
            yield
            return
        iam = self._cloud.iam(account, partition)
        before = _snapshot(iam)
        yield
        place, now = (account, partition), time.monotonic()
        self._news += [_News(place, now, hide, within=False) for hide in _new_objects(before, iam)]
        self._news += [_News(place, now, hide, within=True) for hide in _changes_within(before, iam)]

    @contextmanager
    def stale_view(self, account: str, partition: str, *, within: bool = True) -> Iterator[None]:
        """The block sees an account without what is new; with changes within old objects unless `within`."""
        oldest = time.monotonic() - self.seconds
        self._news = [news for news in self._news if news.written > oldest]
        with ExitStack() as stack:
            for news in reversed(self._news):
                if news.place == (account, partition) and (within or not news.within):
                    stack.callback(news.hide())
            yield


def _snapshot(iam: Any) -> _Snapshot:
    insides: dict[tuple[str, str], dict[str, Any]] = {}
    texts: dict[tuple[str, str], Any] = {}
    for role in iam.roles.values():
        insides[role.id, "managed_policies"] = dict(role.managed_policies)
        insides[role.id, "policies"] = dict(role.policies)
        texts[role.id, "assume_role_policy_document"] = role.assume_role_policy_document
    for arn, provider in iam.open_id_providers.items():
        texts[arn, "client_id_list"] = list(provider.client_id_list)
    return _Snapshot(dict(iam.roles), dict(iam.open_id_providers), dict(iam.managed_policies), insides, texts)


def _new_objects(before: _Snapshot, iam: Any) -> list[_Hide]:
    return [
        _without(current, key)
        for old, current in (
            (before.roles, iam.roles),
            (before.providers, iam.open_id_providers),
            (before.policies, iam.managed_policies),
        )
        for key in current.keys() - old.keys()
    ]


def _changes_within(before: _Snapshot, iam: Any) -> list[_Hide]:
    holders = {**iam.roles, **iam.open_id_providers}
    hides: list[_Hide] = []
    for (holder, attribute), old in before.insides.items():
        if holder in holders:
            current = getattr(holders[holder], attribute)
            hides += [_without(current, k, old.get(k)) for k in current if current[k] is not old.get(k)]
    for (holder, attribute), text in before.texts.items():
        if holder in holders and getattr(holders[holder], attribute) != text:
            hides.append(_with_old(holders[holder], attribute, text))
    return hides


def _without(mapping: MutableMapping[str, Any], key: str, old: Any = None) -> _Hide:
    def hide() -> _Undo:
        if key not in mapping:
            return lambda: None
        new = mapping[key]
        if old is None:
            del mapping[key]
        else:
            mapping[key] = old
        return lambda: mapping.update({key: new})

    return hide


def _with_old(holder: Any, attribute: str, old: Any) -> _Hide:
    def hide() -> _Undo:
        new = getattr(holder, attribute)
        setattr(holder, attribute, old)
        return lambda: setattr(holder, attribute, new)

    return hide
