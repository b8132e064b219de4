"""Facts that several checks need: annotation, role, token, pods, and the exchanges that CloudTrail shows.

Of these, irsa's own are left out, and those under `irsa exec`. `CannotTell` if something does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from irsa_cli.core.doctor.facts import Facts, Subject, known, there
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Pod, variable
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import DELAY, TrailEvent
from irsa_cli.core.objects.webhooks import Requirement, Webhook, selects
from irsa_cli.core.objects.workloads import owner_of
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, CONFIG_MAP_ANNOTATION, ProviderState
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.chain import KEY, PROFILE
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.errors import CannotTell, have

ROLE_ENV = variable("AWS_ROLE_ARN")
TOKEN_ENV = variable("AWS_WEB_IDENTITY_TOKEN_FILE")
PULL_ROLE = "eks.amazonaws.com/ecr-role-arn"
"""The annotation with the role by which kubelet pulls images, of which pods get nothing.

https://github.com/kubernetes/cloud-provider-aws/tree/master/cmd/ecr-credential-provider
"""
TOKEN_VOLUME = "aws-iam-token"  # noqa: S105 - a volume's name
"""The volume of the webhook's token."""


def annotations_of(subject: Subject | None) -> Mapping[str, str]:
    if subject is None or not isinstance(subject.account, ServiceAccount):
        return {}
    return subject.account.annotations


def audience_of(facts: Facts, subject: Subject | None) -> str:
    """The audience of the tokens that the webhook puts into pods: the annotation's, or its default."""
    annotated = annotations_of(subject).get(AUDIENCE_ANNOTATION)
    if annotated is not None:
        return annotated
    return argument(facts.webhook_arguments, "--token-audience") or DEFAULT_AUDIENCE


def argument(arguments: Iterable[str], flag: str) -> str:
    """The value of a flag, `--flag value` or `--flag=value`; '' without it."""
    words = list(arguments)
    for number, word in enumerate(words):
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and number + 1 < len(words):
            return words[number + 1]
    return ""


def provider_of(facts: Facts, subject: Subject | None) -> str:
    """The ARN that the cluster's OIDC provider has to have: it lives in the role's account."""
    account = facts.cluster.home if subject is None else role_account(facts)
    return provider_arn(facts.cluster.partition, account, facts.cluster.issuer)


def role_account(facts: Facts) -> str:
    """The account of the role, and so of the provider; the cluster's where no role is named."""
    with suppress(CannotTell):
        return facts.named.role_arn().account
    return facts.cluster.home


def provider_there(facts: Facts) -> ProviderState | None:
    """The issuer's provider in the role's account, None when there is none."""
    if role_account(facts) == facts.cluster.home:
        return have(facts.provider)
    return have(facts.named.provider)


def identity_of(facts: Facts, subject: Subject) -> WebIdentity:
    """The pods' token, as the role's trust policy sees it."""
    identity = subject.binding_in(facts.cluster).identity_in(role_account(facts))
    return replace(identity, audience=audience_of(facts, subject))


def home_provider(facts: Facts) -> str:
    """The ARN of the cluster's OIDC provider in the cluster's account."""
    return provider_arn(facts.cluster.partition, facts.cluster.home, facts.cluster.issuer)


def home_identity(facts: Facts, subject: Subject) -> WebIdentity:
    """The same token, as roles of the cluster's account see it."""
    return replace(identity_of(facts, subject), provider_arn=home_provider(facts))


def quota_of(facts: Facts, name: str, default: int) -> int:
    quotas = facts.quotas if isinstance(facts.quotas, dict) else {}
    return int(quotas.get(name, default))


def injected(container: Container) -> bool:
    """Whether a container has both variables of a web identity."""
    return ROLE_ENV in container.env and TOKEN_ENV in container.env


def is_bare(pod: Pod) -> bool:
    """Whether no container of the pod has anything of a web identity."""
    return not any(ROLE_ENV in container.env or TOKEN_ENV in container.env for container in pod.containers)


def users_with(subject: Subject, test: Callable[[Container], bool]) -> list[tuple[Pod, Container]]:
    """The containers of its pods of which the test holds."""
    users: list[tuple[Pod, Container]] = []
    for pod in subject.users():
        users += [(pod, container) for container in pod.containers if test(container)]
    return users


def injected_users(subject: Subject) -> list[tuple[Pod, Container]]:
    return there(users_with(subject, injected), f"no container of {subject.full_name} has a web identity")


def where(users: Iterable[tuple[Pod, Container]]) -> str:
    return listed(f"{pod.name} (container {container.name})" for pod, container in users)


def pod_names(pods: Iterable[Pod]) -> str:
    return listed(pod.name for pod in pods)


def workloads(pods: Iterable[Pod]) -> str:
    """The workloads that created the pods, by kind and name; `Pod` for a pod without one."""
    owners = (owner_of(pod) for pod in pods)
    return listed(f"{kind}/{name}" if kind else f"Pod/{name}" for kind, name in owners)


def starts(pods: Iterable[Pod]) -> str:
    return listed(pod.created.isoformat() for pod in pods if pod.created)


def listed(texts: Iterable[str], limit: int = 5) -> str:
    """The texts, separated by commas; how many more there are than `limit`."""
    every = list(dict.fromkeys(texts))
    if len(every) <= limit:
        return ", ".join(every)
    return f"{', '.join(every[:limit])} and {len(every) - limit} more"


EARLY = "CloudTrail shows no call to STS yet, and can be 15 minutes late"
NO_WORDS = "An unknown error occurred"
"""CloudTrail usually has this instead of the error message."""


def calls(facts: Facts) -> tuple[TrailEvent, ...]:
    return tuple(event for event in have(facts.named.events) if not event.own)


def newest(facts: Facts) -> TrailEvent:
    """The newest of them; raises `CannotTell` without any."""
    events = calls(facts)
    if not events:
        text = "CloudTrail has no STS call by this ServiceAccount"
        if have(facts.named.events):
            text += " except irsa's own"
        raise CannotTell(why_no_call(facts, text))
    return max(events, key=lambda event: event.time)


def newest_by_role(facts: Facts, pods: Iterable[Pod]) -> dict[str, TrailEvent]:
    """The newest call for each role since the oldest of these pods was created."""
    since = min((pod.created for pod in pods if pod.created is not None), default=None)
    newest: dict[str, TrailEvent] = {}
    for event in sorted(calls(facts), key=lambda event: event.time, reverse=True):
        if since is None or event.time >= since:
            newest.setdefault(event.role_arn, event)
    return newest


def is_admitted(facts: Facts, pods: Iterable[Pod]) -> bool:
    """Whether STS accepted the newest call for each role of these pods."""
    mine = tuple(pods)
    newest: dict[str, TrailEvent] = {}
    roles: set[str | None] = set()
    for pod in mine:
        roles |= {container.env.get(ROLE_ENV) for container in pod.containers}
    with suppress(CannotTell):
        newest = newest_by_role(facts, mine)
    events = [event for role, event in newest.items() if role in roles]
    return bool(events) and not any(event.error for event in events)


def run_long_enough(facts: Facts, pods: Iterable[Pod]) -> list[Pod]:
    return [pod for pod in pods if pod.created is not None and facts.now - pod.created > DELAY]


def why_no_call(facts: Facts, otherwise: str) -> str:
    """Why CloudTrail has nothing: if all pods with an identity are young, it is too early for all checks."""
    pods = [pod for pod in facts.named.known_users() if any(map(injected, pod.containers))]
    if pods and facts.named.events == () and not run_long_enough(facts, pods):
        return EARLY
    return otherwise


def in_words(event: TrailEvent) -> str:
    error = event.error
    if event.message not in ("", NO_WORDS):
        error += f": {event.message}"
    return f"{error} at {event.time.isoformat()}"


PREFIX = "eks.amazonaws.com"
SKIP_LABEL = f"{PREFIX}/skip-pod-identity-webhook"
SKIP_CONTAINERS = f"{PREFIX}/skip-containers"
POD_IDENTITY_ENV = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")


def webhooks_of(facts: Facts) -> tuple[Webhook, ...]:
    """The webhooks that inject web identities; raises `CannotTell` when there is none."""
    return there(facts.webhooks, "there is no pod identity webhook; see webhook-missing")


def is_injected(pod: Pod) -> bool:
    return any(injected(container) for container in pod.containers)


def has_identity(pod: Pod) -> bool:
    """Whether some container has an identity of AWS, in one of the two ways."""
    return is_injected(pod) or has_pod_identity(pod)


def has_pod_identity(pod: Pod) -> bool:
    return any(POD_IDENTITY_ENV in container.env for container in pod.containers)


def excluding(facts: Facts, subject: Subject) -> tuple[str, str]:
    """The selector of all webhooks that leaves the namespace out, and what it says; '' when none does."""
    labels = there(subject.namespace_labels, f"there is no namespace {subject.namespace}")
    webhooks = webhooks_of(facts)
    if any(selects(webhook.namespace_selector, labels) for webhook in webhooks):
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
    probe = subject.probe if isinstance(subject.probe, Pod) else None
    by_webhooks = _by_webhooks(facts, pod, probe) if isinstance(facts.webhooks, tuple) else ""
    if by_webhooks:
        return by_webhooks
    if foreign_prefix(facts):
        return "webhook-prefix"
    if probe is not None and not is_injected(probe) and is_shown(facts, probe):
        return "webhook-failing"
    return _by_time(facts, pod)


def _by_webhooks(facts: Facts, pod: Pod, probe: Pod | None) -> str:
    """The cause in the selectors of the webhooks, or in their absence; '' if they are right."""
    if not known(facts.webhooks):
        is_there = probe is not None and is_injected(probe)
        return "" if is_there else "webhook-missing"
    if not is_shown(facts, pod):
        return "webhook-objects"
    configuration, _ = excluding(facts, facts.named)
    return "webhook-namespace" if configuration else ""


def _by_time(facts: Facts, pod: Pod) -> str:
    if pod.created is None:
        return "pod-older-than-annotation"
    annotated = _annotated_by(facts)
    # Times have whole seconds: of two equal ones nobody knows which came first.
    is_newer = annotated is not None and pod.created > annotated
    webhooks = [webhook.created for webhook in known(facts.webhooks) if webhook.created is not None]
    if (is_newer or annotated is None) and webhooks and pod.created < min(webhooks):
        return "pod-older-than-webhook"
    return "pod-missed" if is_newer else "pod-older-than-annotation"


def _annotated_by(facts: Facts) -> datetime | None:
    """The earliest time at which the annotation is known to have been there; None if nothing shows it.

    A pod with the role by the webhook also shows it: the annotation may have been written again later.
    """
    subject = facts.named
    times = [subject.existing().annotated]
    for pod in subject.known_users():
        by_webhook = any(volume.name == TOKEN_VOLUME for volume in pod.volumes)
        roles = {container.env.get(ROLE_ENV) for container in pod.containers if injected(container)}
        if by_webhook and subject.annotation() in roles:
            times.append(pod.created)
    return min((time for time in times if time is not None), default=None)


def opted_out(pod: Pod) -> bool:
    """Whether the pod, or each of its containers, is marked for the webhook to pass over."""
    names = skipped(pod)
    return SKIP_LABEL in pod.labels or all(container.name in names for container in pod.containers)


def skipped(pod: Pod) -> set[str]:
    """The containers that the pod's annotation wants passed over."""
    return {name.strip() for name in pod.annotations.get(SKIP_CONTAINERS, "").split(",") if name.strip()}


def is_shown(facts: Facts, pod: Pod) -> bool:
    webhooks = known(facts.webhooks)
    return not webhooks or any(selects(webhook.object_selector, pod.labels) for webhook in webhooks)


def bare(facts: Facts, identifier: str) -> list[Pod]:
    """The pods without a web identity for this very cause; raises `CannotTell` when there can't be any."""
    facts.named.effective_annotation()
    return [pod for pod in facts.named.users() if is_bare(pod) and why_bare(facts, pod) == identifier]


def selector_text(requirements: tuple[Requirement, ...]) -> str:
    return listed(
        f"{requirement.key} {requirement.operator} {','.join(requirement.values)}".rstrip()
        for requirement in requirements
    )


_FILE = variable("AWS_CONFIG_FILE")
_PROFILE = variable("AWS_PROFILE")
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
    return any(
        leaves_the_token_to_it(container) and takes_profile(facts, pod, container)
        for container in pod.containers
    )


def leaves_the_token_to_it(container: Container) -> bool:
    """Whether an empty value in the template blocks the webhook's variables, so that SDKs use the profile."""
    return ROLE_ENV not in container.env and container.env.get(TOKEN_ENV) == ""
