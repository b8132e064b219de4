"""Causes in a container's variables: another role or audience, static keys, the role twice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from irsa_cli.core.doctor.causes.own_token import own_volume, stands_before_region
from irsa_cli.core.doctor.clues.injection import leaves_the_token_to_it, takes_profile
from irsa_cli.core.doctor.commands import by_template, edit, restart
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    TOKEN_VOLUME,
    audience_of,
    injected,
    injected_users,
    is_admitted,
    listed,
    where,
)
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.policies.statements import actions_of, allowing, covers
from irsa_cli.core.trust.assuming import ASSUME, names_role
from irsa_cli.core.values.arn import Arn


@check_of("pod-role-differs")
def _role(facts: Facts) -> Judgement:
    wanted = facts.named.annotation()
    found = [
        (pod, item)
        for pod, item in injected_users(facts.named)
        if item.env[ROLE_ENV] not in (wanted, None) and own_volume(pod, item) is None
    ]
    if not found:
        return ok("the pods use the annotation's role", role=wanted)
    fixed = [(pod, item) for pod, item in found if _is_set_by_template(facts, pod, item)]
    text = "their template sets another role, and the webhook keeps it"
    return problem(
        text if fixed else "they were created with another role",
        fix=edit(facts, fixed[0][0]) if fixed else restart(facts, [pod for pod, _ in found]),
        containers=where(found),
        their_role=listed(str(item.env[ROLE_ENV]) for _, item in found),
        annotation=wanted,
    )


def _is_set_by_template(facts: Facts, pod: Pod, container: Container) -> bool:
    """Whether the pod template sets the variable, so that a new pod would have it again.

    It does if the pod is newer than the annotation, or if the variable comes before the region, which the
    webhook adds first.
    """
    annotated = facts.named.existing().annotated
    if annotated is not None and pod.created is not None and pod.created > annotated:
        return True
    return stands_before_region(container, ROLE_ENV)


@check_of("pod-audience-differs")
def _audience(facts: Facts) -> Judgement:
    wanted = audience_of(facts, facts.named)
    pods = {pod.name: pod for pod, _ in injected_users(facts.named)}
    found = {
        name: volume.audience
        for name, pod in pods.items()
        for volume in pod.volumes
        if volume.name in _token_volumes(pod) and volume.audience not in (wanted, None)
    }
    if not found:
        return ok("the pods' tokens have the right audience", audience=wanted)
    fixed = [name for name in found if _brings_token(pods[name])]
    by_hand = edit(facts, pods[fixed[0] if fixed else next(iter(found))])
    again = restart(facts, [pods[name] for name in found])
    text = "their template mounts a token with another audience, and the webhook keeps it"
    return problem(
        text if fixed else "they were created with another audience",
        fix=by_hand if fixed else f"{again}\n# if their template mounts the token itself: {by_hand}",
        pods=listed(found),
        tokens=listed(str(audience) for audience in found.values()),
        expected=wanted,
    )


def _brings_token(pod: Pod) -> bool:
    """Whether the pod template mounts the token, so that a new pod would have it again.

    The webhook puts its own volume first; the order of variables shows it as for the role.
    """
    if pod.volumes[0].name != TOKEN_VOLUME:
        return True
    return any(injected(item) and stands_before_region(item, TOKEN_ENV) for item in pod.containers)


def _token_volumes(pod: Pod) -> set[str]:
    # Where a container brings role and token itself, both are judged together: pod-own-token.
    own = [item for item in pod.containers if own_volume(pod, item) is not None]
    files = {item.env.get(TOKEN_ENV) or "" for item in pod.containers if item not in own}
    return {
        name
        for item in pod.containers
        for name, mount in item.mounts.items()
        if any(file.startswith(f"{mount.rstrip('/')}/") for file in files)
    } | {TOKEN_VOLUME}


@check_of("pod-env-partial")
def _partial(facts: Facts) -> Judgement:
    found = [
        (pod, item)
        for pod in facts.named.users()
        for item in pod.containers
        if (ROLE_ENV in item.env) != (TOKEN_ENV in item.env)
        and not (leaves_the_token_to_it(item) and takes_profile(facts, pod, item))
    ]
    if not found:
        return ok("containers have both variables or neither")
    there = ROLE_ENV if ROLE_ENV in found[0][1].env else TOKEN_ENV
    missing, text = (
        TOKEN_ENV if there == ROLE_ENV else ROLE_ENV,
        "a container has only one of the two variables",
    )
    return by_template(facts, found, text, present=there, missing=missing)


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@check_of("pod-static-credentials")
def _static(facts: Facts) -> Judgement:
    subject, pods = facts.named, facts.named.users()
    found = [(pod, item) for pod in pods for item in pod.containers if _has_keys(subject, item)]
    sidecars = [(pod, item) for pod, item in found if _is_sidecar(subject, pod, item)]
    if found and len(sidecars) == len(found):
        return unknown("other containers than the application's have their own keys", containers=where(found))
    if found:
        found = [pair for pair in found if pair not in sidecars]
        names = listed(key for key in _KEYS if key in found[0][1].env) or listed(found[0][1].sources)
        return by_template(facts, found, "SDKs use access keys from the environment first", variables=names)
    sources = sorted({name for pod in pods for item in pod.containers for name in item.sources})
    sources = [name for name in sources if _keys_of(subject, name) is None]
    if sources:
        say = suspect if any(map(_OF_AWS.search, sources)) else hint
        return (unknown if is_admitted(facts, pods) else say)(
            "variables come from Secrets or ConfigMaps whose keys irsa does not read",
            source=listed(sources),
        )
    return ok("no container has static keys in its environment")


_OF_AWS = re.compile(r"/.*(?:aws|iam|s3|credential|access-?key)", re.IGNORECASE)
"""Names of Secrets that suggest AWS keys."""


def _keys_of(subject: Subject, source: str) -> Iterable[str] | None:
    name, _, prefix = source.removesuffix(")").partition(" (prefix ")
    keys = subject.config_keys.get(name)
    return [f"{prefix}{key}" for key in keys] if isinstance(keys, frozenset) else None


def _is_sidecar(subject: Subject, pod: Pod, container: Container) -> bool:
    named = pod.annotations.get("kubectl.kubernetes.io/default-container", "")
    first = [item for item in pod.containers if not item.init] or list(pod.containers)
    main = next((item for item in first if item.name == named), first[0])
    return container is not main and injected(main) and not _has_keys(subject, main)


def _has_keys(subject: Subject, container: Container) -> bool:
    if _KEYS[0] in container.env:
        return container.env.is_set(_KEYS[0])
    return any(_KEYS[0] in (_keys_of(subject, source) or ()) for source in container.sources)


_ASSUME = re.compile(r"assume", re.IGNORECASE)


@check_of("pod-role-twice")
def _twice(facts: Facts) -> Judgement:
    subject = facts.named
    arn = str(subject.role_arn())
    found = [(pod, item) for pod, item in injected_users(subject) if _names_role(item, arn)]
    if not found:
        return ok("no setting repeats the role's ARN")
    if _trusts_itself(subject.annotated_role()):
        return ok("the role trusts itself", containers=where(found))
    asked = [(pod, item) for pod, item in found if _is_to_assume(item, arn)]
    if asked:
        return suspect(
            "settings tell the application to assume its own role, and the role does not trust itself",
            containers=where(asked),
            role=arn,
        )
    return hint(
        "settings repeat the role's ARN; irsa cannot see if the application assumes the role, which does not"
        " trust itself",
        containers=where(found),
        role=arn,
    )


def _names_role(container: Container, arn: str) -> bool:
    return bool(_variables(container, arn)) or any(arn in argument for argument in container.arguments)


def _variables(container: Container, arn: str) -> list[str]:
    return [name for name in container.env.naming(arn) if name != ROLE_ENV]


def _is_to_assume(container: Container, arn: str) -> bool:
    """Whether the name of a variable or an argument says that the application assumes the role."""
    names = _variables(container, arn)
    # The words before the role: its own argument's name, or the previous argument.
    words = " ".join(container.arguments)
    names += [words[: found.start()].rpartition(" -")[2] for found in re.finditer(re.escape(arn), words)]
    return any(_ASSUME.search(name) for name in names)


def _trusts_itself(role: Role) -> bool:
    names = names_role(Arn.parse(role.arn), role.arn)
    return any(
        covers(actions_of(item), ASSUME) and names(item.get("Principal", {}))
        for _, item in allowing(role.trust)
    )
