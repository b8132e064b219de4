"""The webhook's injection into containers, and the one reason why a pod has no identity."""

from __future__ import annotations

from irsa_cli.core.doctor.facts import Facts, Subject, known
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    annotations_of,
    argument,
    injected,
    is_bare,
    listed,
)
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.objects.variables import variable
from irsa_cli.core.objects.webhooks import Requirement, Webhook, selects
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.plan.states import CONFIG_MAP_ANNOTATION
from irsa_cli.core.trust.chain import KEY, PROFILE

PREFIX = "eks.amazonaws.com"
SKIP_LABEL = f"{PREFIX}/skip-pod-identity-webhook"
SKIP_CONTAINERS = f"{PREFIX}/skip-containers"
POD_IDENTITY_ENV = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")


def webhooks_of(facts: Facts) -> tuple[Webhook, ...]:
    """The webhooks that inject web identities; raises `CannotTell` when there is none."""
    found = have(facts.webhooks)
    if not found:
        raise CannotTell("there is no pod identity webhook; see webhook-missing")
    return found


def is_injected(pod: Pod) -> bool:
    return any(injected(item) for item in pod.containers)


def has_identity(pod: Pod) -> bool:
    """Whether some container has an identity of AWS, in one of the two ways."""
    return is_injected(pod) or has_pod_identity(pod)


def has_pod_identity(pod: Pod) -> bool:
    return any(POD_IDENTITY_ENV in item.env for item in pod.containers)


def excluding(facts: Facts, subject: Subject) -> tuple[str, str]:
    """The selector of all webhooks that leaves the namespace out, and what it says; '' when none does."""
    labels = have(subject.namespace_labels)
    if labels is None:
        raise CannotTell(f"there is no namespace {subject.namespace}")
    webhooks = webhooks_of(facts)
    if any(selects(item.namespace_selector, labels) for item in webhooks):
        return "", ""
    return webhooks[0].configuration, selector_text(webhooks[0].namespace_selector)


def foreign_prefix(facts: Facts) -> str:
    """The annotation prefix of the webhook, '' for the default."""
    prefix = argument(facts.webhook_arguments, "--annotation-prefix")
    return "" if prefix == PREFIX else prefix


def why_bare(facts: Facts, pod: Pod) -> str:
    """The cause for which a pod has nothing of a web identity, though its ServiceAccount names a role."""
    subject = facts.named
    if isinstance(subject.association, Association) or has_pod_identity(pod):
        return "pod-identity-association"
    if opted_out(pod):
        return "pod-opted-out"
    if isinstance(facts.webhooks, tuple):
        if not facts.webhooks and not (isinstance(subject.probe, Pod) and is_injected(subject.probe)):
            return "webhook-missing"
        if facts.webhooks and not is_shown(facts, pod):
            return "webhook-objects"
        if facts.webhooks and excluding(facts, subject)[0]:
            return "webhook-namespace"
    if foreign_prefix(facts):
        return "webhook-prefix"
    if isinstance(subject.probe, Pod) and not is_injected(subject.probe) and is_shown(facts, subject.probe):
        return "webhook-failing"
    return _by_time(facts, pod)


def _by_time(facts: Facts, pod: Pod) -> str:
    if pod.created is None:
        return "pod-older-than-annotation"
    annotated = facts.named.existing().annotated
    # Times have whole seconds: of two equal ones nobody knows which came first.
    newer = annotated is not None and pod.created > annotated
    made = [item.created for item in known(facts.webhooks) if item.created is not None]
    if (newer or annotated is None) and made and pod.created < min(made):
        return "pod-older-than-webhook"
    return "pod-missed" if newer else "pod-older-than-annotation"


def opted_out(pod: Pod) -> bool:
    """Whether the pod, or each of its containers, is marked for the webhook to pass over."""
    names = skipped(pod)
    return SKIP_LABEL in pod.labels or all(item.name in names for item in pod.containers)


def skipped(pod: Pod) -> set[str]:
    """The containers that the pod's annotation wants passed over."""
    return {name.strip() for name in pod.annotations.get(SKIP_CONTAINERS, "").split(",") if name.strip()}


def is_shown(facts: Facts, pod: Pod) -> bool:
    webhooks = known(facts.webhooks)
    return not webhooks or any(selects(item.object_selector, pod.labels) for item in webhooks)


def bare(facts: Facts, identifier: str) -> list[Pod]:
    """The pods without a web identity for this very cause; raises `CannotTell` when there can't be any."""
    facts.named.effective_annotation()
    return [pod for pod in facts.named.users() if is_bare(pod) and why_bare(facts, pod) == identifier]


def selector_text(requirements: tuple[Requirement, ...]) -> str:
    """A selector for people."""
    return listed(f"{item.key} {item.operator} {','.join(item.values)}".rstrip() for item in requirements)


_FILE, _PROFILE = variable("AWS_CONFIG_FILE"), variable("AWS_PROFILE")
_USUAL = ("/.aws", f"/.aws/{KEY}")
"""Where SDKs look for it in the home folder by default."""


def config_map_of(subject: Subject) -> str:
    """The ConfigMap that irsa notes for the ServiceAccount, '' for none."""
    return noted_or_none(annotations_of(subject), CONFIG_MAP_ANNOTATION)


def takes_profile(facts: Facts, pod: Pod, container: Container) -> bool:
    """Whether a container uses the profile `target` and mounts the ConfigMap at the right place."""
    name = config_map_of(facts.named)
    if not name or container.env.get(_PROFILE) != PROFILE:
        return False
    volumes = [volume.name for volume in pod.volumes if name in volume.config_maps]
    places = [container.mounts[volume].rstrip("/") for volume in volumes if volume in container.mounts]
    if _FILE in container.env:
        file = container.env[_FILE] or ""
        return any(file == place or file.startswith(f"{place}/") for place in places)
    return any(place.endswith(_USUAL) for place in places)


def goes_by_profile(facts: Facts, pod: Pod) -> bool:
    """Whether a container of the pod takes the profile in place of the webhook's variables."""
    return any(leaves_the_token_to_it(item) and takes_profile(facts, pod, item) for item in pod.containers)


def leaves_the_token_to_it(container: Container) -> bool:
    """Whether an empty value in the template blocks the webhook's variables, so that SDKs use the profile."""
    return ROLE_ENV not in container.env and container.env.get(TOKEN_ENV) == ""
