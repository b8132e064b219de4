"""Causes in what pods do themselves: a token of their own, a stale token file, and role chaining.

The webhook is not involved in a projected token from the pod template; with an annotation it would mount a
second token at the same path, which Kubernetes rejects.
https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from irsa_cli.core.doctor import commands, finding, subjects
from irsa_cli.core.doctor.clues.trust_flaws import flaws
from irsa_cli.core.doctor.facts import Facts, Subject, there
from irsa_cli.core.objects.kinds import Container, Pod, Volume
from irsa_cli.core.objects.mounted import token_at, volume_at
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.plan.states import TARGET_ANNOTATION
from irsa_cli.core.policies.statements import values_of_key
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.assuming import Decision, lacking
from irsa_cli.core.trust.chain import POLICY_NAME, PROFILE, Chain, answer_of, chain_of_notes, target_of
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.restrictions import voided
from irsa_cli.core.values.arn import is_role, provider_arn, role_arn
from irsa_cli.core.values.errors import CannotTell, InvalidInput, have
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
    tokens: list[OwnToken] = []
    for pod in subject.known_users():
        for container in pod.containers:
            volume = own_volume(pod, container)
            role = container.env.get(subjects.ROLE_ENV)
            if volume is not None and role:
                tokens.append(OwnToken(pod, container, role, volume))
    return tuple(tokens)


def hidden_tokens(facts: Facts) -> list[tuple[Pod, Container]]:
    """Containers that bring a token for AWS, and a role that can't be read: it comes from elsewhere."""
    audience = subjects.audience_of(facts, facts.named)
    hidden: list[tuple[Pod, Container]] = []
    for pod in facts.named.known_users():
        volumes = {volume.name for volume in pod.volumes if volume.audience == audience}
        tokens = volumes - {subjects.TOKEN_VOLUME}
        with_token = [container for container in pod.containers if tokens & set(container.mounts)]
        hidden += [(pod, container) for container in with_token if _has_hidden_role(container)]
    return hidden


def _has_hidden_role(container: Container) -> bool:
    if subjects.ROLE_ENV in container.env:
        return container.env[subjects.ROLE_ENV] is None
    return bool(container.sources)


def own_volume(pod: Pod, container: Container) -> Volume | None:
    """The volume of the container's own token; None for the webhook's."""
    if not subjects.injected(container) or container.env[subjects.TOKEN_ENV] is None:
        return None
    volume = volume_at(pod, container, str(container.env[subjects.TOKEN_ENV]))
    if volume is None or volume.name == subjects.TOKEN_VOLUME or volume.audience is None:
        return None
    return volume


def written_by_hand(pod: Pod) -> list[str]:
    """Containers whose role is set in the pod template: the webhook still mounts its volume."""
    mounted = any(volume.name == subjects.TOKEN_VOLUME for volume in pod.volumes)

    def is_by_webhook(container: Container) -> bool:
        has_token = mounted and subjects.TOKEN_VOLUME in container.mounts
        return has_token and not stands_before_region(container, subjects.ROLE_ENV)

    with_role = [container for container in pod.containers if container.env.get(subjects.ROLE_ENV)]
    return [container.name for container in with_role if not is_by_webhook(container)]


def stands_before_region(container: Container, variable: str) -> bool:
    """Whether a variable stands before the region, which the webhook adds first."""
    names = list(container.env)
    added = [name for name in ("AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION") if name in names]
    return any(names.index(name) > names.index(variable) for name in added)


@finding.check_of("pod-own-token", finding.Group.PODS, weight=88)
def _own_token(facts: Facts) -> finding.Judgement:
    have(facts.named.pods)
    hidden = hidden_tokens(facts)
    if hidden:
        text = "a container mounts its own token, and its role comes from a Secret or ConfigMap"
        return finding.suspect(text, containers=subjects.where(hidden))
    tokens = finding.some(own_tokens(facts.named), "no container mounts its own token")
    why = ""
    places = subjects.where((token.pod, token.container) for token in tokens)
    for token in tokens:
        try:
            judged = _judged(facts, token)
        except CannotTell as error:
            why = why or error.why
            continue
        if judged is not None:
            return judged
    if why:
        return finding.unknown(why, containers=places)
    return finding.ok("the roles that containers set trust their tokens", containers=places)


def _judged(facts: Facts, token: OwnToken) -> finding.Judgement | None:
    """The problem of one container's role and token, if any."""
    by_hand = commands.edit(facts, token.pod)
    cluster = facts.cluster
    evidence = {
        "container": subjects.where([(token.pod, token.container)]),
        "role": shown(token.role),
        "audience": shown(token.volume.audience or ""),
    }
    if not is_role(token.role):
        return finding.problem(f"its {subjects.ROLE_ENV} is not a role ARN", fix=by_hand, **evidence)
    role = have(facts.named.own_roles.get(token.role))
    if role is None:
        return finding.problem("no role has this ARN", fix=by_hand, **evidence)
    if role.arn != token.role:
        return finding.problem("no role has this ARN", fix=by_hand, **evidence, there_is=role.arn)
    account = role_arn(token.role).account
    audience = token.volume.audience or cluster.issuer
    provider = provider_arn(cluster.partition, account, cluster.issuer)
    identity = replace(subjects.identity_of(facts, facts.named), provider_arn=provider, audience=audience)
    if account == cluster.home:
        missing = "the cluster's issuer has no OIDC provider; see provider-missing"
        accepted = there(facts.provider, missing).audiences
        if audience not in accepted:
            text = "the OIDC provider does not accept the token's audience"
            audiences = subjects.listed(map(shown, accepted)) or "none"
            return finding.problem(text, fix=by_hand, **evidence, provider=audiences)
    every = flaws(role.trust, identity, now=facts.now)
    if not every:
        return None
    certain = [flaw for flaw in every if not flaw.unknown]
    if not certain:
        raise CannotTell(every[0].text)
    flaw = certain[0]
    text = f"the role's trust policy does not allow its token: {flaw.text}"
    fix = _admit(facts, role, identity) or by_hand
    return finding.problem(text, fix=fix, **evidence, policy=flaw.found, token=flaw.expected)


def _admit(facts: Facts, role: Role, identity: WebIdentity) -> str:
    """The command that allows exactly this token; '' if another statement conflicts with it."""
    document = trust_policy.with_statement(role.trust, trust_policy.statement(identity))
    if voided(role.trust, identity) or flaws(document, identity, now=facts.now):
        return ""
    why = commands.of_role(facts, facts.named, role.arn, audience=identity.audience)
    return commands.rewrite_trust(facts, role, document, why)


@finding.check_of("pod-token-volume", finding.Group.PODS, weight=88)
def _volume(facts: Facts) -> finding.Judgement:
    lacking = [
        (pod, container)
        for pod, container in subjects.injected_users(facts.named)
        if not _has_token(pod, container)
    ]
    users = finding.some(lacking, "the token file is mounted")
    pod, container = users[0]
    text = f"no volume with a token is mounted at {container.env[subjects.TOKEN_ENV]}"
    return commands.by_template(
        facts, users, text, volumes=subjects.listed(volume.name for volume in pod.volumes) or "none"
    )


def _has_token(pod: Pod, container: Container) -> bool:
    file = container.env[subjects.TOKEN_ENV]
    # Without a value, the variable has a hidden source.
    return file is None or token_at(pod, container, file) is not None


@finding.check_of("pod-token-kept", finding.Group.PODS, weight=76)
def _kept(facts: Facts) -> finding.Judgement:
    by_sub_path = [
        (pod, container)
        for pod, container in subjects.injected_users(facts.named)
        if _is_kept(pod, container)
    ]
    users = finding.some(by_sub_path, "no token file is mounted by subPath")
    text = "kubelet does not renew files that are mounted by subPath"
    return commands.by_template(facts, users, text, file=str(users[0][1].env[subjects.TOKEN_ENV]))


def _is_kept(pod: Pod, container: Container) -> bool:
    volume = volume_at(pod, container, container.env[subjects.TOKEN_ENV] or "")
    # Init containers and Jobs end before their token expires.
    ends = container.init or pod.owner.startswith("Job/")
    return bool(volume and volume.audience is not None and volume.name in container.parts and not ends)


_NONE = "it has no target role"
_UNIQUE_ID = re.compile(r"AROA[A-Z0-9]{12,}", re.ASCII)
_DURATION = re.compile(r"^\s*duration_seconds\s*=\s*(\d+)\s*$", re.MULTILINE | re.ASCII)


def _chain(facts: Facts) -> Chain:
    have(facts.named.account)
    annotations = subjects.annotations_of(facts.named)
    if TARGET_ANNOTATION not in annotations:
        raise finding.Decided(finding.ok(_NONE))
    target, tags = _granted(facts)
    try:
        chain = chain_of_notes(str(facts.named.role_arn()), annotations)
    except UnreadableNote as error:
        raise CannotTell(f"{error.message}: {error.reason}", follows=False) from error
    if chain is None:
        raise finding.Decided(finding.ok(_NONE))
    return replace(chain, tag_session=tags and target == chain.target_arn)


def _granted(facts: Facts) -> tuple[str, bool]:
    """The target role in irsa's policy on the role, '' without one, and whether it allows session tags."""
    role = facts.named.role
    if not isinstance(role, Role) or not isinstance(role.policy_documents, dict):
        return "", False
    return target_of(role.policy_documents.get(POLICY_NAME, {}))


def _refused(decisions: tuple[Decision, ...], fine: str, chain: Chain) -> str:
    """Why one side refuses; if it does not, the check ends."""
    answer = answer_of(decisions)
    if answer is Answer.YES:
        raise finding.Decided(finding.ok(fine, target=chain.target_arn))
    reasons = "; ".join(decision.why for decision in lacking(decisions, answer))
    if answer is Answer.UNKNOWN:
        raise finding.Decided(finding.unknown(reasons))
    return reasons


@finding.check_of("chain-permission", finding.Group.SERVICE_ACCOUNT, weight=80)
def _permission(facts: Facts) -> finding.Judgement:
    chain = _chain(facts)
    role = have(facts.named.role)
    if role is None:
        return finding.unknown("the role does not exist; see role-missing")
    policies = have(role.policy_documents)
    boundary = have(role.boundary_policy) if role.boundary else None
    decisions = chain.allowed(policies, boundary=boundary, has_boundary=bool(role.boundary))
    why = _refused(decisions, "the role may assume the target role", chain)
    fix = _proposed(facts, f"--target-role {shlex.quote(chain.target_arn)}", chain)
    text = "no policy allows the role to assume the target role"
    return finding.problem(text, fix=fix, target=chain.target_arn, why=why)


@finding.check_of("chain-external-id", finding.Group.SERVICE_ACCOUNT, weight=79)
def _external_id(facts: Facts) -> finding.Judgement:
    chain = _chain(facts)
    target = have(facts.named.chain_target)
    if target is None or answer_of(chain.judge(target.trust)) is not Answer.NO:
        return finding.ok("the external ID is not the problem", target=chain.target_arn)
    fitting = next(iter(_fitting(chain, target)), "")
    external_ids = finding.some(fitting, "the external ID is not the only problem", target=chain.target_arn)
    return finding.problem(
        "the target's trust policy requires another external ID",
        fix=_update(facts, f"--external-id {shlex.quote(external_ids)}", chain),
        current=chain.external_id or "none",
        required=external_ids,
    )


def _fitting(chain: Chain, target: Role) -> Iterator[str]:
    for value in values_of_key(target.trust, "sts:ExternalId"):
        try:
            with_value = replace(chain, external_id=value)
        except InvalidInput:  # No flag accepts it.
            continue
        if answer_of(with_value.judge(target.trust)) is Answer.YES:
            yield value


@finding.check_of("chain-trust", finding.Group.SERVICE_ACCOUNT, weight=78)
def _trust(facts: Facts) -> finding.Judgement:
    chain = _chain(facts)
    target = have(facts.named.chain_target)
    if target is None:
        fix = _update(facts, "--target-role ARN", chain)
        return finding.problem("the target role does not exist", fix=fix, target=chain.target_arn)
    why = _refused(chain.judge(target.trust), "the target trusts the role", chain)
    if any(_fitting(chain, target)):
        return finding.ok("it trusts the role with another external ID; see chain-external-id")
    gone = sorted(set(_UNIQUE_ID.findall(str(target.trust))))
    if gone:
        why = f"it trusts {', '.join(gone)}, the unique ID of a deleted or recreated role"
    fix = _proposed(facts, "--update-target-trust", chain)
    text = "the target's trust policy does not allow the role"
    return finding.problem(text, fix=fix, target=chain.target_arn, why=why)


@finding.check_of("chain-session", finding.Group.PODS, weight=45)
def _session(facts: Facts) -> finding.Judgement:
    chain = _chain(facts)
    text = have(facts.named.aws_config)
    if text is None:
        return finding.ok("irsa did not write an AWS configuration for it")
    profile = text.partition(f"[profile {PROFILE}]")[2].partition("[")[0]
    longest = max(map(int, _DURATION.findall(profile)), default=0)
    if longest <= LONGEST_SESSION:
        return finding.ok("the AWS configuration asks for an hour at most")
    fix = _update(facts, f"--aws-config-map {shlex.quote(subjects.config_map_of(facts.named))}", chain)
    text = f"STS rejects chained sessions longer than {LONGEST_SESSION} s"
    return finding.problem(text, fix=fix, duration=f"{longest} s")


def _proposed(facts: Facts, flags: str, chain: Chain) -> str:
    """The command, as a question if irsa's policy on the role does not contain the target."""
    target = facts.named.chain_target
    granted, _ = _granted(facts)
    if granted != chain.target_arn:
        why = "only the ServiceAccount's annotation refers to it"
    elif isinstance(target, Role):
        why = commands.of_power(target)
    else:
        why = "its permissions are unknown"
    return commands.proposed(why, chain.target_arn, _update(facts, flags, chain))


def _update(facts: Facts, flags: str, chain: Chain) -> str:
    if "--update-target-trust" in flags and "--target-" not in facts.reach.irsa:
        flags += f" --target-assume-role arn:aws:iam::{chain.account}:role/NAME"
    return commands.of_account(facts, "update-sa", facts.named, flags)


@finding.check_of("chain-pod", finding.Group.PODS, weight=46)
def _pods(facts: Facts) -> finding.Judgement:
    have(facts.named.account)
    name = finding.some(subjects.config_map_of(facts.named), "irsa did not write an AWS configuration for it")
    pods = facts.named.users()
    by_profile: list[tuple[Pod, Container]] = []
    without: list[Pod] = []
    for pod in pods:
        containers = [
            container for container in pod.containers if subjects.takes_profile(facts, pod, container)
        ]
        by_profile += [(pod, container) for container in containers]
        if not containers:
            without.append(pod)
    if without:
        text = "no container uses the ConfigMap's profile; the program may assume the target role itself"
        return finding.suspect(text, pods=subjects.pod_names(without), config_map=name)
    by_token = [
        (pod, container) for pod, container in by_profile if not subjects.leaves_the_token_to_it(container)
    ]
    users = finding.some(by_token, "the pods use the ConfigMap's profile", config_map=name)
    text = "the SDKs for Go, Java, .NET and PHP use the token before the profile"
    return finding.hint(text, containers=subjects.where(users))


LONGEST_SESSION = 3600
"""Seconds that a session lasts at most which is begun with a role's credentials, whatever its role allows."""
