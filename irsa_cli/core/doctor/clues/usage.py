"""The pods of a ServiceAccount, and pods of the same application that use another one.

A pod with its own identity, or whose ServiceAccount has a role, is a neighbour and needs no other one.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from irsa_cli.core.doctor.facts import Facts, Subject, known
from irsa_cli.core.doctor.subjects import (
    PULL_ROLE,
    TOKEN_VOLUME,
    has_pod_identity,
    home_identity,
    injected,
    is_bare,
)
from irsa_cli.core.marks.makers import TABLE
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.workloads import owner_of
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, dump
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.errors import Unreadable, have

_RELEASE = "app.kubernetes.io/instance"
_NAME_LABELS = ("app.kubernetes.io/name", _RELEASE, "app", "k8s-app", "name")
_HELM = "meta.helm.sh/release-name"
_HOOK = "helm.sh/hook"
"""A pod that Helm makes for a test or around an upgrade, and not the application."""
_SPARK_LABEL = "spark-app-selector"
# Words in names of ServiceAccounts apart from the application's.
_FILLERS = frozenset(
    ("sa", "svc", "serviceaccount", "service", "account", "controller", "node", "agent", "operator", "irsa")
)
_NEAR = 0.8
_COUNTER = 2
"""Words of so few letters (a, b, 1, v2) tell apart what is meant to be apart."""
_SHORT = 6
"""Shorter names are near by chance."""


def is_near(first: str, second: str) -> bool:
    """Whether two names of ServiceAccounts are variants, or a slip, of each other."""
    if "default" in (first, second) or first == second:
        return False
    if _words(first) == _words(second):
        return True
    if min(len(first), len(second)) < _SHORT:
        return False
    apart = set(_words(first)) ^ set(_words(second))
    if any(len(word) <= _COUNTER or word.isdigit() for word in apart):
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _NEAR


def _words(name: str) -> tuple[str, ...]:
    words = tuple(re.split(r"[-._]", name.lower()))
    return tuple(word for word in words if word not in _FILLERS) or words


def is_of_app(pod: Pod, name: str) -> bool:
    """Whether a pod bears the ServiceAccount's name, so that it was probably to use it."""
    labelled = {pod.labels.get(key, "") for key in _NAME_LABELS} - {""}
    owner = pod.owner.partition("/")[2]
    workload = owner.removesuffix(f"-{pod.labels.get('pod-template-hash', '')}")
    names = {*labelled, workload or pod.name}
    if name in labelled or pod.name == name or pod.name.startswith(f"{name}-"):
        return True
    return any(is_near(other_name, name) for other_name in names if other_name)


def is_meant(account: ServiceAccount, pod: Pod) -> bool:
    """Whether the pod's workload has the release and the name of the ServiceAccount.

    A name alone proves nothing: an exporter, a cache or a test of an application also has it.
    """
    keys = (_RELEASE, "app.kubernetes.io/component")
    same = all(account.labels.get(key) == pod.labels.get(key) for key in keys)
    released = same and pod.controlled and bool(account.labels.get(_RELEASE))
    return released and _words(owner_of(pod)[1]) == _words(account.name)


def is_neighbour(facts: Facts, pod: Pod) -> bool:
    """Whether a pod has an identity of its own, or uses a ServiceAccount that has, or one of its own name."""
    name = facts.named.name
    used = pod.service_account
    # A longer form of the requested name, which is also the pod's.
    longer = used.startswith(f"{name}-") and (pod.name == used or pod.name.startswith(f"{used}-"))
    if not has_nothing(pod) or (longer and not _is_same_app(pod, name)):
        return True
    names = (pod.namespace, used)
    return any(
        (account.namespace, account.name) == names and has_role(account) for account in known(facts.accounts)
    )


def _is_same_app(pod: Pod, name: str) -> bool:
    """Whether its labels say that it is the application of this name, not only of the release."""
    return any(pod.labels.get(key) == name for key in _NAME_LABELS if key != _RELEASE)


def has_nothing(pod: Pod) -> bool:
    return is_bare(pod) and not has_pod_identity(pod)


def has_role(account: ServiceAccount) -> bool:
    return bool(account.annotations.get(ROLE_ARN_ANNOTATION))


def strays(facts: Facts) -> tuple[Pod, ...]:
    """Pods that use another ServiceAccount and were probably to use this one."""
    subject = facts.named
    have(subject.pods)
    own = subject.known_users()
    name = subject.name
    candidates = [
        pod for pod in subject.living() if pod.service_account != name and not is_neighbour(facts, pod)
    ]
    if own:
        created = _created_by(own, candidates)
        return tuple(pod for pod in created if pod.service_account == "default")
    alike = [pod for pod in candidates if is_of_app(pod, name) or is_near(pod.service_account, name)]
    alike.sort(key=lambda pod: not _is_same_app(pod, name))
    elsewhere = (pod for pod in known(subject.elsewhere) if pod.is_alive and not is_neighbour(facts, pod))
    return (*alike, *elsewhere)


def _created_by(creators: Iterable[Pod], pods: Iterable[Pod]) -> Iterator[Pod]:
    """Pods that others of them have created, as Spark's driver creates its executors."""
    owners = {f"Pod/{pod.name}" for pod in creators}
    sparks = {pod.labels.get(_SPARK_LABEL, "") for pod in creators} - {""}
    return (pod for pod in pods if pod.owner in owners or pod.labels.get(_SPARK_LABEL) in sparks)


def made_by_it(facts: Facts) -> tuple[tuple[Pod, ...], tuple[Pod, ...]]:
    """Pods on `default` that the application seems to create at runtime, and others that it may create.

    It creates pods without a controller, and Jobs. Those of the same release without a controller, and those
    named after one of its pods (a worker's), are most probably its own; a Job may be the chart's.
    """
    own = facts.named.known_users()
    known_strays = strays(facts)
    loose = [pod for pod in facts.named.living() if _is_loose(pod) and not is_neighbour(facts, pod)]
    releases = {pod.labels[_RELEASE] for pod in own if pod.labels.get(_RELEASE)}
    surely: list[Pod] = []
    perhaps: list[Pod] = []
    released: list[Pod] = []
    for pod in loose:
        if pod in known_strays:
            continue
        if any(pod.name.startswith(f"{creator.name}-") for creator in own):
            surely.append(pod)
        elif pod.labels.get(_RELEASE) in releases and pod.owner:
            perhaps.append(pod)
        elif pod.labels.get(_RELEASE) in releases:
            released.append(pod)
    return (*surely, *released), tuple(perhaps)


def _is_loose(pod: Pod) -> bool:
    """Whether it uses `default` and has no controller but perhaps a Job; Helm's hooks are charts'."""
    owner, _, _ = pod.owner.partition("/")
    return pod.service_account == "default" and owner in ("", "Job") and _HOOK not in pod.annotations


def neighbours(facts: Facts) -> tuple[Pod, ...]:
    """Pods of the ServiceAccount's name that have an identity of their own."""
    subject = facts.named
    others = (pod for pod in subject.living() if pod.service_account != subject.name)
    return tuple(pod for pod in others if is_neighbour(facts, pod) and is_of_app(pod, subject.name))


def released(facts: Facts) -> tuple[Pod, ...]:
    """Pods of the release of a ServiceAccount that nobody uses, whose own ServiceAccounts have no role."""
    if facts.named.known_users():
        return ()
    names = {account.name for account in _mates(facts) if not has_role(account)}
    pods = (pod for pod in facts.named.living() if pod.service_account in names)
    return tuple(pod for pod in pods if not is_neighbour(facts, pod))


def idle(facts: Facts) -> tuple[ServiceAccount, ...]:
    """ServiceAccounts of its release with a role that nobody uses, where its own pods have none."""
    subject = facts.named
    has_other_role = subject.association is not None or subject.candidates != ()
    if has_other_role or not any(map(has_nothing, subject.known_users())):
        return ()
    used = {pod.service_account for pod in subject.living()}
    return tuple(account for account in _mates(facts) if has_role(account) and account.name not in used)


def _mates(facts: Facts) -> list[ServiceAccount]:
    """Other ServiceAccounts of its namespace and release, by Helm's annotation or a label of charts."""
    own = facts.named.account
    if not isinstance(own, ServiceAccount):
        return []
    here = (account for account in known(facts.accounts) if account.namespace == own.namespace)
    return [account for account in here if account.name != own.name and _releases(account) & _releases(own)]


def _releases(account: ServiceAccount) -> set[str]:
    labels = account.labels
    return {labels.get(_RELEASE, ""), labels.get("release", ""), account.annotations.get(_HELM, "")} - {""}


def namesakes(facts: Facts) -> tuple[str, ...]:
    """Other namespaces with a ServiceAccount of this name that has no role, where nobody uses this one."""
    subject = facts.named
    if isinstance(subject.pods, Unreadable) or subject.known_users() or subject.name == "default":
        return ()
    others = (account for account in known(facts.accounts) if account.namespace != subject.namespace)
    return tuple(
        account.namespace for account in others if account.name == subject.name and not has_role(account)
    )


_OF_AWS = re.compile(
    r"(?<![a-z])aws|amazon|dynamodb|(?<![a-z0-9])(?:s3|sqs|sns|kms|ecr|eks|ec2)(?![a-z0-9])|\barn:",
    re.IGNORECASE,
)
"""Words by which a container's settings tell that it uses AWS."""


def shows_aws(subject: Subject, *, by_images: bool = True) -> bool:
    """Whether something about a ServiceAccount or its pods tells that they use AWS.

    That nothing does proves nothing: an SDK needs no setting. Of an image, its registry tells nothing.
    """
    words = [subject.name]
    if isinstance(subject.account, ServiceAccount):
        words += [key for key in subject.account.annotations if not reader_of(key)]
    for pod in subject.known_users():
        words += [pod.name, *pod.annotations, *pod.labels.values()]
        for container in pod.containers:
            words += [container.name, *container.env, *container.arguments, *container.sources]
            if by_images:
                words.append(container.image.rpartition("/")[2])
    return any(map(_OF_AWS.search, words))


WAITS_FOR_IMAGE = ("ErrImagePull", "ImagePullBackOff")
"""The reasons for which a container waits for its image."""


def only_pulls_images(subject: Subject) -> bool:
    """Whether a ServiceAccount is there to pull images, or its pods wait for one, and nothing shows more.

    kubelet pulls with the node's role, `imagePullSecrets` or the role in an annotation of its own; what is
    annotated for pods has no part in it.
    """
    account = subject.account
    if not isinstance(account, ServiceAccount):
        return False
    if PULL_ROLE in account.annotations:
        return not shows_aws(subject, by_images=False)
    waiting = any(pod.waiting in WAITS_FOR_IMAGE for pod in subject.known_users())
    return (account.pulls_images or waiting) and not shows_aws(subject)


_SUBJECT = re.compile(r'"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)"')
_ARN = re.compile(r"\s*arn:[\w-]+:iam::[^:]*:role/", re.ASCII)

Names = tuple[str, str]
"""Namespace and name."""


def trusted_names(document: Document, provider: str) -> frozenset[Names]:
    """The ServiceAccounts that a trust policy allows by exact name for the provider."""
    text = dump(document)
    if json.dumps(provider) not in text:
        return frozenset()
    return frozenset((match[1], match[2]) for match in _SUBJECT.finditer(text))


@dataclass(frozen=True)
class Seen:
    """ServiceAccounts, pods, roles and association names; it finds ServiceAccounts that lost a role."""

    accounts: tuple[ServiceAccount, ...]
    pods: tuple[Pod, ...] | Unreadable
    roles: tuple[Role, ...] | Unreadable
    provider: str
    associated: frozenset[Names] = frozenset()

    def lost(self) -> tuple[ServiceAccount, ...]:
        """The ServiceAccounts that were probably to name a role, and name none."""
        users = self._users()
        # New names in place of old ones that a role trusts and that are gone.
        gone = self._trusted() - self._there
        expected = set(self._trusted())
        for new, old in product(users, gone):
            if new[0] == old[0] and is_near(new[1], old[1]):
                expected.add(new)
        return tuple(
            account
            for account in self._without_role()
            if _shows(account, users.get((account.namespace, account.name), ()), expected)
        )

    def _without_role(self) -> Iterator[ServiceAccount]:
        return (
            account for account in self.accounts if not (has_role(account) or self.has_association(account))
        )

    def has_association(self, account: ServiceAccount) -> bool:
        return (account.namespace, account.name) in self.associated

    def allowed(self, facts: Facts) -> tuple[ServiceAccount, ...]:
        """The ServiceAccounts that name no role and that a role allows, whose pods run without one."""
        users = self._users()
        trusts = [role.trust for role in known(self.roles) if json.dumps(self.provider) in dump(role.trust)]

        def is_allowed(account: ServiceAccount) -> bool:
            token = home_identity(facts, Subject(account.namespace, account.name, account=account))
            return any(explain(trust, token, now=facts.now).admitted for trust in trusts)

        allowed: list[ServiceAccount] = []
        for account in self._without_role():
            pods = users.get((account.namespace, account.name), ())
            if any(map(has_nothing, pods)) and is_allowed(account):
                allowed.append(account)
        return tuple(allowed)

    def with_role(self, facts: Facts) -> list[ServiceAccount]:
        """The ServiceAccounts that have a role, or that were probably to have one."""
        meant = (*self.lost(), *self.allowed(facts))
        # Charts write an empty annotation where no role is set.
        return [
            account
            for account in self.accounts
            if account.annotations.get(ROLE_ARN_ANNOTATION)
            or account in meant
            or self.has_association(account)
        ]

    def gone(self) -> frozenset[Names]:
        """The ServiceAccounts that are not there, and that a role trusts by name or an association is for."""
        return (self._trusted() | self.associated) - self._there

    @cached_property
    def _there(self) -> frozenset[Names]:
        return frozenset((account.namespace, account.name) for account in self.accounts)

    def _users(self) -> Mapping[Names, list[Pod]]:
        users: dict[Names, list[Pod]] = {}
        for pod in known(self.pods):
            if pod.is_alive:
                users.setdefault((pod.namespace, pod.service_account), []).append(pod)
        return users

    def orphaned(self) -> tuple[Names, ...]:
        """ServiceAccounts that are gone, though pods run as them that have a role, or were to have one."""
        trusted = self._trusted()
        gone = {names: pods for names, pods in self._users().items() if names not in self._there}

        def is_expected(names: Names) -> bool:
            return names in trusted or any(_was_given(pod) or has_pod_identity(pod) for pod in gone[names])

        return tuple(filter(is_expected, sorted(gone)))

    def _trusted(self) -> frozenset[Names]:
        return frozenset().union(*(trusted_names(role.trust, self.provider) for role in known(self.roles)))


def _shows(account: ServiceAccount, users: Iterable[Pod], expected: Iterable[Names]) -> bool:
    """Whether something tells that the ServiceAccount was to have a role."""
    pods = list(users)
    if any(_ARN.match(value) for key, value in account.annotations.items() if not reader_of(key)):
        return True
    if any(ROLE_ARN_ANNOTATION in pod.annotations or _was_given(pod) for pod in pods):
        return True
    return (account.namespace, account.name) in expected and any(map(has_nothing, pods))


def _was_given(pod: Pod) -> bool:
    """Whether the webhook gave it an identity; a token that is projected by hand is another matter."""
    volumes = {volume.name for volume in pod.volumes}
    return TOKEN_VOLUME in volumes and any(injected(container) for container in pod.containers)


def gone_names(
    accounts: tuple[ServiceAccount, ...], roles: tuple[Role, ...], provider: str, near: Names
) -> tuple[tuple[Role, str], ...]:
    """Roles that trust a ServiceAccount of the namespace that is gone, of nearly this name, with its name."""
    existing = {(account.namespace, account.name) for account in accounts}
    near_namespace, near_name = near
    gone: list[tuple[Role, str]] = []
    for role in roles:
        for namespace, name in sorted(trusted_names(role.trust, provider) - existing):
            if namespace == near_namespace and is_near(name, near_name):
                gone.append((role, name))
    return tuple(gone)


def reader_of(key: str) -> str:
    """The other reader of an annotation, '' if none is known: none is a misspelt annotation of IRSA's.

    irsa's own marks belong to them: they tell, and bind nothing.
    """
    readers = TABLE["readers"]
    reader = readers.get(key) or readers.get(key.partition("/")[0] + "/") or {}
    by: str = reader.get("by", "")
    return by
