"""Causes in a container: another role or audience, static keys, region, endpoints, operating system."""

from __future__ import annotations

import re
from collections.abc import Iterable

from irsa_cli.core.binding.pod_identity_support import cli_version
from irsa_cli.core.doctor.causes.own_token import own_volume, stands_before_region
from irsa_cli.core.doctor.commands import annotate, by_template, edit, restart
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, hint, ok, problem, some, suspect, unknown
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    TOKEN_VOLUME,
    audience_of,
    injected,
    injected_users,
    is_admitted,
    leaves_the_token_to_it,
    listed,
    takes_profile,
    users_with,
    where,
)
from irsa_cli.core.objects.kinds import Container, Pod, variable
from irsa_cli.core.plan.states import STS_REGIONAL_ANNOTATION
from irsa_cli.core.policies.statements import actions_of, allowing, covers
from irsa_cli.core.trust.assuming import ASSUME, names_role
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import Unreadable, have


@check_of("pod-role-differs", Group.PODS, weight=90)
def _role(facts: Facts) -> Judgement:
    annotated = facts.named.annotation()
    others = [
        (pod, container)
        for pod, container in injected_users(facts.named)
        if container.env[ROLE_ENV] not in (annotated, None) and own_volume(pod, container) is None
    ]
    users = some(others, "the pods use the annotation's role", role=annotated)
    evidence = {
        "containers": where(users),
        "their_role": listed(str(container.env[ROLE_ENV]) for _, container in users),
        "annotation": annotated,
    }
    for pod, container in users:
        if _is_set_by_template(facts, pod, container):
            text = "their template sets another role, and the webhook keeps it"
            return problem(text, fix=edit(facts, pod), **evidence)
    fix = restart(facts, [pod for pod, _ in users])
    return problem("they were created with another role", fix=fix, **evidence)


def _is_set_by_template(facts: Facts, pod: Pod, container: Container) -> bool:
    """Whether the pod template sets the variable, so that a new pod would have it again.

    It does if the pod is newer than the annotation, or if the variable comes before the region, which the
    webhook adds first.
    """
    annotated = facts.named.existing().annotated
    if annotated is not None and pod.created is not None and pod.created > annotated:
        return True
    return stands_before_region(container, ROLE_ENV)


@check_of("pod-audience-differs", Group.PODS, weight=89)
def _audience(facts: Facts) -> Judgement:
    expected = audience_of(facts, facts.named)
    pods = {pod.name: pod for pod, _ in injected_users(facts.named)}
    others: dict[str, str] = {}
    for pod in pods.values():
        for volume in pod.volumes:
            if volume.name in _token_volumes(pod) and volume.audience not in (expected, None):
                others[pod.name] = str(volume.audience)
    audiences = some(others, "the pods' tokens have the right audience", audience=expected)
    evidence = {"pods": listed(audiences), "tokens": listed(audiences.values()), "expected": expected}
    wrong = [pods[name] for name in audiences]
    for pod in wrong:
        if _brings_token(pod):
            text = "their template mounts a token with another audience, and the webhook keeps it"
            return problem(text, fix=edit(facts, pod), **evidence)
    fix = f"{restart(facts, wrong)}\n# if their template mounts the token itself: {edit(facts, wrong[0])}"
    return problem("they were created with another audience", fix=fix, **evidence)


def _brings_token(pod: Pod) -> bool:
    """Whether the pod template mounts the token, so that a new pod would have it again.

    The webhook puts its own volume first; the order of variables shows it as for the role.
    """
    if pod.volumes[0].name != TOKEN_VOLUME:
        return True
    return any(
        injected(container) and stands_before_region(container, TOKEN_ENV) for container in pod.containers
    )


def _token_volumes(pod: Pod) -> set[str]:
    # Where a container brings role and token itself, both are judged together: pod-own-token.
    own = [container for container in pod.containers if own_volume(pod, container) is not None]
    files = {container.env.get(TOKEN_ENV) or "" for container in pod.containers if container not in own}
    volumes = {TOKEN_VOLUME}
    for container in pod.containers:
        for name, mount in container.mounts.items():
            if any(file.startswith(f"{mount.rstrip('/')}/") for file in files):
                volumes.add(name)
    return volumes


@check_of("pod-env-partial", Group.PODS, weight=89)
def _partial(facts: Facts) -> Judgement:
    one_only = users_with(
        facts.named, lambda container: (ROLE_ENV in container.env) != (TOKEN_ENV in container.env)
    )
    wrong = [
        (pod, container)
        for pod, container in one_only
        if not (leaves_the_token_to_it(container) and takes_profile(facts, pod, container))
    ]
    users = some(wrong, "containers have both variables or neither")
    _, container = users[0]
    text = "a container has only one of the two variables"
    if ROLE_ENV in container.env:
        return by_template(facts, users, text, present=ROLE_ENV, missing=TOKEN_ENV)
    return by_template(facts, users, text, present=TOKEN_ENV, missing=ROLE_ENV)


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@check_of("pod-static-credentials", Group.PODS, weight=87)
def _static(facts: Facts) -> Judgement:
    subject = facts.named
    pods = facts.named.users()
    users = users_with(subject, lambda container: _has_keys(subject, container))
    own = [(pod, container) for pod, container in users if not _is_sidecar(subject, pod, container)]
    if own:
        _, container = own[0]
        names = listed(key for key in _KEYS if key in container.env) or listed(container.sources)
        return by_template(facts, own, "SDKs use access keys from the environment first", variables=names)
    if users:
        return unknown("other containers than the application's have their own keys", containers=where(users))
    names_used: set[str] = set()
    for pod in pods:
        names_used.update(*(container.sources for container in pod.containers))
    unread = [name for name in sorted(names_used) if _keys_of(subject, name) is None]
    sources = some(unread, "no container has static keys in its environment")
    text = "variables come from Secrets or ConfigMaps whose keys irsa does not read"
    if is_admitted(facts, pods):
        return unknown(text, source=listed(sources))
    if any(map(_OF_AWS.search, sources)):
        return suspect(text, source=listed(sources))
    return hint(text, source=listed(sources))


_OF_AWS = re.compile(r"/.*(?:aws|iam|s3|credential|access-?key)", re.IGNORECASE)
"""Names of Secrets that suggest AWS keys."""


def _keys_of(subject: Subject, source: str) -> Iterable[str] | None:
    name, _, prefix = source.removesuffix(")").partition(" (prefix ")
    keys = subject.config_keys.get(name)
    if not isinstance(keys, frozenset):
        return None
    return [f"{prefix}{key}" for key in keys]


def _is_sidecar(subject: Subject, pod: Pod, container: Container) -> bool:
    default = pod.annotations.get("kubectl.kubernetes.io/default-container", "")
    first = [container for container in pod.containers if not container.init] or list(pod.containers)
    main = next((container for container in first if container.name == default), first[0])
    return container is not main and injected(main) and not _has_keys(subject, main)


def _has_keys(subject: Subject, container: Container) -> bool:
    if _KEYS[0] in container.env:
        return container.env.is_set(_KEYS[0])
    return any(_KEYS[0] in (_keys_of(subject, source) or ()) for source in container.sources)


_ASSUME = re.compile(r"assume", re.IGNORECASE)


@check_of("pod-role-twice", Group.PODS, weight=40)
def _twice(facts: Facts) -> Judgement:
    subject = facts.named
    arn = str(subject.role_arn())
    repeated = [(pod, container) for pod, container in injected_users(subject) if _repeats(container, arn)]
    users = some(repeated, "no setting repeats the role's ARN")
    names = names_role(Arn.parse(arn), arn)
    for _, statement in allowing(subject.annotated_role().trust):
        if covers(actions_of(statement), ASSUME) and names(statement).truth:
            return ok("the role trusts itself", containers=where(users))
    assuming = [(pod, container) for pod, container in users if _is_to_assume(container, arn)]
    if assuming:
        text = "settings tell the application to assume its own role, and the role does not trust itself"
        return suspect(text, containers=where(assuming), role=arn)
    return hint(
        "settings repeat the role's ARN; irsa cannot see if the application assumes the role, which does not"
        " trust itself",
        containers=where(users),
        role=arn,
    )


def _repeats(container: Container, arn: str) -> bool:
    in_arguments = any(arn in argument for argument in container.arguments)
    return in_arguments or bool(_variables(container, arn))


def _variables(container: Container, arn: str) -> list[str]:
    return [name for name in container.env.naming(arn) if name != ROLE_ENV]


def _is_to_assume(container: Container, arn: str) -> bool:
    """Whether the name of a variable or an argument says that the application assumes the role."""
    names = _variables(container, arn)
    # The words before the role: its own argument's name, or the previous argument.
    words = " ".join(container.arguments)
    names += [words[: match.start()].rpartition(" -")[2] for match in re.finditer(re.escape(arn), words)]
    return any(_ASSUME.search(name) for name in names)


_WHICH_STS = variable("AWS_STS_REGIONAL_ENDPOINTS")
_STS_URL = variable("AWS_ENDPOINT_URL_STS")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_MINIMUM_CLI = (1, 16, 232)
_READABLE_SINCE = (1, 19)
_REGIONAL_CLI = (1, 18)


@check_of("pod-region", Group.PODS, weight=45)
def _region(facts: Facts) -> Judgement:
    users = some(_without_region(facts), "all containers have a region")
    if is_admitted(facts, [pod for pod, _ in users]):
        return ok("STS accepted the pods' tokens, so they have a region", containers=where(users))
    return hint("only the application itself can set its region", containers=where(users))


def _without_region(facts: Facts) -> list[tuple[Pod, Container]]:
    users = injected_users(facts.named)
    return [
        (pod, container) for pod, container in users if not any(name in container.env for name in _REGIONS)
    ]


@check_of("pod-china-region", Group.PODS, weight=60)
def _china(facts: Facts) -> Judgement:
    if facts.cluster.partition != "aws-cn":
        return ok("the cluster is not in China")
    users = some(_without_region(facts), "all containers have a region")
    text = "without a region, the SDK calls STS in another partition"
    return by_template(facts, users, text, expected=f"AWS_DEFAULT_REGION={facts.cluster.region}")


@check_of("pod-sts-endpoint", Group.PODS, weight=55)
def _endpoint(facts: Facts) -> Judgement:
    regional = [pair for pair in injected_users(facts.named) if pair[1].env.get(_WHICH_STS) == "regional"]
    address = "https://sts.amazonaws.com"
    both = [pair for pair in regional if (pair[1].env.get(_STS_URL) or "").rstrip("/") == address]
    users = some(both, "no container has conflicting settings for the STS endpoint")
    text = "one variable sets the global endpoint, the other one the regional endpoint"
    endpoint = f"AWS_ENDPOINT_URL_STS={users[0][1].env[_STS_URL]}"
    return by_template(facts, users, text, endpoint=endpoint, conflict="AWS_STS_REGIONAL_ENDPOINTS=regional")


@check_of("sts-global-endpoint", Group.PODS, weight=35)
def _global_endpoint(facts: Facts) -> Judgement:
    annotated = facts.named.existing().annotations.get(STS_REGIONAL_ANNOTATION, "true")
    if annotated != "false":
        return _by_old_sdk(facts)
    if not have(facts.sts_endpoints):
        return unknown("the pods use the global STS endpoint and need internet access from the VPC")
    text = "the VPC has a regional STS endpoint, but the annotation disables it for the pods"
    remedy = annotate(facts, "true", STS_REGIONAL_ANNOTATION)
    return suspect(text, annotation=f"{STS_REGIONAL_ANNOTATION}=false", remedy=remedy)


def _by_old_sdk(facts: Facts) -> Judgement:
    """The variable asks for the region's endpoint; whether the SDK heeds it shows in what STS was asked."""
    subject = facts.named
    fine = "the pods use the regional STS endpoint"
    if not isinstance(facts.sts_endpoints, tuple) or not facts.sts_endpoints:
        return ok(fine)
    old = [
        (pod, container)
        for pod, container in injected_users(subject)
        if not container.env.get(_STS_URL) and (cli_version(container) or (0,)) < _REGIONAL_CLI
    ]
    if is_admitted(facts, [pod for pod, _ in old]):
        return ok(fine)
    users = some(old, fine)
    if isinstance(subject.events, Unreadable) and subject.events.follows:
        return ok("the pods are configured for the regional STS endpoint")
    # An old SDK asks the global endpoint all the same: without a way out of the VPC nobody answers.
    return hint(
        "the VPC has a regional STS endpoint, and CloudTrail shows no call to STS: an old SDK may call the"
        " global endpoint instead",
        containers=where(users),
        endpoint=listed(endpoint.id for endpoint in facts.sts_endpoints),
    )


@check_of("pod-windows", Group.PODS, weight=75)
def _windows(facts: Facts) -> Judgement:
    on_windows = [
        (pod, container)
        for pod, container in injected_users(facts.named)
        if pod.os == "windows"
        and pod.node_selector.get("kubernetes.io/os") != "windows"
        and (container.env[TOKEN_ENV] or "").startswith("/")
    ]
    users = some(on_windows, "no Windows pod has Linux paths")
    text = "the webhook treats a pod without nodeSelector as a Linux pod"
    file = str(users[0][1].env[TOKEN_ENV])
    expected = "nodeSelector kubernetes.io/os: windows"
    return by_template(facts, users, text, file=file, expected=expected)


@check_of("pod-token-unreadable", Group.PODS, weight=70)
def _unreadable(facts: Facts) -> Judgement:
    version = re.match(r"(\d+)\.(\d+)", have(facts.eks).version)
    if not version:
        return unknown("the cluster's version is unknown")
    if (int(version[1]), int(version[2])) >= _READABLE_SINCE:
        return ok("this Kubernetes version lets the container's user read the token")
    as_user: list[tuple[Pod, Container]] = []
    by_image: list[tuple[Pod, Container]] = []
    for pod, container in injected_users(facts.named):
        user = pod.user if container.user is None else container.user
        if pod.fs_group is None and user:
            as_user.append((pod, container))
        elif pod.fs_group is None and user is None:
            by_image.append((pod, container))
    text = "in this Kubernetes version only root can read the file"
    if as_user:
        return by_template(facts, as_user, text, version=version[0], expected="fsGroup: 65534")
    if not by_image or is_admitted(facts, [pod for pod, _ in by_image]):
        return ok("containers run as root, or have an fsGroup")
    return suspect(
        f"{text}, and irsa does not know the image's user",
        containers=where(by_image),
        images=listed(container.image for _, container in by_image),
        version=version[0],
    )


@check_of("sdk-too-old", Group.PODS, weight=65)
def _sdk(facts: Facts) -> Judgement:
    users = injected_users(facts.named)
    versions = {container.image: cli_version(container) for _, container in users}
    old = [
        (pod, container)
        for pod, container in users
        if (cli_version(container) or _MINIMUM_CLI) < _MINIMUM_CLI
    ]
    if old:
        needed = ">= " + ".".join(map(str, _MINIMUM_CLI))
        text = "this AWS CLI does not support IRSA"
        return by_template(facts, old, text, image=old[0][1].image, needed=needed)
    hidden = [image for image, version in versions.items() if version is None]
    some(hidden, "the images' AWS CLI is recent enough", images=listed(versions))
    return unknown("irsa cannot see which SDK is in the image", images=listed(hidden))
