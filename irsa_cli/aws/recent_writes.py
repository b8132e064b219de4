"""Which answers of IAM are older than what this process has written: late reads are asked for again.

IAM answers from many places, and each may show an older state for some seconds: of new objects, of every
part of them, and of deleted ones. So `irsa_cli.aws.errors.call` notes here what each write has set and what
each read has shown. A read that shows what was there before a write of ours is late. A read that shows
neither that nor what was written is not judged here: that is the business of `irsa_cli.changes`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from weakref import WeakKeyDictionary

from irsa_cli.core.plan.states import TRANSACTION_TAG
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values import limits
from irsa_cli.core.values.names import began

Key = tuple[str, ...]
"""A part of an object: the object's kind and name, then the part's."""
State = dict[Key, str]
"""The state of parts: a text that can be compared, `ABSENT` for a missing part."""
ABSENT = ""
_THERE = "there"
_Answer = Mapping[str, Any] | None
"""The answer to a call; None where the object is not there (NoSuchEntity)."""


@dataclass
class _Written:
    value: str
    at: float
    older: frozenset[str]

    def is_recent(self) -> bool:
        return 0 <= time.monotonic() - self.at < limits.PROPAGATION_SECONDS


@dataclass
class RecentWrites:
    """The writes and reads through one client. Safe to use from several threads."""

    _written: defaultdict[Key, dict[Key, _Written]] = field(default_factory=lambda: defaultdict(dict))
    """By object, so that a read of one of hundreds looks at its own parts only."""
    _shown: dict[Key, frozenset[str]] = field(default_factory=dict)
    _gone: dict[Key, int] = field(default_factory=dict)
    _trust: dict[str, tuple[str, float]] = field(default_factory=dict)
    """The trust policy of each role, as it was read or written last, and when."""
    _overlap: dict[str, float] = field(default_factory=dict)
    """Seconds between the last read of a role's trust policy and the answer to the write of it."""
    _late: dict[Key, float] = field(default_factory=dict)
    """When (monotonic) an object was last shown in an older state than it had."""
    recalled: set[str] = field(default_factory=set)
    """The transactions whose writes are noted here, and those of this process."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self, operation: str, parameters: Mapping[str, Any], answer: _Answer, *, ago: float = 0.0
    ) -> None:
        """Note what a write, carried out `ago` seconds before, has set."""
        state = _set_by(operation, parameters, answer or {})
        with self._lock:
            if operation == "UpdateAssumeRolePolicy":
                place = _object(parameters)
                state |= _statements(place, _parsed(parameters["PolicyDocument"]), self._written[place])
                role = parameters["RoleName"]
                if role in self._trust:
                    self._overlap[role] = time.monotonic() - self._trust[role][1]
            if not ago:
                self._note_trust(state)
            # A new role shows with the tags that it was created with, or does not show at all.
            is_tagged_later = not operation.startswith("Create")
            for key, value in state.items():
                before = self._written[key[:2]].get(key)
                none = frozenset({ABSENT} if key[2:3] == ("tag",) and is_tagged_later else ())
                older = self._shown.get(key, none) | _implied(key, value)
                if before is not None:
                    older |= before.older | {before.value}
                self._written[key[:2]][key] = _Written(value, time.monotonic() - ago, older - {value})

    def doubt(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Forget what a write without an answer was about: nobody knows what it is now."""
        with self._lock:
            for key in _set_by(operation, parameters, {}):
                self._trust.pop(key[1], None)
                written = self._written[key[:2]].pop(key, None)
                if written is not None:
                    self._shown[key] = self._shown.get(key, frozenset()) | written.older | {written.value}

    def exists(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Note that IAM refused to create what exists already."""
        with self._lock:
            key = _object(parameters)
            self._written[key].setdefault(key, _Written(_THERE, time.monotonic(), frozenset({ABSENT})))

    def gone(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Note that a write found no such object: writes get the newest state."""
        if operation in _OF_WHOLE:
            key = _object(parameters)
            with self._lock:
                older = self._shown.get(key, frozenset()) - {ABSENT}
                self._written[key][key] = _Written(ABSENT, time.monotonic(), older)

    def is_late(self, operation: str, parameters: Mapping[str, Any], answer: _Answer) -> bool:
        """Whether a read shows, or misses, an older state than a recent write; the read is noted."""
        place = _object(parameters)
        _note_age(place, answer or {})
        with self._lock:
            written = self._written[place]
            shown = _shown_by(operation, parameters, answer, written)
            if answer is not None:
                self._gone.pop(place, None)
            elif self._is_missing_too_early(place, of_part="PolicyName" in parameters):
                self._late[place] = time.monotonic()
                return True
            is_late = False
            for key, value in shown.items():
                self._shown[key] = self._shown.get(key, frozenset()) | {value}
                write = written.get(key)
                if write is not None and write.is_recent() and value in write.older:
                    is_late = True
            if is_late:
                self._late[place] = time.monotonic()
            else:
                self._note_trust(shown)
        return is_late

    def _is_missing_too_early(self, place: Key, *, of_part: bool) -> bool:
        """Whether an object is not there although it was, or must be; the answer is counted."""
        answers = self._gone.get(place, 0)
        if answers < limits.SAME_ANSWERS - 1 and self._was_there(place):
            self._gone[place] = answers + 1
            return True
        return not of_part and self._is_expected(place)

    def was_late(self, role: str, since: float) -> bool:
        """Whether a read has shown an older state of a role since then (monotonic seconds)."""
        with self._lock:
            return self._late.get(("role", role), -math.inf) >= since

    def overlap_of(self, role: str) -> float:
        """Seconds from the last read of a role's trust policy to the answer to the last write of it."""
        with self._lock:
            return self._overlap.get(role, 0.0)

    def trust_of(self, role: str) -> str:
        """The text of a role's trust policy as it was last read or written; '' if a read can't be older."""
        with self._lock:
            text, at = self._trust.get(role, ("", -math.inf))
        return text if time.monotonic() - at < limits.PROPAGATION_SECONDS else ""

    def _note_trust(self, state: State) -> None:
        now = time.monotonic()
        self._trust |= {key[1]: (value, now) for key, value in state.items() if key[2:] == ("trust",)}

    def has_written(self, role: str) -> bool:
        """Whether a recent write was about this role, or a part of it."""
        with self._lock:
            return any(write.is_recent() for write in self._written["role", role].values())

    def created_role(self, name: str) -> str:
        """The RoleId of a role that was created here, '' for none."""
        with self._lock:
            written = self._written["role", name].get(("role", name))
        return written.value if written is not None and written.value not in (ABSENT, _THERE) else ""

    def _is_expected(self, place: Key) -> bool:
        written = self._written[place].get(place)
        is_deleted = written is not None and written.value == ABSENT
        return place[:1] == ("role",) and time.monotonic() < _expected.get(place[1], 0.0) and not is_deleted

    def _was_there(self, place: Key) -> bool:
        """Whether a read has shown an object which no write here has deleted since."""
        written = self._written[place].get(place)
        if written is not None and written.value == ABSENT:
            return False
        return bool(self._shown.get(place, frozenset()) - {ABSENT})

    def is_there(self, operation: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a recent write has created what a write needs, although IAM says that there is none."""
        place = _object(parameters)
        removes = operation in _REMOVALS
        needed: Iterable[Key] = [()]
        if removes:
            needed = _parts_set_by(operation, parameters) if place else ()
        with self._lock:
            writes = [self._written[place].get((*place, *key)) for key in needed]
            if not removes and may_be_late() and self._was_there(place):
                return True
        return any(write and write.value != ABSENT and write.is_recent() for write in writes)


_young: dict[str, float] = {}
"""Until when (monotonic) a role (by name) or provider (by issuer) is young, as far as its tags have shown."""
_expected: dict[str, float] = {}
"""Until when (monotonic) a role may not show yet although something that irsa wrote refers to it."""


def expect_role(role_arn: str, transaction: str) -> None:
    """Note that an object with the mark of this transaction refers to a role: if one is new, both may be."""
    moments = began(transaction)
    if moments and role_arn:
        age = abs((datetime.now(timezone.utc) - moments[0]).total_seconds())
        _expected[role_arn.rpartition("/")[2]] = time.monotonic() + limits.PROPAGATION_SECONDS - age


def may_be_late(objects: Iterable[str] | None = None) -> bool:
    """Whether something was seen shortly before that irsa wrote shortly before that.

    `objects` (ARNs, names or issuers): whether one of these was; None for whatever was seen. A role
    also counts if it does not show although something young refers to it.
    """
    now = time.monotonic()
    if objects is None:
        return any(now < until for until in _young.values())
    names = [_short(name) for name in objects]
    return any(now < max(_young.get(name, 0.0), _expected.get(name, 0.0)) for name in names)


def _short(name: str) -> str:
    """The name of a role, or the issuer of a provider, without what stands before it."""
    if ":oidc-provider/" in name:
        return name.partition("/")[2]
    return name.rpartition("/")[2] if name.startswith("arn:") else name.removeprefix("https://")


def server_time(metadata: Mapping[str, Any]) -> datetime | None:
    """The time of an answer by its server's clock, None if it is unknown (RFC 9110, 6.6.1)."""
    return limits.date_of((metadata.get("HTTPHeaders") or {}).get("date"))


def _note_age(place: Key, answer: Mapping[str, Any]) -> None:
    """Note until when an object is young: a run of irsa began to write it shortly before."""
    role = answer.get("Role", answer)
    now = server_time(answer.get("ResponseMetadata", {})) or datetime.now(timezone.utc)
    marks = [tag["Value"] for tag in role.get("Tags", ()) if tag["Key"] == TRANSACTION_TAG]
    ages = (abs((now - moment).total_seconds()) for moment in began("".join(marks)))
    remaining = limits.PROPAGATION_SECONDS - min(ages, default=math.inf)
    if place and remaining > 0:
        _young[place[1]] = max(_young.get(place[1], 0.0), time.monotonic() + remaining)


_OF_CLIENTS: WeakKeyDictionary[Any, RecentWrites] = WeakKeyDictionary()


def recent_writes(client: Any) -> RecentWrites:
    return _OF_CLIENTS.setdefault(client, RecentWrites())


_OF_WHOLE = ("DeleteRole", "TagRole", "UpdateAssumeRolePolicy", "UpdateRole", "DeleteOpenIDConnectProvider")
"""Writes that find nothing only where the whole object is not there."""
_REMOVALS = ("DetachRolePolicy", "DeleteRolePolicy", "RemoveClientIDFromOpenIDConnectProvider")


def _object(parameters: Mapping[str, Any]) -> Key:
    """The object that a call is about; () for those that are not noted."""
    if "RoleName" in parameters:
        return ("role", parameters["RoleName"])
    if "OpenIDConnectProviderArn" in parameters:
        return ("provider", parameters["OpenIDConnectProviderArn"].partition("/")[2])
    return ("provider", parameters["Url"].partition("://")[2]) if "Url" in parameters else ()


def _implied(key: Key, value: str) -> frozenset[str]:
    """The earlier state of a part, if a write implies it: a new object did not exist, and vice versa."""
    if key[2:3] in (("attached",), ("named",), ("audience",), ("statement",)):
        return frozenset({ABSENT if value == _THERE else _THERE})
    return frozenset({ABSENT} if value != ABSENT and len(key) == 2 else ())


def text_of(document: Any) -> str:
    """A document as a text that is the same for each of its spellings."""
    return json.dumps(policy.normalized(_parsed(document)), sort_keys=True)


def _parsed(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def _tags(place: Key, tags: Iterable[Mapping[str, str]]) -> State:
    return {(*place, "tag", tag["Key"]): tag["Value"] for tag in tags}


def _set_by(operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> State:
    place = _object(parameters)
    if not place:
        return {}
    if operation in ("DeleteRole", "DeleteOpenIDConnectProvider"):
        return {place: ABSENT}
    state = {(*place, *part): value for part, value in _parts_set_by(operation, parameters).items()}
    if operation in ("CreateRole", "CreateOpenIDConnectProvider"):
        state[place] = answer.get("Role", {}).get("RoleId", _THERE)
    removed = {(*place, "tag", key): ABSENT for key in parameters.get("TagKeys", ())}
    return {**state, **_tags(place, parameters.get("Tags", ())), **removed}


def _parts_set_by(operation: str, parameters: Mapping[str, Any]) -> dict[Key, str]:
    effect = ABSENT if operation.startswith(("Detach", "Delete", "Remove")) else _THERE
    if operation == "CreateRole":
        trust = parameters["AssumeRolePolicyDocument"]
        boundary = parameters.get("PermissionsBoundary", ABSENT)
        return {("trust",): text_of(trust), ("boundary",): boundary, ("settings",): _settings(parameters)}
    if operation == "UpdateAssumeRolePolicy":
        return {("trust",): text_of(parameters["PolicyDocument"])}
    if operation == "UpdateRole":
        return {("settings",): _settings(parameters)}
    if operation.endswith("RolePermissionsBoundary"):
        return {("boundary",): parameters.get("PermissionsBoundary", ABSENT)}
    if operation in ("AttachRolePolicy", "DetachRolePolicy"):
        return {("attached", parameters["PolicyArn"]): effect}
    if operation == "PutRolePolicy":
        name = parameters["PolicyName"]
        return {("named", name): effect, ("document", name): text_of(parameters["PolicyDocument"])}
    if operation == "DeleteRolePolicy":
        return {("named", parameters["PolicyName"]): effect}
    if "Statement" in parameters:
        return {("statement", text_of(parameters["Statement"])): effect}
    return {("audience", parameters["ClientID"]): effect} if "ClientID" in parameters else {}


def _settings(role: Mapping[str, Any]) -> str:
    return f"{role.get('MaxSessionDuration', 3600)} {role.get('Description', '')}"


def _shown_by(
    operation: str, parameters: Mapping[str, Any], answer: _Answer, written: Mapping[Key, object]
) -> State:
    """The states that a read shows; of lists, whether the written items are in them."""
    place = _object(parameters)
    if not place:
        return {}
    if answer is None:
        policy_name = parameters.get("PolicyName")
        return {place: ABSENT} if policy_name is None else {(*place, "named", policy_name): ABSENT}
    if operation == "GetRole":
        return _role_shown(place, answer["Role"], written)
    if operation == "GetRolePolicy":
        name = parameters["PolicyName"]
        return {
            (*place, "named", name): _THERE,
            (*place, "document", name): text_of(answer["PolicyDocument"]),
        }
    if operation == "GetOpenIDConnectProvider":
        audiences = {(*place, "audience", name): _THERE for name in answer.get("ClientIDList", ())}
        shown = {place: _THERE, **audiences, **_tags(place, answer.get("Tags", ()))}
        return _absent(place, ("audience", "tag"), written) | shown
    if operation == "ListAttachedRolePolicies":
        names = [attached["PolicyArn"] for attached in answer["AttachedPolicies"]]
        return _listed(place, "attached", names, parameters, answer, written)
    if operation == "ListRolePolicies":
        return _listed(place, "named", answer["PolicyNames"], parameters, answer, written)
    return {}


def _role_shown(place: Key, role: Mapping[str, Any], written: Mapping[Key, object]) -> State:
    trust = role.get("AssumeRolePolicyDocument", {})
    return {
        **_absent(place, ("tag",), written),
        **_statements(place, trust, written),
        place: role["RoleId"],
        (*place, "trust"): text_of(trust),
        (*place, "boundary"): role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ABSENT),
        (*place, "settings"): _settings(role),
        **_tags(place, role.get("Tags", ())),
    }


def _statements(place: Key, trust: Mapping[str, Any], written: Iterable[Key]) -> State:
    """Which of the written statements a trust policy has, each by itself or as a part of another one."""
    known = [key for key in written if key[:2] == place and key[2:3] == ("statement",)]
    return {key: _THERE if trust_policy.contains(trust, json.loads(key[3])) else ABSENT for key in known}


def _listed(
    place: Key,
    kind: str,
    names: Iterable[str],
    parameters: Mapping[str, Any],
    answer: Mapping[str, Any],
    written: Mapping[Key, object],
) -> State:
    """A page of a list: what is not on it may be on another one."""
    whole = "Marker" not in parameters and not answer.get("IsTruncated")
    shown = {(*place, kind, name): _THERE for name in names}
    return _absent(place, (kind,), written) | shown if whole else shown


def _absent(place: Key, kinds: tuple[str, ...], written: Mapping[Key, object]) -> State:
    """Of what was written there, what a read would have to show, as not shown."""
    return {key: ABSENT for key in written if key[:2] == place and key[2:3] and key[2] in kinds}
