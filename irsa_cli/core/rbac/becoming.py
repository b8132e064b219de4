"""Who may become a ServiceAccount, and what one may do in its cluster: bindings, acts, and their JSON.

The ways are the table in `irsa_cli.core.rbac.takeovers`. A role is looked at once, whatever it is bound to; a
ServiceAccount then asks the bindings of its namespace and those of the whole cluster, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.rbac.evaluation import (
    ALL,
    MASTERS,
    SUPERUSERS,
    Grant,
    KubeRequest,
    RbacIndex,
    account_requester,
    has,
    has_resource,
    matches,
)
from irsa_cli.core.rbac.objects import RbacBinding, RbacObjects, RbacRule, RbacSubject, RoleRef
from irsa_cli.core.rbac.principals import AWS_AUTH, ClusterAccess, Principal
from irsa_cli.core.rbac.takeovers import (
    ACTS,
    ALSO,
    AWS_AUTH_READ,
    HOST_PATH,
    OTHER_NAMESPACE,
    RUNS,
    TAKEOVERS,
    Named,
    Right,
    Takeover,
)

_ANYTHING = Right((ALL,), ALL, ALL)
ANY_ACCOUNT = "*"
"""Any ServiceAccount of a namespace; conditions about one of them are left as they are, then."""
_RESTRICTED = ("baseline", "restricted")
"""The levels of Pod Security that reject hostPath."""


@dataclass(frozen=True)
class Opening:
    """A way that a rule (its number, from 1) of a role opens; `names` are the only objects that it is for."""

    takeover: Takeover
    rule: int
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleOpenings:
    """All that a role opens. `everything`: the number of a rule that allows everything, 0 for none."""

    openings: tuple[Opening, ...] = ()
    everything: int = 0


@dataclass(frozen=True)
class Act:
    """What somebody may do to become the ServiceAccount, by which rule, if all `conditions` hold.

    `right` has the verbs that the rule gives of those that would do; `names` are the only ServiceAccounts
    that it is for.
    """

    id: str
    right: Right
    rule: int
    conditions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountTaker:
    """A subject that may become the ServiceAccount, by a binding. `acts` are never empty."""

    subject: RbacSubject
    binding: RbacBinding
    acts: tuple[Act, ...]

    @property
    def is_sure(self) -> bool:
        """Whether one of the acts hangs on nothing else."""
        return any(not act.conditions for act in self.acts)

    @property
    def is_part(self) -> bool:
        """Whether it is a part of Kubernetes or EKS itself."""
        return self.binding.own


def openings_of(rules: Iterable[RbacRule]) -> RoleOpenings:
    """What the rules of a role open, once bound."""
    found: list[Opening] = []
    everything = 0
    for number, rule in enumerate(rules, 1):
        if not rule.names and all(ALL in part for part in (rule.verbs, rule.groups, rule.resources)):
            everything = everything or number
        found += [
            Opening(takeover, number, verbs, rule.names)
            for takeover in TAKEOVERS
            if (verbs := _verbs(rule, takeover.right))
        ]
    return RoleOpenings(tuple(found), everything)


def _verbs(rule: RbacRule, right: Right) -> tuple[str, ...]:
    if not (has(rule.groups, right.group) and has_resource(rule.resources, right.resource)):
        return ()
    return tuple(verb for verb in right.verbs if has(rule.verbs, verb))


@dataclass(frozen=True)
class Becoming:
    """The ways to become the ServiceAccounts of one cluster.

    `levels` are the levels of Pod Security by namespace, None where they were not read; `aws_auth`: whether
    it reads the ConfigMap, None where that is not known.
    """

    index: RbacIndex
    levels: Mapping[str, str] | None = None
    aws_auth: bool | None = None
    _openings: dict[RoleRef, RoleOpenings] = field(default_factory=dict, compare=False, repr=False)

    def openings(self, ref: RoleRef) -> RoleOpenings:
        """What a role opens; nothing where it is not there, or could not be read."""
        found = self._openings.get(ref)
        if found is None:
            rules = self.index.rules_of(ref)
            found = openings_of(() if isinstance(rules, Unreadable) else rules or ())
            self._openings[ref] = found
        return found

    def takers(self, namespace: str, name: str, pods: int | None = None) -> tuple[AccountTaker, ...]:
        """Who may become it: sure ones first, parts of Kubernetes last.

        `pods` is how many pods of it run, None where that is not known.
        """
        target = _Target(self, namespace, name, pods)
        found = [taker for binding in self.index.bindings for taker in target.by(binding)]
        if any(item.subject == MASTERS and item.is_sure for item in found if item.binding != SUPERUSERS):
            # A binding that says so is what people know, and look for.
            found = [item for item in found if item.binding != SUPERUSERS]
        return tuple(sorted(found, key=_place))

    def by(
        self, binding: RbacBinding, namespace: str, name: str, pods: int | None = None
    ) -> Iterator[AccountTaker]:
        """Who may become it, or `ANY_ACCOUNT`, by one binding."""
        return _Target(self, namespace, name, pods).by(binding)

    def unseen(self, namespace: str) -> tuple[str, ...]:
        """What was not read, or is not known, and may let somebody become ServiceAccounts of a namespace."""
        policies = (item for item in self.index.policies if self.index.holds_in(item, namespace))
        rules = (self.index.rules_of(item.role) for item in policies)
        unknown = (item.why for item in rules if isinstance(item, Unreadable))
        return tuple(dict.fromkeys((*self.index.objects.unseen, *unknown)))


def _place(taker: AccountTaker) -> tuple[bool, bool, RbacSubject, str]:
    return taker.is_part, not taker.is_sure, taker.subject, str(taker.binding)


@dataclass(frozen=True)
class _Target:
    becoming: Becoming
    namespace: str
    name: str
    pods: int | None

    def by(self, binding: RbacBinding) -> Iterator[AccountTaker]:
        """Those who may by a binding; the ServiceAccount itself is none."""
        found = self.becoming.openings(binding.role)
        if not found.openings:
            return
        own = f"{self.namespace}/{self.name}"
        everything = found.everything if self.becoming.index.holds_in(binding, self.namespace) else 0
        for subject in dict.fromkeys(binding.subjects):
            if subject.account == own:
                continue
            if everything:
                acts: tuple[Act, ...] = (Act("everything", _ANYTHING, everything),)
            else:
                acts = tuple(self._acts(binding, subject, found.openings))
            if acts:
                yield AccountTaker(subject, binding, acts)

    def _acts(self, binding: RbacBinding, subject: RbacSubject, openings: Iterable[Opening]) -> Iterator[Act]:
        for opening in openings:
            way = opening.takeover
            if not self._holds(way, binding):
                continue
            conditions = self._named(opening, subject)
            besides = self._besides(way, binding)
            if conditions is None or besides is None:
                continue
            conditions = [*conditions, *besides, *self._also(way, subject)]
            right = Right(opening.verbs, way.right.group, way.right.resource)
            names = opening.names if way.named is Named.ACCOUNT else ()
            yield Act(way.id, right, opening.rule, tuple(conditions), names)

    def _holds(self, way: Takeover, binding: RbacBinding) -> bool:
        """Whether a binding gives the right of a way where that needs it."""
        holds_in = self.becoming.index.holds_in
        if way.everywhere and binding.namespace:
            return False
        if way.place == OTHER_NAMESPACE:
            return not holds_in(binding, self.namespace)
        return holds_in(binding, way.place or self.namespace)

    def _named(self, opening: Opening, subject: RbacSubject) -> list[str] | None:
        """What the resource names of the rule leave open; None where they rule the way out."""
        names, way = opening.names, opening.takeover
        if not names:
            return []
        said = ", ".join(names)
        if way.named is Named.ACCOUNT:
            return [] if self.name in (*names, ANY_ACCOUNT) else None
        if way.named is Named.AWS_AUTH:
            return [] if AWS_AUTH in names else None
        if way.named is Named.NEW:
            patch = Right(("patch",), way.right.group, way.right.resource)
            return [] if self._has(subject, patch, names) else None
        if way.named is Named.GROUP:
            masters = way.id == "impersonate-group" and MASTERS.name in names
            if masters and way.condition and len(names) == 1:
                return None  # Constrained impersonation rejects this group.
            return [] if masters else [f"{said} may do it"]
        if way.named is Named.ROLE:
            return self._by_roles(way, names)
        return [f"{said} is of it, or makes pods of it"]

    def _by_roles(self, way: Takeover, names: tuple[str, ...]) -> list[str] | None:
        """Whether one of the roles that may be bound leads to it, directly."""
        kind = "Role" if way.right.resource == "roles" else "ClusterRole"
        space = self.namespace if kind == "Role" else ""
        unknown = []
        for name in names:
            ref = RoleRef(kind, name, space)
            if isinstance(self.becoming.index.rules_of(ref), Unreadable):
                unknown.append(name)
            elif self.becoming.openings(ref).openings:
                return []
        return [f"{', '.join(unknown)} leads to it"] if unknown else None

    def _besides(self, way: Takeover, binding: RbacBinding) -> list[str] | None:
        """What has to hold besides RBAC; None where that is known not to."""
        condition = way.condition
        if condition == HOST_PATH:
            levels = self.becoming.levels if way.place else {}  # Volumes are none of Pod Security's business.
            if self.pods == 0 or (levels or {}).get(binding.namespace) in _RESTRICTED:
                return None
            return [condition] if levels is not None else [condition, "Pod Security does not reject it"]
        if condition == AWS_AUTH_READ:
            reads = self.becoming.aws_auth
            return None if reads is False else [condition][: reads is None]
        answered = (condition == RUNS and self.pods) or (condition == ACTS and self._acts_for_itself())
        return [condition] if condition and not answered else []

    def _acts_for_itself(self) -> bool:
        """Whether the ServiceAccount may make its own tokens or pods."""
        if self.name == ANY_ACCOUNT:
            return False
        who = account_requester(self.namespace, self.name)
        tokens = KubeRequest("create", "", "serviceaccounts/token", self.namespace, self.name)
        pods = KubeRequest("create", "", "pods", self.namespace)
        return any(self.becoming.index.allows(who, request) for request in (tokens, pods))

    def _also(self, way: Takeover, subject: RbacSubject) -> Iterator[str]:
        anywhere = way.condition == HOST_PATH
        for rights in way.also:
            if not any(self._has(subject, right, anywhere=anywhere) for right in rights):
                yield f"{ALSO}{rights[0]}"

    def _has(
        self, subject: RbacSubject, right: Right, names: tuple[str, ...] = ("",), *, anywhere: bool = False
    ) -> bool:
        """Whether a subject has a further right here (or in any namespace), by any of its bindings."""
        for binding in self.becoming.index.by_subject.get(subject, ()):
            if not (anywhere or self.becoming.index.holds_in(binding, self.namespace)):
                continue
            rules = self.becoming.index.rules_of(binding.role)
            for rule in () if isinstance(rules, Unreadable) else rules or ():
                asked = replace(rule, names=()) if names == ("",) else rule
                for verb in right.verbs:
                    for name in names:
                        request = KubeRequest(verb, right.group, right.resource, self.namespace, name)
                        if matches(asked, request):
                            return True
        return False


@dataclass(frozen=True)
class KubePermission:
    """What a binding gives a ServiceAccount, and as whom it does: itself, or a group that it is in."""

    subject: RbacSubject
    grant: Grant

    def to_json(self) -> dict[str, Any]:
        """The permission as `-o json` shows it."""
        binding, rules = self.grant.binding, self.grant.rules
        known = isinstance(rules, tuple)
        return {
            "subject": self.subject.to_json(),
            "binding": binding.to_json(),
            "role": {"kind": binding.role.kind, "name": binding.role.name},
            "state": "ok" if known else "missing" if rules is None else "unknown",
            "rules": [rule.to_json() for rule in rules] if isinstance(rules, tuple) else [],
        }


@dataclass(frozen=True)
class InKubernetes:
    """A ServiceAccount in its cluster. `unseen` says what was not read: nothing follows from that.

    `takers` may become it, each with the IAM principals that are behind the subject.
    """

    permissions: tuple[KubePermission, ...] = ()
    takers: tuple[tuple[AccountTaker, tuple[Principal, ...]], ...] = ()
    unseen: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `-o json` shows it."""
        return {
            "permissions": [item.to_json() for item in self.permissions],
            "whoMayBecome": [taker_json(taker, principals) for taker, principals in self.takers],
            "unseen": list(self.unseen),
        }


def in_kubernetes(
    becoming: Becoming, access: ClusterAccess, namespace: str, name: str, pods: int | None = None
) -> InKubernetes:
    """What a ServiceAccount may do in its cluster, and who may become it; `pods`: how many of it run."""
    who = account_requester(namespace, name)
    permissions = tuple(
        KubePermission(_as_whom(who.subjects, grant), grant) for grant in becoming.index.grants_of(who)
    )
    takers = becoming.takers(namespace, name, pods)
    unseen = (*becoming.unseen(namespace), *access.unseen)
    return InKubernetes(permissions, tuple((item, access.behind(item.subject)) for item in takers), unseen)


def _as_whom(subjects: tuple[RbacSubject, ...], grant: Grant) -> RbacSubject:
    return next(subject for subject in subjects if subject in grant.binding.subjects)


def becoming_of(
    objects: RbacObjects, access: ClusterAccess, levels: Mapping[str, str] | None = None
) -> Becoming:
    """The ways to become the ServiceAccounts of a cluster, EKS' access policies included."""
    return Becoming(RbacIndex(objects, access.bindings), levels, access.reads_aws_auth)


def taker_json(taker: AccountTaker, principals: tuple[Principal, ...]) -> dict[str, Any]:
    """Who may become it, as `-o json` shows it."""
    role = taker.binding.role
    return {
        "subject": taker.subject.to_json(),
        "principals": [item.to_json() for item in principals],
        "binding": taker.binding.to_json(),
        "role": {"kind": role.kind, "name": role.name},
        "rights": [_act_json(act) for act in taker.acts],
        "partOfKubernetes": taker.is_part,
    }


def _act_json(act: Act) -> dict[str, Any]:
    return {
        "way": act.id,
        "verbs": list(act.right.verbs),
        "apiGroup": act.right.group,
        "resource": act.right.resource,
        "rule": act.rule,
        "if": list(act.conditions),
    }
