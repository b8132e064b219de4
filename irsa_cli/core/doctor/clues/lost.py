"""ServiceAccounts that name no role and should: what pods, and roles that trust them, tell of it.

Without a name `irsa doctor` looks at those that have a role; these it looks at, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from irsa_cli.core.doctor.clues.injection import has_pod_identity
from irsa_cli.core.doctor.clues.usage import is_active, is_near
from irsa_cli.core.doctor.facts import RoleSummary
from irsa_cli.core.doctor.subjects import injected, is_bare
from irsa_cli.core.marks.makers import reader_of
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, dump

_SUBJECT = re.compile(r'"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)"')
_ARN = re.compile(r"\s*arn:[\w-]+:iam::[^:]*:role/", re.ASCII)
WEBHOOK_VOLUME = "aws-iam-token"

Names = tuple[str, str]
"""Namespace and name."""


def trusted_names(document: Document, provider: str) -> frozenset[Names]:
    """The ServiceAccounts that a trust policy names exactly, where it names the provider."""
    text = dump(document)
    if json.dumps(provider) not in text:
        return frozenset()
    return frozenset((found[1], found[2]) for found in _SUBJECT.finditer(text))


@dataclass(frozen=True)
class Seen:
    """What tells of lost roles: all ServiceAccounts, the pods that were listed, the account's roles.

    `associated` are those with an EKS Pod Identity association.
    """

    accounts: tuple[ServiceAccount, ...]
    pods: tuple[Pod, ...] | Unreadable
    roles: tuple[RoleSummary, ...] | Unreadable
    provider: str
    associated: frozenset[Names] = frozenset()

    def lost(self) -> tuple[ServiceAccount, ...]:
        """The ServiceAccounts that were probably to name a role, and name none."""
        users = self._users()
        wanted = {*self._trusted(), *(new for new, _ in self._renamed(users))}
        return tuple(
            item
            for item in self.accounts
            if not item.annotations.get(ROLE_ARN_ANNOTATION)
            and (item.namespace, item.name) not in self.associated
            and _shows(item, users.get((item.namespace, item.name), ()), wanted)
        )

    def has_association(self, account: ServiceAccount) -> bool:
        """Whether a ServiceAccount has its role by an EKS Pod Identity association."""
        return (account.namespace, account.name) in self.associated

    def gone(self) -> frozenset[Names]:
        """The ServiceAccounts that are not there, and that a role trusts by name or an association is for."""
        there = {(item.namespace, item.name) for item in self.accounts}
        return (self._trusted() | self.associated) - there

    def _users(self) -> Mapping[Names, list[Pod]]:
        found: dict[Names, list[Pod]] = {}
        for pod in self.pods if isinstance(self.pods, tuple) else ():
            if is_active(pod):
                found.setdefault((pod.namespace, pod.service_account), []).append(pod)
        return found

    def orphaned(self) -> tuple[Names, ...]:
        """ServiceAccounts that are gone, though pods run as them that have a role, or were to have one."""
        there = {(item.namespace, item.name) for item in self.accounts}
        wanted = self._trusted()
        return tuple(
            names
            for names, pods in sorted(self._users().items())
            if names not in there
            and (names in wanted or any(_was_given(pod) or has_pod_identity(pod) for pod in pods))
        )

    def _trusted(self) -> frozenset[Names]:
        roles = self.roles if isinstance(self.roles, tuple) else ()
        return frozenset(names for role in roles for names in trusted_names(role.trust, self.provider))

    def _renamed(self, users: Mapping[Names, list[Pod]]) -> Iterable[tuple[Names, Names]]:
        there = {(item.namespace, item.name) for item in self.accounts}
        gone = self._trusted() - there
        for new in users:
            for old in gone:
                if new[0] == old[0] and is_near(new[1], old[1]):
                    yield new, old


def _shows(account: ServiceAccount, users: Iterable[Pod], wanted: Iterable[Names]) -> bool:
    """Whether something tells that the ServiceAccount was to have a role."""
    pods = list(users)
    if any(_ARN.match(value) for key, value in account.annotations.items() if not reader_of(key)):
        return True
    if any(ROLE_ARN_ANNOTATION in pod.annotations or _was_given(pod) for pod in pods):
        return True
    return (account.namespace, account.name) in wanted and any(
        is_bare(pod) and not has_pod_identity(pod) for pod in pods
    )


def _was_given(pod: Pod) -> bool:
    """Whether the webhook gave it an identity; a token that is projected by hand is another matter."""
    volumes = {item.name for item in pod.volumes}
    return WEBHOOK_VOLUME in volumes and any(injected(item) for item in pod.containers)


def gone_names(
    accounts: tuple[ServiceAccount, ...], roles: tuple[RoleSummary, ...], provider: str, wanted: Names
) -> tuple[tuple[RoleSummary, str], ...]:
    """Roles that trust a ServiceAccount of the namespace that is gone, of nearly this name, with its name."""
    there = {(item.namespace, item.name) for item in accounts}
    return tuple(
        (role, name)
        for role in roles
        for namespace, name in sorted(trusted_names(role.trust, provider) - there)
        if namespace == wanted[0] and is_near(name, wanted[1])
    )
