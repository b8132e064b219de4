"""Facts that several checks need: annotation, role, token, pods; `CannotTell` if they don't exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.objects.kinds import Container, Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.objects.variables import variable
from irsa_cli.core.plan.states import AUDIENCE_ANNOTATION, ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.web_identity import REQUESTED_REGION, WebIdentity, region_called
from irsa_cli.core.values.arn import Arn, role_arn
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.names import subject as subject_claim
from irsa_cli.core.values.shown import shown

EMPTY = f"the annotation {ROLE_ARN_ANNOTATION} is empty"
ROLE_ENV, TOKEN_ENV = variable("AWS_ROLE_ARN"), variable("AWS_WEB_IDENTITY_TOKEN_FILE")
TOKEN_VOLUME = "aws-iam-token"  # noqa: S105 - a volume's name
"""The volume of the webhook's token."""


def account_of(subject: Subject) -> ServiceAccount:
    """The ServiceAccount."""
    account = have(subject.account)
    if account is None:
        raise CannotTell(f"there is no ServiceAccount {subject.full_name}")
    return account


def annotations_of(subject: Subject | None) -> Mapping[str, str]:
    """The ServiceAccount's annotations as far as they are known."""
    account = subject.account if subject else None
    return account.annotations if isinstance(account, ServiceAccount) else {}


def annotation_of(subject: Subject) -> str:
    """The value of the role's annotation, as it is."""
    value = account_of(subject).annotations.get(ROLE_ARN_ANNOTATION)
    if value is None:
        raise CannotTell(f"ServiceAccount {subject.full_name} has no annotation {ROLE_ARN_ANNOTATION}")
    return value


def heeded(subject: Subject) -> str:
    """The annotation's value where the webhook heeds it: it injects nothing by an empty one."""
    value = annotation_of(subject)
    if not value:
        raise CannotTell(EMPTY)
    return value


def role_arn_of(subject: Subject) -> Arn:
    """The role's ARN in the annotation, if it is one."""
    value = heeded(subject)
    try:
        return role_arn(value)
    except InvalidInput:
        raise CannotTell(f"{shown(value)} is not a role ARN") from None


def role_of(subject: Subject) -> Role:
    """The role that the annotation names exactly."""
    arn = role_arn_of(subject)
    role = have(subject.role)
    if role is None:
        raise CannotTell(f"there is no role {arn.name} in account {arn.account}")
    if role.arn != str(arn):
        raise CannotTell(f"the annotation has {arn}, but the role is {role.arn}")
    return role


def audience_of(facts: Facts, subject: Subject | None) -> str:
    """The audience of the tokens that the webhook puts into pods: the annotation's, or its default."""
    annotated = annotations_of(subject).get(AUDIENCE_ANNOTATION)
    if annotated is not None:
        return annotated
    return argument(facts.webhook_arguments, "--token-audience") or DEFAULT_AUDIENCE


def argument(arguments: Iterable[str], flag: str) -> str:
    """The value of a flag on a command line, '' when it isn't there."""
    items = list(arguments)
    for number, item in enumerate(items):
        if item.startswith(f"{flag}="):
            return item.partition("=")[2]
        if item == flag and number + 1 < len(items):
            return items[number + 1]
    return ""


def provider_of(facts: Facts, subject: Subject | None) -> str:
    """The ARN that the cluster's OIDC provider has to have: it lives in the role's account."""
    account = facts.cluster.home if subject is None else role_account(facts)
    return provider_arn(facts.cluster.partition, account, facts.cluster.issuer)


def role_account(facts: Facts) -> str:
    """The account of the role, and so of the provider; the cluster's where no role is named."""
    if facts.subject is None:
        return facts.cluster.home
    try:
        return role_arn_of(facts.subject).account
    except CannotTell:
        return facts.cluster.home


def provider_there(facts: Facts) -> ProviderState | None:
    """The issuer's provider in the role's account, None when there is none."""
    own = role_account(facts) == facts.cluster.home
    return have(facts.provider if own else facts.named.provider)


def identity_of(facts: Facts, subject: Subject) -> WebIdentity:
    """The pods' token, as the role's trust policy sees it."""
    claim = subject_claim(subject.namespace, subject.name)
    audience = audience_of(facts, subject)
    regional = Injection.read(annotations_of(subject)).regional_sts
    region = {REQUESTED_REGION: region_called(facts.cluster.region, regional=regional)}
    return WebIdentity(provider_of(facts, subject), facts.cluster.issuer, claim, audience, request=region)


def home_identity(facts: Facts, subject: Subject) -> WebIdentity:
    """The same token, as roles of the cluster's account see it."""
    cluster = facts.cluster
    home = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return replace(identity_of(facts, subject), provider_arn=home)


def quota_of(facts: Facts, name: str, default: int) -> int:
    """A quota of the account by its name in GetAccountSummary, else `default`."""
    quotas = facts.quotas if isinstance(facts.quotas, dict) else {}
    return int(quotas.get(name, default))


def users_of(subject: Subject) -> tuple[Pod, ...]:
    """The live pods that use the ServiceAccount."""
    have(subject.pods)
    pods = known_users(subject)
    if not pods:
        raise CannotTell(f"no pod uses ServiceAccount {subject.full_name}")
    return pods


def known_users(subject: Subject) -> tuple[Pod, ...]:
    """The same as far as they are known: none where the pods could not be read."""
    pods = subject.pods if isinstance(subject.pods, tuple) else ()
    return tuple(pod for pod in pods if pod.service_account == subject.name and pod.is_alive)


def injected(container: Container) -> bool:
    """Whether a container has both variables of a web identity."""
    return ROLE_ENV in container.env and TOKEN_ENV in container.env


def is_bare(pod: Pod) -> bool:
    """Whether no container of the pod has anything of a web identity."""
    return not any(ROLE_ENV in item.env or TOKEN_ENV in item.env for item in pod.containers)


def injected_users(subject: Subject) -> list[tuple[Pod, Container]]:
    """The containers that have a web identity."""
    found = [(pod, item) for pod in users_of(subject) for item in pod.containers if injected(item)]
    if not found:
        raise CannotTell(f"no container of {subject.full_name} has a web identity")
    return found


def where(found: Iterable[tuple[Pod, Container]]) -> str:
    """Pods and containers for people, at most five."""
    return listed(f"{pod.name} (container {container.name})" for pod, container in found)


def pod_names(pods: Iterable[Pod]) -> str:
    """Pods for people, at most five."""
    return listed(pod.name for pod in pods)


def starts(pods: Iterable[Pod]) -> str:
    """When pods were created, for people, at most five."""
    return listed(pod.created.isoformat() for pod in pods if pod.created)


def listed(items: Iterable[str], limit: int = 5) -> str:
    """The items, separated by commas; how many more there are than `limit`."""
    found = list(dict.fromkeys(items))
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more
