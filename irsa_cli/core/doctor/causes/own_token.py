"""Causes in tokens: a container with its own token and role, or a token file that is missing or stale.

The webhook is not involved in a projected token from the pod template; with an annotation it would mount a
second token at the same path, which Kubernetes rejects.
https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from irsa_cli.core.doctor.clues.trust_flaws import flaws
from irsa_cli.core.doctor.commands import by_template, edit, of_role, rewrite_trust
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    TOKEN_VOLUME,
    audience_of,
    identity_of,
    injected,
    injected_users,
    listed,
    where,
)
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.kinds import Container, Pod, Volume
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.restrictions import voided
from irsa_cli.core.values.arn import is_role, role_arn
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.core.values.shown import shown


@dataclass(frozen=True)
class OwnToken:
    """A container with a role and a token of its own. `role` is what its variable says."""

    pod: Pod
    container: Container
    role: str
    volume: Volume


def own_tokens(subject: Subject) -> tuple[OwnToken, ...]:
    """The containers of the ServiceAccount's pods that bring both, as far as the pods could be read."""
    found = ((pod, item, own_volume(pod, item)) for pod in subject.known_users() for item in pod.containers)
    return tuple(
        OwnToken(pod, item, str(item.env[ROLE_ENV]), volume)
        for pod, item, volume in found
        if volume is not None and item.env[ROLE_ENV]
    )


def hidden_tokens(facts: Facts) -> list[tuple[Pod, Container]]:
    """Containers that bring a token for AWS, and a role that can't be read: it comes from elsewhere."""
    subject, wanted = facts.named, audience_of(facts, facts.named)
    return [
        (pod, item)
        for pod in subject.known_users()
        for item in pod.containers
        if _role_is_hidden(item)
        and any(
            volume.audience == wanted and volume.name in item.mounts and volume.name != TOKEN_VOLUME
            for volume in pod.volumes
        )
    ]


def _role_is_hidden(container: Container) -> bool:
    if ROLE_ENV in container.env:
        return container.env[ROLE_ENV] is None
    return bool(container.sources)


def own_volume(pod: Pod, container: Container) -> Volume | None:
    """The volume of the container's own token; None for the webhook's."""
    if not injected(container) or container.env[TOKEN_ENV] is None:
        return None
    volume = volume_at(pod, container, str(container.env[TOKEN_ENV]))
    return None if volume is None or volume.name == TOKEN_VOLUME or volume.audience is None else volume


def written_by_hand(pod: Pod) -> list[str]:
    """Containers whose role is set in the pod template: the webhook still mounts its volume."""
    mounted = any(volume.name == TOKEN_VOLUME for volume in pod.volumes)
    return [
        item.name
        for item in pod.containers
        if item.env.get(ROLE_ENV)
        and not (mounted and TOKEN_VOLUME in item.mounts and not stands_before_region(item, ROLE_ENV))
    ]


def stands_before_region(container: Container, variable: str) -> bool:
    """Whether a variable stands before the region, which the webhook adds first."""
    names = list(container.env)
    added = [name for name in ("AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION") if name in names]
    return any(names.index(name) > names.index(variable) for name in added)


def volume_at(pod: Pod, container: Container, file: str) -> Volume | None:
    fitting = [
        name for name, mount in container.mounts.items() if f"{file}/".startswith(f"{mount.rstrip('/')}/")
    ]
    nearest = max(fitting, key=lambda name: len(container.mounts[name]), default="")
    return next((volume for volume in pod.volumes if volume.name == nearest), None)


def roles_named(subject: Subject) -> list[str]:
    return list(dict.fromkeys(item.role for item in own_tokens(subject) if is_role(item.role)))


@check_of("pod-own-token")
def _own_token(facts: Facts) -> Judgement:
    have(facts.named.pods)
    found, hidden = own_tokens(facts.named), hidden_tokens(facts)
    if hidden:
        return suspect(
            "a container mounts its own token, and its role comes from a Secret or ConfigMap",
            containers=where(hidden),
        )
    if not found:
        return ok("no container mounts its own token")
    why, places = "", where((item.pod, item.container) for item in found)
    for item in found:
        try:
            judged = _judged(facts, item)
        except CannotTell as error:
            why = why or error.why
            continue
        if judged is not None:
            return judged
    if why:
        return unknown(why, containers=places)
    return ok("the roles that containers set trust their tokens", containers=places)


def _judged(facts: Facts, item: OwnToken) -> Judgement | None:
    """The problem of one container's role and token, if any."""
    by_hand = edit(facts, item.pod)
    said = {
        "container": where([(item.pod, item.container)]),
        "role": shown(item.role),
        "audience": shown(item.volume.audience or ""),
    }
    if not is_role(item.role):
        return problem(f"its {ROLE_ENV} is not a role ARN", fix=by_hand, **said)
    role = have(facts.named.own_roles.get(item.role))
    if role is None or role.arn != item.role:
        there = {} if role is None else {"there_is": role.arn}
        return problem("no role has this ARN", fix=by_hand, **said, **there)
    identity = _identity(facts, item)
    accepted = _audiences(facts, role)
    if accepted is not None and identity.audience not in accepted:
        text = "the OIDC provider does not accept the token's audience"
        return problem(text, fix=by_hand, **said, provider=listed(map(shown, accepted)) or "none")
    wrong = flaws(role.trust, identity, now=facts.now)
    certain = [flaw for flaw in wrong if not flaw.unknown]
    if wrong and not certain:
        raise CannotTell(wrong[0].text)
    if not certain:
        return None
    flaw = certain[0]
    return problem(
        f"the role's trust policy does not allow its token: {flaw.text}",
        fix=_admit(facts, role, identity) or by_hand,
        **said,
        policy=flaw.found,
        token=flaw.expected,
    )


def _identity(facts: Facts, item: OwnToken) -> WebIdentity:
    cluster = facts.cluster
    provider = provider_arn(cluster.partition, role_arn(item.role).account, cluster.issuer)
    known = identity_of(facts, facts.named)
    return replace(known, provider_arn=provider, audience=item.volume.audience or cluster.issuer)


def _audiences(facts: Facts, role: Role) -> list[str] | None:
    if role_arn(role.arn).account != facts.cluster.home:
        return None
    provider = have(facts.provider)
    if provider is None:
        raise CannotTell("the cluster's issuer has no OIDC provider; see provider-missing")
    return provider.audiences


def _admit(facts: Facts, role: Role, identity: WebIdentity) -> str:
    """The command that allows exactly this token; '' if another statement conflicts with it."""
    document = trust_policy.with_statement(role.trust, trust_policy.statement(identity))
    if voided(role.trust, identity) or flaws(document, identity, now=facts.now):
        return ""
    why = of_role(facts, facts.named, role.arn, audience=identity.audience)
    return rewrite_trust(facts, role, document, why)


@check_of("pod-token-volume")
def _volume(facts: Facts) -> Judgement:
    found = [(pod, item) for pod, item in injected_users(facts.named) if not _has_token(pod, item)]
    if not found:
        return ok("the token file is mounted")
    pod, item = found[0]
    text = f"no volume with a token is mounted at {item.env[TOKEN_ENV]}"
    return by_template(facts, found, text, volumes=listed(volume.name for volume in pod.volumes) or "none")


def _has_token(pod: Pod, container: Container) -> bool:
    file = container.env[TOKEN_ENV]
    if file is None:
        return True  # The variable has a hidden source.
    # Windows writes the same path with other slashes and a drive.
    path = file.replace("\\", "/").removeprefix("C:")
    tokens = {volume.name: volume.path for volume in pod.volumes if volume.audience is not None}
    return any(
        path == _file_at(mount, tokens[name], container.parts.get(name, ""))
        for name, mount in container.mounts.items()
        if name in tokens
    )


def _file_at(mount: str, token: str, part: str) -> str:
    if not part:
        return f"{mount.rstrip('/')}/{token}"
    inside = token.removeprefix(part.rstrip("/")).lstrip("/") if f"{token}/".startswith(part) else token
    return f"{mount.rstrip('/')}/{inside}" if inside else mount.rstrip("/")


@check_of("pod-token-kept")
def _kept(facts: Facts) -> Judgement:
    found = [(pod, item) for pod, item in injected_users(facts.named) if _is_kept(pod, item)]
    if not found:
        return ok("no token file is mounted by subPath")
    text = "kubelet does not renew files that are mounted by subPath"
    return by_template(facts, found, text, file=str(found[0][1].env[TOKEN_ENV]))


def _is_kept(pod: Pod, container: Container) -> bool:
    volume = volume_at(pod, container, container.env[TOKEN_ENV] or "")
    if volume is None or volume.audience is None or container.init or pod.owner.startswith("Job/"):
        return False  # Init containers and Jobs end before their token expires.
    return volume.name in container.parts
