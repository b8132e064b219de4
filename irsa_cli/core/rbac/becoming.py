"""The subjects that can act as a ServiceAccount, and its own rights in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, product
from typing import Any

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
from irsa_cli.core.rbac.objects import RBAC_GROUP, RbacBinding, RbacObjects, RbacRule, RbacSubject, RoleRef
from irsa_cli.core.rbac.principals import AWS_AUTH, ClusterAccess, Principal
from irsa_cli.core.rbac.takeovers import (
    ACTS,
    ALSO,
    AWS_AUTH_READ,
    BOUND,
    HOST_PATH,
    OLD_SERVER,
    OTHER_NAMESPACE,
    PRIVILEGED,
    RUNS,
    TAKEOVERS,
    Named,
    Right,
    Takeover,
)
from irsa_cli.core.values.errors import Unreadable

_ANYTHING = Right((ALL,), ALL, ALL)
ANY_ACCOUNT = "*"
"""Any ServiceAccount of a namespace; conditions about a single one stay open."""
_RESTRICTED = ("baseline", "restricted")
"""The Pod Security levels that reject hostPath."""
_CHANGE_NAMESPACE = Right(("update", "patch"), "namespaces")
_CREATE_NAMESPACE = Right(("create",), "namespaces")
_CREATE_ACCOUNT = Right(("create",), "serviceaccounts")
_NEEDS_CREATE = (1, 35)
"""The first version of Kubernetes that requires `create` for exec and attach by GET."""


@dataclass(frozen=True)
class Opening:
    """A way that a rule (number from 1) of a role allows; `names` limit it to some objects."""

    takeover: Takeover
    rule: int
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleOpenings:
    """The ways that a role allows; `everything` is the number of a rule that allows everything, or 0."""

    openings: tuple[Opening, ...] = ()
    everything: int = 0


EVERYTHING = "everything"
"""The `Act.id` of a right to everything."""


@dataclass(frozen=True)
class Act:
    """A right to act as the ServiceAccount, by a rule, under `conditions`.

    `right` has only the verbs of the rule; `names` limit it to some ServiceAccounts.
    """

    id: str
    right: Right
    rule: int
    conditions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountTaker:
    """A subject that can act as the ServiceAccount by a binding; `acts` are never empty."""

    subject: RbacSubject
    binding: RbacBinding
    acts: tuple[Act, ...]

    @property
    def is_sure(self) -> bool:
        """Whether one of the acts has no conditions."""
        return any(not act.conditions for act in self.acts)

    @property
    def is_part(self) -> bool:
        return self.binding.own


def openings_of(rules: Iterable[RbacRule]) -> RoleOpenings:
    """The ways that the rules of a role allow."""
    openings: list[Opening] = []
    everything = 0
    for number, rule in enumerate(rules, 1):
        if not everything and rule.is_everything:
            everything = number
        for takeover in TAKEOVERS:
            verbs = _allowed_verbs(rule, takeover.right)
            if verbs:
                openings.append(Opening(takeover, number, verbs, rule.names))
    return RoleOpenings(tuple(openings), everything)


def _allowed_verbs(rule: RbacRule, right: Right) -> tuple[str, ...]:
    if not has(rule.groups, right.group) or not has_resource(rule.resources, right.resource):
        return ()
    return tuple(verb for verb in right.verbs if has(rule.verbs, verb))


@dataclass(frozen=True)
class Becoming:
    """The ways to act as the ServiceAccounts of one cluster.

    `levels` are the Pod Security levels by namespace, `aws_auth` is whether the cluster uses the ConfigMap;
    None if unknown. `version` is the server's (`1.33`), '' if unknown.
    """

    index: RbacIndex
    levels: Mapping[str, str] | None = None
    aws_auth: bool | None = None
    version: str = ""
    _openings: dict[RoleRef, RoleOpenings] = field(default_factory=dict, compare=False, repr=False)

    def openings(self, ref: RoleRef) -> RoleOpenings:
        """The ways that a role allows; nothing if it does not exist or was not read."""
        openings = self._openings.get(ref)
        if openings is None:
            openings = openings_of(self.index.known_rules_of(ref))
            self._openings[ref] = openings
        return openings

    @property
    def enters_by_get(self) -> bool | None:
        """Whether `get pods/exec` is enough to enter a pod; None if the version is unknown."""
        numbers = [number for number in self.version.split(".")[:2] if number.isdecimal()]
        if len(numbers) < len(_NEEDS_CREATE):
            return None
        return tuple(map(int, numbers)) < _NEEDS_CREATE

    def bindings_of(self, subject: RbacSubject) -> Iterator[RbacBinding]:
        """The bindings of a subject; those of a ServiceAccount include its groups' bindings."""
        names = [subject]
        if subject.account:
            namespace, _, name = subject.account.partition("/")
            names = list(account_requester(namespace, name).subjects)
        for each in names:
            yield from self.index.by_subject.get(each, ())

    def takers(self, namespace: str, name: str, pods: int | None = None) -> tuple[AccountTaker, ...]:
        """The subjects that can act as it: sure ones first, components of Kubernetes last."""
        target = AccountTarget(self, namespace, name, pods)
        takers = list(chain.from_iterable(map(target.by, self.index.bindings)))
        explicit = [taker for taker in takers if taker.binding != SUPERUSERS]
        if any(taker.subject == MASTERS and taker.is_sure for taker in explicit):
            # Show the explicit binding instead, because people look for it.
            takers = explicit
        return tuple(sorted(takers, key=_sure_first))

    def unread(self, namespace: str) -> tuple[str, ...]:
        """The parts that were not read and might allow someone to act as ServiceAccounts of a namespace."""
        policies = (binding for binding in self.index.policies if self.index.holds_in(binding, namespace))
        rules = (self.index.rules_of(binding.role) for binding in policies)
        unknown = (answer.why for answer in rules if isinstance(answer, Unreadable))
        return tuple(dict.fromkeys((*self.index.objects.unread, *unknown)))


def _sure_first(taker: AccountTaker) -> tuple[bool, bool, RbacSubject, str]:
    return taker.is_part, not taker.is_sure, taker.subject, str(taker.binding)


@dataclass(frozen=True)
class AccountTarget:
    """A ServiceAccount, or `ANY_ACCOUNT` of a namespace, with its number of pods (None if unknown)."""

    becoming: Becoming
    namespace: str
    name: str
    pods: int | None = None

    def by(self, binding: RbacBinding) -> Iterator[AccountTaker]:
        """The subjects, except itself, that can act as it by a binding."""
        opened = self.becoming.openings(binding.role)
        if not opened.openings:
            return
        own = f"{self.namespace}/{self.name}"
        holds_here = self.becoming.index.holds_in(binding, self.namespace)
        for subject in dict.fromkeys(binding.subjects):
            if subject.account == own:
                continue
            if opened.everything and holds_here:
                acts: tuple[Act, ...] = (Act(EVERYTHING, _ANYTHING, opened.everything),)
            else:
                acts = tuple(self._acts(binding, subject, opened.openings))
            if acts:
                yield AccountTaker(subject, binding, acts)

    def _acts(self, binding: RbacBinding, subject: RbacSubject, openings: Iterable[Opening]) -> Iterator[Act]:
        for opening in openings:
            way = opening.takeover
            if not self._holds(way, binding):
                continue
            by_names = self._conditions_of_names(opening, subject)
            besides = self._conditions_besides(way, binding, subject)
            if by_names is None or besides is None:
                continue
            conditions = [*by_names, *besides]
            for rights in way.also:
                anywhere = way.condition == HOST_PATH
                if not any(self._has(subject, right, anywhere=anywhere) for right in rights):
                    conditions.append(f"{ALSO}{rights[0]}")
            right = replace(way.right, verbs=opening.verbs)
            names = opening.names if way.named is Named.ACCOUNT else ()
            yield Act(way.id, right, opening.rule, tuple(conditions), names)

    def _holds(self, way: Takeover, binding: RbacBinding) -> bool:
        """Whether a binding applies where a way needs it."""
        holds_in = self.becoming.index.holds_in
        if way.everywhere and binding.namespace:
            return False
        if way.place == OTHER_NAMESPACE:
            return not holds_in(binding, self.namespace)
        if way.condition == PRIVILEGED and holds_in(binding, self.namespace):
            return False  # It can enter the pods of the ServiceAccount.
        return holds_in(binding, way.place or self.namespace)

    def _conditions_of_names(self, opening: Opening, subject: RbacSubject) -> list[str] | None:
        """The open conditions from the rule's resource names; None if they exclude the way."""
        names = opening.names
        way = opening.takeover
        if not names or way.condition == BOUND:
            return []
        if way.named is Named.GROUP:
            return self._by_groups(way, names)
        if way.named is Named.ROLE:
            return self._by_roles(way, names)
        if way.named is Named.OTHER:
            return [f"{', '.join(names)} belongs to it, or creates its pods"]
        if way.named is Named.ACCOUNT:
            is_among = self.name in (*names, ANY_ACCOUNT)
        elif way.named is Named.AWS_AUTH:
            is_among = AWS_AUTH in names
        else:
            is_among = self._has(subject, replace(way.right, verbs=("patch",)), names)
        return [] if is_among else None

    def _by_groups(self, way: Takeover, names: tuple[str, ...]) -> list[str] | None:
        """Whether one of the groups or users that can be impersonated can do everything."""
        if way.id != "impersonate-group" or MASTERS.name not in names:
            return [f"{', '.join(names)} can do this"]
        if way.condition and len(names) == 1:
            return None  # Constrained impersonation rejects this group.
        return []

    def _by_roles(self, way: Takeover, names: tuple[str, ...]) -> list[str] | None:
        """Whether one of the roles that can be bound allows a way directly."""
        kind = "Role" if way.right.resource == "roles" else "ClusterRole"
        space = self.namespace if kind == "Role" else ""
        unknown = []
        for name in names:
            ref = RoleRef(kind, name, space)
            if isinstance(self.becoming.index.rules_of(ref), Unreadable):
                unknown.append(name)
            elif self.becoming.openings(ref).openings:
                return []
        if not unknown:
            return None
        return [f"the role {' or '.join(unknown)} allows this"]

    def _conditions_besides(
        self, way: Takeover, binding: RbacBinding, subject: RbacSubject
    ) -> list[str] | None:
        """The conditions besides RBAC; None if one of them is known to fail."""
        condition = way.condition
        if condition == HOST_PATH:
            return self._of_host_path(way, binding, subject)
        if condition == OLD_SERVER:
            return self._of_version()
        if condition == BOUND and self._escalates_own_role(subject, way.right.resource):
            return []
        if condition == AWS_AUTH_READ and self.becoming.aws_auth is False:
            return None
        is_known_to_hold = (
            not condition
            or (condition == AWS_AUTH_READ and self.becoming.aws_auth)
            or (condition == RUNS and self.pods)
            or (condition == ACTS and self._acts_for_itself())
        )
        return [] if is_known_to_hold else [condition]

    def _of_host_path(self, way: Takeover, binding: RbacBinding, subject: RbacSubject) -> list[str] | None:
        """The conditions of a pod that mounts a folder of its node, or of such a volume."""
        if self.pods == 0:
            return None
        conditions = [HOST_PATH]
        if way.besides:
            conditions.append(way.besides)
        if not way.place:
            return conditions  # Pod Security does not check volumes.
        if self._changes_namespace(subject, binding.namespace):
            return conditions  # It can remove the namespace's Pod Security label.
        if self.becoming.levels is None:
            return [*conditions, "Pod Security does not reject it"]
        if self.becoming.levels.get(binding.namespace) in _RESTRICTED:
            return None
        return conditions

    def _changes_namespace(self, subject: RbacSubject, namespace: str) -> bool:
        """Whether a subject can change a namespace; a right in the namespace itself is enough."""
        there = replace(self, namespace=namespace)
        return bool(namespace) and there._has(subject, _CHANGE_NAMESPACE, (namespace,))

    def _of_version(self) -> list[str] | None:
        """The conditions of a way that newer servers close."""
        running = [] if self.pods else [RUNS]
        enters = self.becoming.enters_by_get
        if enters is None:
            return [OLD_SERVER, *running]
        return running if enters else None

    def _escalates_own_role(self, subject: RbacSubject, resource: str) -> bool:
        """Whether a role that the subject can change, with any rules, is bound to itself here."""
        kind = "Role" if resource == "roles" else "ClusterRole"
        needed = (
            Right(("escalate",), resource, RBAC_GROUP),
            Right(("update", "patch"), resource, RBAC_GROUP),
        )
        for binding in self.becoming.bindings_of(subject):
            role = binding.role
            if role.kind == kind and self.becoming.index.holds_in(binding, self.namespace):
                place = replace(self, namespace=role.namespace)
                if all(place._has(subject, right, (role.name,)) for right in needed):
                    return True
        return False

    def can_be_created_by(self, subject: RbacSubject) -> bool:
        """Whether a subject can create this ServiceAccount, and its namespace if that is missing."""
        levels = self.becoming.levels
        if levels is not None and self.namespace not in levels:
            cluster = replace(self, namespace="")
            if not cluster._has(subject, _CREATE_NAMESPACE):
                return False
        return self._has(subject, _CREATE_ACCOUNT)

    def _acts_for_itself(self) -> bool:
        """Whether the ServiceAccount can create its own tokens or pods."""
        if self.name == ANY_ACCOUNT:
            return False
        who = account_requester(self.namespace, self.name)
        tokens = KubeRequest("create", "", "serviceaccounts/token", self.namespace, self.name)
        pods = KubeRequest("create", "", "pods", self.namespace)
        return any(self.becoming.index.allows(who, request) for request in (tokens, pods))

    def _has(
        self, subject: RbacSubject, right: Right, names: tuple[str, ...] = ("",), *, anywhere: bool = False
    ) -> bool:
        """Whether a subject has another right here (or anywhere) by any of its bindings."""
        for binding in self.becoming.bindings_of(subject):
            if not (anywhere or self.becoming.index.holds_in(binding, self.namespace)):
                continue
            for rule in self.becoming.index.known_rules_of(binding.role):
                if names == ("",):
                    rule = replace(rule, names=())
                for verb, name in product(right.verbs, names):
                    request = KubeRequest(verb, right.group, right.resource, self.namespace, name)
                    if matches(rule, request):
                        return True
        return False


@dataclass(frozen=True)
class InKubernetes:
    """A ServiceAccount in its cluster; `takers` can act as it, each with its IAM principals.

    `permissions` are the grants to it, directly or through one of its groups.
    """

    permissions: tuple[Grant, ...] = ()
    takers: tuple[tuple[AccountTaker, tuple[Principal, ...]], ...] = ()
    unread: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "permissions": [grant.to_json() for grant in self.permissions],
            "whoMayBecome": [taker_json(taker, principals) for taker, principals in self.takers],
            "unseen": list(self.unread),
        }


def in_kubernetes(
    becoming: Becoming, access: ClusterAccess, namespace: str, name: str, pods: int | None = None
) -> InKubernetes:
    """The rights of a ServiceAccount in its cluster, and who can act as it; `pods`: its number of pods."""
    permissions = tuple(becoming.index.grants_of(account_requester(namespace, name)))
    takers = becoming.takers(namespace, name, pods)
    unread = (*becoming.unread(namespace), *access.unread)
    return InKubernetes(permissions, tuple((taker, access.behind(taker.subject)) for taker in takers), unread)


def becoming_of(
    objects: RbacObjects, access: ClusterAccess, levels: Mapping[str, str] | None = None, version: str = ""
) -> Becoming:
    """The ways to act as the ServiceAccounts of a cluster, including EKS's access policies."""
    return Becoming(RbacIndex(objects, access.bindings), levels, access.reads_aws_auth, version)


def taker_json(taker: AccountTaker, principals: tuple[Principal, ...]) -> dict[str, Any]:
    role = taker.binding.role
    return {
        "subject": taker.subject.to_json(),
        "principals": [principal.to_json() for principal in principals],
        "binding": taker.binding.to_json(),
        "role": {"kind": role.kind, "name": role.name},
        "rights": [
            {
                "way": act.id,
                "verbs": list(act.right.verbs),
                "apiGroup": act.right.group,
                "resource": act.right.resource,
                "rule": act.rule,
                "if": list(act.conditions),
            }
            for act in taker.acts
        ],
        "partOfKubernetes": taker.is_part,
    }
