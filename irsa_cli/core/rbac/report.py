"""One ServiceAccount in its cluster: what it may do there, and who may become it, as values and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from irsa_cli.core.rbac.becoming import AccountTaker, Act, Becoming
from irsa_cli.core.rbac.evaluation import Grant, RbacIndex, account_requester
from irsa_cli.core.rbac.objects import RbacObjects, RbacSubject
from irsa_cli.core.rbac.principals import ClusterAccess, Principal


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
    index = becoming.index
    who = account_requester(namespace, name)
    permissions = tuple(
        KubePermission(_as_whom(who.subjects, grant), grant) for grant in index.grants_of(who)
    )
    takers = becoming.takers(namespace, name, pods)
    unseen = (*becoming.unseen(namespace), *access.unseen)
    return InKubernetes(permissions, tuple((item, access.behind(item.subject)) for item in takers), unseen)


def _as_whom(subjects: tuple[RbacSubject, ...], grant: Grant) -> RbacSubject:
    return next(subject for subject in subjects if subject in grant.binding.subjects)


def becoming_of(objects: RbacObjects, access: ClusterAccess) -> Becoming:
    """The ways to become the ServiceAccounts of a cluster, EKS' access policies included."""
    return Becoming(RbacIndex(objects, access.bindings))


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
