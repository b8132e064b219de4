"""Locks by which one run at a time changes a binding, as values: locked objects, contents of Leases.

Also the order in which a run takes them, and a plan's locks. A Lease has its holder, purpose and start, and
is over by the server's own clock. Texts in it are others'.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, RoleState
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.limits import moment
from irsa_cli.core.values.shown import visible

Json = dict[str, Any]
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "irsa"
CLUSTER_LABEL = "irsa/cluster"
COMMAND = "irsa/command"
LOCKED = "irsa/locked"
HOST = "irsa/host"
USER = "irsa/user"
_MOST_TRANSITIONS = 2**31 - 2
"""The API has 32 bits for their number, and irsa counts one more."""
_SHOWN = 200
"""Characters of a text of somebody else's that are shown."""


@dataclass(frozen=True)
class Timing:
    """For how long a Lease holds, in seconds, and what follows from that.

    `renew`: it is renewed that often. `stop`: without a renewal for so long, nothing new is written; `back`:
    nor is anything taken back. `margin`: a Lease is over only so long after its end, as clocks tell whole
    seconds.
    """

    lease: float = 45.0

    @property
    def renew(self) -> float:
        """Seconds between two renewals."""
        return self.lease * 10 / 45

    @property
    def stop(self) -> float:
        """Seconds after the last renewal in which a run may continue."""
        return self.lease * 20 / 45

    @property
    def back(self) -> float:
        """Seconds after the last renewal in which a run may take back what it did."""
        return self.lease * 35 / 45

    @property
    def margin(self) -> float:
        """Seconds after its end in which a Lease is not taken over yet."""
        return max(2.0, self.lease * 5 / 45)


@dataclass(frozen=True)
class Holder:
    """A run that holds locks: its name, and who runs it where."""

    run: str
    user: str
    host: str

    @property
    def identity(self) -> str:
        """As a Lease has it, in characters that need no quoting."""
        return f"{self.run}_{_safe(self.user)}@{_safe(self.host)}"


def run_of(identity: str) -> str:
    return identity.partition("_")[0]


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text)[:60].strip("-.") or "unknown"


@dataclass(frozen=True)
class LeaseState:
    """A Lease that was read. Texts in it are others': they are shown by `told` only."""

    name: str
    uid: str
    version: str
    holder: str
    seconds: float
    since: str
    written: datetime | None
    """The last write, by the server's clock; None if it is unknown."""
    transitions: int
    annotations: Mapping[str, str]

    @classmethod
    def read(cls, body: Json) -> LeaseState:
        """Of a Lease as the server gives it."""
        metadata = body["metadata"]
        spec = body.get("spec") or {}
        written = [moment(item.get("time")) for item in metadata.get("managedFields") or ()]
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            holder=spec.get("holderIdentity") or "",
            # Of any other number, irsa's own: nobody is kept out for longer by others.
            seconds=float(
                _number(
                    spec.get("leaseDurationSeconds"),
                    1,
                    most=int(limits.LONGEST_LOCK),
                    default=math.ceil(limits.LOCK_SECONDS),
                )
            ),
            since=spec.get("acquireTime") or "",
            written=max(filter(None, written), default=None),
            transitions=_number(spec.get("leaseTransitions"), 0, most=_MOST_TRANSITIONS, default=0),
            annotations=metadata.get("annotations") or {},
        )

    @property
    def run(self) -> str:
        """The holder's run, as far as irsa has named it."""
        return run_of(self.holder)

    def is_over(self, now: datetime | None, margin: float) -> bool:
        """Whether nobody holds it (any more): both moments are of the server's clock. Unknown is no."""
        if not self.holder:
            return True
        if now is None or self.written is None or self.written > now:
            return False
        return now > self.written + timedelta(seconds=self.seconds + margin)

    @property
    def holding(self) -> str:
        """Its holder, purpose, start and earliest end."""
        command = self.annotations.get(COMMAND, "")
        doing = f" for {shown(command)}" if command else ""
        since = f" since {shown(short_time(self.since))}" if self.since else ""
        until = ""
        if self.written is not None:
            end = self.written + timedelta(seconds=self.seconds)
            until = f", until {end:%Y-%m-%d %H:%M:%S} UTC unless it is renewed"
        return f"{shown(self.holder)} holds it{doing}{since}{until}"


def shown(text: str) -> str:
    """A text of somebody else's, as it may be shown."""
    return visible(text)[:_SHOWN]


def short_time(text: str) -> str:
    """A time of the API (RFC 3339) without its fractions of a second."""
    return re.sub(r"T(\d\d:\d\d:\d\d)(\.\d+)?Z$", r" \1 UTC", text)


def _number(found: object, least: int, *, most: int, default: int) -> int:
    return found if isinstance(found, int) and least <= found <= most else default


def selector(cluster_arn: str, cluster_name: str) -> str:
    """The labels by which the Leases of a cluster's runs are listed."""
    return f"{MANAGED_BY}={MANAGER},{CLUSTER_LABEL}={cluster_label(cluster_arn, cluster_name)}"


def cluster_label(arn: str, name: str) -> str:
    """The value of a cluster's label; labels don't allow all names, nor any ARN."""
    return distinct(name, arn)


@dataclass(frozen=True)
class Writer:
    """The content that a run writes into its Leases. `command` has no values that may be secrets."""

    holder: Holder
    timing: Timing
    cluster: str
    """The cluster's label."""
    command: str

    def body(self, lock: Lock, now: datetime, before: Json | None = None) -> Json:
        """A new Lease, or a taken over one: with uid and version, written only if it has not changed."""
        there = before["metadata"] if before is not None else {}
        kept = {key: there[key] for key in ("uid", "resourceVersion") if key in there}
        transitions = LeaseState.read(before).transitions + 1 if before is not None else 0
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": lock.name,
                **kept,
                "labels": {MANAGED_BY: MANAGER, CLUSTER_LABEL: self.cluster},
                "annotations": {
                    COMMAND: self.command,
                    LOCKED: lock.words,
                    HOST: self.holder.host,
                    USER: self.holder.user,
                },
            },
            "spec": {
                "holderIdentity": self.holder.identity,
                "leaseDurationSeconds": math.ceil(self.timing.lease),
                "acquireTime": micro_time(now),
                "renewTime": micro_time(now),
                "leaseTransitions": transitions,
            },
        }


def renewed(body: Json, now: datetime) -> Json:
    """The Lease that a run holds, with the time of its renewal; the server's notes are left out."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata, "spec": {**body["spec"], "renewTime": micro_time(now)}}


def micro_time(now: datetime) -> str:
    return now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


LONGEST = 63
"""Characters of a name that is a label of DNS, and of a label's value."""


_DIGEST = 12


class LockScope(IntEnum):
    """The kind of locked object; the numbers are the order in which locks are taken."""

    BINDING = 0
    NAMESPACE = 1
    PROVIDER = 2
    ROLE = 3


_WORDS = {
    LockScope.BINDING: "ServiceAccount",
    LockScope.NAMESPACE: "namespace",
    LockScope.PROVIDER: "OIDC provider",
    LockScope.ROLE: "role",
}


@dataclass(frozen=True, order=True)
class Lock:
    """One object (`subject`) for one run at a time; sorted, so that no runs wait in a circle."""

    scope: LockScope
    subject: str

    @classmethod
    def of_role(cls, account: str, name: str, partition: str = "aws") -> Lock:
        """A role's; its path is left out, as names are unique in an account whatever the path is."""
        return cls(LockScope.ROLE, f"arn:{partition}:iam::{account}:role/{name}")

    @property
    def words(self) -> str:
        return f"{_WORDS[self.scope]} {self.subject}"

    @property
    def name(self) -> str:
        """The name of its Lease (RFC 1123 label): readable, and never the one of another lock."""
        readable = self.subject.rpartition("/")[2] if self.scope is not LockScope.BINDING else self.subject
        kind = self.scope.name.lower()
        return distinct(f"irsa-{kind}-{readable}", f"{kind}\0{self.subject}")


def distinct(readable: str, identity: str) -> str:
    """A valid name of which a person knows what it is for, with a digest that keeps two apart."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    plain = re.sub(r"[^a-z0-9]+", "-", readable.lower())[: LONGEST - _DIGEST - 1].strip("-")
    return f"{plain}-{digest}" if plain else f"irsa-{digest}"


def shared_locks(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """The locks of objects that others may also use.

    That is namespaces and providers to create, mark or delete, roles to delete, and roles that
    were there before and whose trust policy is changed, in whatever account.
    """
    every = tuple(changes)
    made = {change.object for change in every if change.kind.is_whole and change.before is None}
    return frozenset(lock for change in every for lock in _shared(change, made, cluster))


def _shared(change: Change, made: set[tuple[Kind, tuple[str, ...]]], cluster: Cluster) -> Iterator[Lock]:
    kind, target = change.object
    if kind is Kind.NAMESPACE:
        yield Lock(LockScope.NAMESPACE, target[0])
    elif kind is Kind.PROVIDER:
        yield Lock(LockScope.PROVIDER, target[0])
    elif kind is Kind.TARGET_TRUST:
        arn = role_arn(target[0])
        yield Lock.of_role(arn.account, arn.name, arn.partition)
    elif kind is Kind.ROLE:
        deleted = change.kind.is_whole and change.after is None
        trusts = change.kind.traits.changes_trust and change.object not in made
        if deleted or trusts:
            yield Lock.of_role(cluster.home, target[0], cluster.partition)


def is_all_new(changes: Iterable[Change]) -> bool:
    """Whether there are changes, and each creates an object, or is about one that they create.

    A name (or an issuer) is taken once, so the create calls themselves find out when a plan is out of date.
    They can't detect the deletion of a role that a new ServiceAccount will use: the role must also be new.
    """
    every = tuple(changes)
    # Adding to an existing object is never refused a second time.
    made = {
        change.object
        for change in every
        if change.kind.is_whole and change.before is None and change.kind is not Kind.TARGET_TRUST
    }
    roles = {target[0] for kind, target in made if kind is Kind.ROLE}
    return bool(every) and all(change.object in made and change.roles <= roles for change in every)


def locks_of(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """All locks that a plan needs; also those of ServiceAccounts that only a role of the plan is for."""
    every = tuple(changes)
    names = {change.name for change in every if change.kind is Kind.SERVICE_ACCOUNT}
    roles = [it for change in every for it in (change.before, change.after) if isinstance(it, RoleState)]
    names |= {role.tags[SERVICE_ACCOUNT_TAG] for role in roles if role.tags.get(SERVICE_ACCOUNT_TAG)}
    return shared_locks(every, cluster) | {Lock(LockScope.BINDING, name) for name in names}
