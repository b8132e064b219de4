"""Who uses a ServiceAccount, and who was probably to: pods of the same application under another name.

A pod that has an identity of its own, or whose ServiceAccount has a role, is a neighbour and was not to use
this one. The cause that is made of it is in `irsa_cli.core.doctor.causes.pod_accounts`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from irsa_cli.core.doctor.clues.injection import has_pod_identity
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.owners import owner_of
from irsa_cli.core.doctor.subjects import is_bare
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

_RELEASE = "app.kubernetes.io/instance"
_NAME_LABELS = ("app.kubernetes.io/name", _RELEASE, "app", "k8s-app", "name")
_HOOK = "helm.sh/hook"
"""A pod that Helm makes for a test or around an upgrade, and not the application."""
_SPARK_LABEL = "spark-app-selector"
# What names of ServiceAccounts have beside the application's.
_FILLERS = frozenset(
    ("sa", "svc", "serviceaccount", "service", "account", "controller", "node", "agent", "operator", "irsa")
)
_NEAR = 0.8
_COUNTER = 2
"""Words of so few letters (a, b, 1, v2) tell apart what is meant to be apart."""
_SHORT = 6
"""Shorter names are near by chance."""


def is_active(pod: Pod) -> bool:
    """Whether it runs, or will."""
    return pod.is_alive


def is_near(one: str, other: str) -> bool:
    """Whether two names of ServiceAccounts are variants, or a slip, of each other."""
    if "default" in (one, other) or one == other:
        return False
    if _words(one) == _words(other):
        return True
    apart = set(_words(one)) ^ set(_words(other))
    if any(len(word) <= _COUNTER or word.isdigit() for word in apart) or min(map(len, (one, other))) < _SHORT:
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= _NEAR


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
    return any(is_near(item, name) for item in names if item)


def is_meant(account: ServiceAccount, pod: Pod) -> bool:
    """Whether the release that has the ServiceAccount has the pod's workload, too, and of the same name.

    A name alone tells nothing: an exporter, a cache or a test of an application bears its name as well.
    """
    release, part = account.labels.get(_RELEASE), "app.kubernetes.io/component"
    same = bool(release) and release == pod.labels.get(_RELEASE)
    workload = owner_of(pod)[1]
    return (
        same
        and pod.controlled
        and account.labels.get(part) == pod.labels.get(part)
        and _words(workload) == _words(account.name)
    )


def is_neighbour(facts: Facts, pod: Pod) -> bool:
    """Whether a pod has an identity of its own, or uses a ServiceAccount that has."""
    if not is_bare(pod) or has_pod_identity(pod) or _is_its_own(pod, facts.named.name):
        return True
    accounts = facts.accounts if isinstance(facts.accounts, tuple) else ()
    return any(
        (item.namespace, item.name) == (pod.namespace, pod.service_account) and has_role(item)
        for item in accounts
    )


def _is_its_own(pod: Pod, name: str) -> bool:
    """Whether the pod's ServiceAccount bears the pod's own name, which goes on after the asked one's."""
    other = pod.service_account
    theirs = other.startswith(f"{name}-") and (pod.name == other or pod.name.startswith(f"{other}-"))
    return theirs and not _is_same_app(pod, name)


def _is_same_app(pod: Pod, name: str) -> bool:
    """Whether its labels say that it is the application of this name, not only of the release."""
    return any(pod.labels.get(key) == name for key in _NAME_LABELS if key != _RELEASE)


def has_role(account: ServiceAccount) -> bool:
    """Whether its annotation names a role."""
    return bool(account.annotations.get(ROLE_ARN_ANNOTATION))


def strays(facts: Facts) -> tuple[Pod, ...]:
    """Pods that use another ServiceAccount and were probably to use this one."""
    subject = facts.named
    pods = tuple(pod for pod in have(subject.pods) if is_active(pod))
    own = [pod for pod in pods if pod.service_account == subject.name]
    others = [pod for pod in pods if pod.service_account != subject.name and not is_neighbour(facts, pod)]
    if own:
        return tuple(pod for pod in others if pod.service_account == "default" and _is_part(pod, own))
    found = [
        pod for pod in others if is_of_app(pod, subject.name) or is_near(pod.service_account, subject.name)
    ]
    found.sort(key=lambda pod: not _is_same_app(pod, subject.name))
    return (*found, *_elsewhere(facts))


def made_by_it(facts: Facts) -> tuple[tuple[Pod, ...], tuple[Pod, ...]]:
    """Pods on `default` that the application seems to have made while it runs, and perhaps some more.

    It makes pods without a controller, and Jobs. Those without, of the same release, and those whose names
    begin with the name of one of its pods (a runner's, a worker's) are most probably its own; a Job of the
    release may be the chart's. A workload of the release has the ServiceAccount that the chart gave it.
    """
    subject = facts.named
    pods = tuple(pod for pod in have(subject.pods) if is_active(pod))
    own = [pod for pod in pods if pod.service_account == subject.name]
    known = strays(facts)
    others = [
        pod
        for pod in pods
        if pod.service_account == "default"
        and pod.owner.partition("/")[0] in ("", "Job")
        and pod not in known
        and _HOOK not in pod.annotations
        and not is_neighbour(facts, pod)
    ]
    named = [pod for pod in others if any(pod.name.startswith(f"{item.name}-") for item in own)]
    released = [pod for pod in others if pod not in named and any(_is_of_release(pod, item) for item in own)]
    alone = [pod for pod in released if not pod.owner]
    return (*named, *alone), tuple(pod for pod in released if pod.owner)


def _is_of_release(pod: Pod, own: Pod) -> bool:
    return pod.labels.get(_RELEASE, "") != "" and pod.labels[_RELEASE] == own.labels.get(_RELEASE)


def neighbours(facts: Facts) -> tuple[Pod, ...]:
    """Pods of the ServiceAccount's name that have an identity of their own."""
    subject = facts.named
    return tuple(
        pod
        for pod in have(subject.pods)
        if is_active(pod)
        and pod.service_account != subject.name
        and is_neighbour(facts, pod)
        and is_of_app(pod, subject.name)
    )


def _is_part(pod: Pod, own: Iterable[Pod]) -> bool:
    """Whether pods that use the ServiceAccount have made this one: Spark's driver makes its executors."""
    return any(
        pod.owner == f"Pod/{item.name}"
        or (
            item.labels.get(_SPARK_LABEL, "") != ""
            and pod.labels.get(_SPARK_LABEL) == item.labels[_SPARK_LABEL]
        )
        for item in own
    )


def _elsewhere(facts: Facts) -> tuple[Pod, ...]:
    """Pods of a ServiceAccount of the same name in another namespace, as far as these were looked at."""
    pods = facts.named.elsewhere
    if not isinstance(pods, tuple):
        return ()
    return tuple(pod for pod in pods if is_active(pod) and not is_neighbour(facts, pod))


def namesakes(facts: Facts) -> tuple[str, ...]:
    """Other namespaces with a ServiceAccount of this name that has no role, where nobody uses this one."""
    subject = facts.named
    accounts = facts.accounts if isinstance(facts.accounts, tuple) else ()
    try:
        used = any(pod.service_account == subject.name for pod in have(subject.pods) if is_active(pod))
    except CannotTell:
        return ()
    if used or subject.name == "default":
        return ()
    return tuple(
        item.namespace
        for item in accounts
        if item.name == subject.name and item.namespace != subject.namespace and not has_role(item)
    )
