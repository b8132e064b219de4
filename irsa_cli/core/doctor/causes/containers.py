"""Causes in pods that have a web identity, or should: what stands in its way inside of the container."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from irsa_cli.core.doctor.causes.bare_pods import edit
from irsa_cli.core.doctor.causes.own_token import own_volume, volume_at
from irsa_cli.core.doctor.clues.usage import has_role, is_active, is_of_app, made_by_it, neighbours, strays
from irsa_cli.core.doctor.facts import Facts, Role, Subject
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    TOKEN_VOLUME,
    account_of,
    admit,
    annotation_of,
    audience_of,
    injected,
    injected_users,
    listed,
    pod_names,
    restart,
    role_arn_of,
    role_of,
    users_of,
    where,
)
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import have
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.evaluation import covers
from irsa_cli.core.values.arn import Arn

_EKS = "https://docs.aws.amazon.com/eks/latest/userguide"
_WEBHOOK = "https://github.com/aws/amazon-eks-pod-identity-webhook#readme"
_ASSOCIATE = f"{_EKS}/associate-service-account-role.html"
_CHAIN = "https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html"
_ASSUME = re.compile(r"assume", re.IGNORECASE)
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@cause(
    "pod-service-account",
    Group.PODS,
    93,
    title="The pods use another ServiceAccount than this one.",
    symptom="The pods have another role, the node's, or none.",
    looks_at="serviceAccountName of the namespace's pods",
    remedy="Set serviceAccountName in the pod's template.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
)
def _service_account(facts: Facts) -> Judgement:
    subject = facts.named
    found = strays(facts) if has_role(account_of(subject)) else ()
    if found:
        return _stray(facts, found)
    pods = [pod for pod in have(subject.pods) if is_active(pod)]
    if any(pod.service_account == subject.name for pod in pods):
        return _beside(facts)
    others = listed(sorted({pod.service_account for pod in pods})) or "none"
    evidence = {"used_in_the_namespace": others}
    near = neighbours(facts)
    if near:
        evidence["pods_of_its_name"] = f"{pod_names(near)}, which have a ServiceAccount of their own"
    return unknown(f"no pod uses ServiceAccount {subject.full_name}", **evidence)


def _beside(facts: Facts) -> Judgement:
    """Pods use the ServiceAccount; others that they have made may be missing it."""
    subject = facts.named
    made, jobs = made_by_it(facts) if has_role(account_of(subject)) else ((), ())
    if not made and not jobs:
        return ok("pods use the ServiceAccount")
    text = "pods of the same application run as default, which has no role; whether they need one"
    say, found = (suspect, made) if made else (hint, jobs)
    return say(
        f"{text} can't be seen",
        pods=pod_names(found),
        they_use="default",
        in_place_of=subject.name,
    )


def _stray(facts: Facts, found: tuple[Pod, ...]) -> Judgement:
    subject = facts.named
    mine = [pod for pod in found if pod.namespace == subject.namespace]
    used = any(pod.service_account == subject.name and is_active(pod) for pod in have(subject.pods))
    if used:
        text = "pods that its pods have made use another, which has no role"
    elif mine:
        text = "nobody uses the ServiceAccount, and pods of its name use another, which has no role"
    else:
        text = "nobody uses it, and pods use the one of its name in another namespace, which has no role"
    first = found[0]
    here = first in mine and (first.service_account == "default" or is_of_app(first, subject.name))
    return problem(
        text,
        fix=_use(subject.namespace, subject.name, first) if here else _admit_other(facts, first),
        pods=pod_names(found),
        they_use=listed(sorted({_account_name(subject, pod) for pod in found})),
        expected=subject.name if mine or used else subject.full_name,
    )


def _account_name(subject: Subject, pod: Pod) -> str:
    own = pod.namespace == subject.namespace
    return pod.service_account if own else f"{pod.namespace}/{pod.service_account}"


def _admit_other(facts: Facts, pod: Pod) -> str:
    """The commands that let the ServiceAccount that the pods use have the role, and have them made anew."""
    other = replace(facts.named, namespace=pod.namespace, name=pod.service_account, account=None)
    return "\n".join((admit(facts, other, annotation_of(facts.named)), restart(other, [pod])))


def _use(namespace: str, name: str, pod: Pod) -> str:
    kind, _, owner = pod.owner.partition("/")
    if kind == "ReplicaSet" and "pod-template-hash" in pod.labels:
        kind, owner = "Deployment", owner.removesuffix(f"-{pod.labels['pod-template-hash']}")
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return f"kubectl -n {namespace} set serviceaccount {kind.lower()} {shlex.quote(owner)} {name}"
    return edit(namespace, pod)


@cause(
    "pod-role-differs",
    Group.PODS,
    90,
    title="The pods ask for another role than the ServiceAccount names.",
    symptom="Another principal than expected, or AccessDenied for a role that was given up",
    looks_at=f"{ROLE_ENV} of the pods' containers, the ServiceAccount's annotation",
    remedy="Have the pods made anew. Where their template sets AWS_ROLE_ARN, take that variable out of it.",
    source=_ASSOCIATE,
)
def _role(facts: Facts) -> Judgement:
    subject = facts.named
    wanted = annotation_of(subject)
    found = [
        (pod, item)
        for pod, item in injected_users(subject)
        if item.env[ROLE_ENV] not in (wanted, None) and own_volume(pod, item) is None
    ]
    if not found:
        return ok("the pods ask for the role of the annotation", role=wanted)
    fixed = [(pod, item) for pod, item in found if _is_set_by_template(facts, pod, item)]
    text = "their template sets another role, which the webhook leaves as it is"
    return problem(
        text if fixed else "they were given another role",
        fix=edit(subject.namespace, fixed[0][0]) if fixed else restart(subject, [pod for pod, _ in found]),
        containers=where(found),
        they_ask_for=listed(str(item.env[ROLE_ENV]) for _, item in found),
        annotation=wanted,
    )


def _is_set_by_template(facts: Facts, pod: Pod, container: Container) -> bool:
    """Whether the variable stands in the pod's template, so that a new pod would have it again.

    It does where the pod is younger than the annotation, and where it stands before the region: what the
    webhook adds is the region first, the role last.
    """
    annotated = account_of(facts.named).annotated
    if annotated is not None and pod.created is not None and pod.created > annotated:
        return True
    return _stands_before_region(container, ROLE_ENV)


def _stands_before_region(container: Container, variable: str) -> bool:
    names = list(container.env)
    added = [name for name in ("AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION") if name in names]
    return any(names.index(name) > names.index(variable) for name in added)


@cause(
    "pod-audience-differs",
    Group.PODS,
    89,
    title="The pods' tokens have another audience than the ServiceAccount asks for.",
    symptom="InvalidIdentityToken: Incorrect token audience, or AccessDenied",
    looks_at="the projected token in the pods' volumes, the annotation eks.amazonaws.com/audience",
    remedy="Have the pods made anew. Where their template mounts the token, set its audience there.",
    source=_WEBHOOK,
)
def _audience(facts: Facts) -> Judgement:
    subject = facts.named
    wanted = audience_of(facts, subject)
    pods = {pod.name: pod for pod, _ in injected_users(subject)}
    found = {
        name: volume.audience
        for name, pod in pods.items()
        for volume in pod.volumes
        if volume.name in _token_volumes(pod) and volume.audience not in (wanted, None)
    }
    if not found:
        return ok("the pods' tokens have the right audience", audience=wanted)
    fixed = [name for name in found if _brings_token(pods[name])]
    by_hand = edit(subject.namespace, pods[fixed[0] if fixed else next(iter(found))])
    again = restart(subject, [pods[name] for name in found])
    text = "their template mounts a token of another audience, which the webhook leaves as it is"
    return problem(
        text if fixed else "they were started with another audience",
        fix=by_hand if fixed else f"{again}\n# where their template mounts the token itself: {by_hand}",
        pods=listed(found),
        tokens=listed(str(audience) for audience in found.values()),
        expected=wanted,
    )


def _brings_token(pod: Pod) -> bool:
    """Whether the token's volume surely stands in the pod's template, so that a new pod would have it again.

    The webhook puts its own before all others; and what a container's variables show, as of the role, holds
    of the token, too.
    """
    if pod.volumes[0].name != TOKEN_VOLUME:
        return True
    return any(injected(item) and _stands_before_region(item, TOKEN_ENV) for item in pod.containers)


def _token_volumes(pod: Pod) -> set[str]:
    """The volumes that the containers' token files are in."""
    # Where a container brings role and token itself, both are judged together: pod-own-token.
    own = [item for item in pod.containers if own_volume(pod, item) is not None]
    files = {item.env.get(TOKEN_ENV) or "" for item in pod.containers if item not in own}
    return {
        name
        for item in pod.containers
        for name, mount in item.mounts.items()
        if any(file.startswith(f"{mount.rstrip('/')}/") for file in files)
    } | {TOKEN_VOLUME}


@cause(
    "pod-env-partial",
    Group.PODS,
    89,
    title="A container sets one of the two variables itself, so the webhook leaves the other out.",
    symptom="The SDK does not use the web identity, or finds no token file.",
    looks_at=f"{ROLE_ENV} and {TOKEN_ENV} of the pods' containers",
    remedy="Set both of them in the pod's template, or none.",
    source=_WEBHOOK,
)
def _partial(facts: Facts) -> Judgement:
    subject = facts.named
    found = [
        (pod, item)
        for pod in users_of(subject)
        for item in pod.containers
        if (ROLE_ENV in item.env) != (TOKEN_ENV in item.env)
    ]
    if not found:
        return ok("containers have both variables or none")
    there = ROLE_ENV if ROLE_ENV in found[0][1].env else TOKEN_ENV
    return problem(
        "a container has one of two variables",
        fix=edit(subject.namespace, found[0][0]),
        containers=where(found),
        there_is=there,
        missing=TOKEN_ENV if there == ROLE_ENV else ROLE_ENV,
    )


@cause(
    "pod-token-volume",
    Group.PODS,
    88,
    title="The token's file is not where the SDK looks for it.",
    symptom="open /var/run/secrets/eks.amazonaws.com/serviceaccount/token: no such file or directory",
    looks_at=f"{TOKEN_ENV}, the volumes of the pods and where they are mounted",
    remedy=f"Rename a volume of one's own that is called {TOKEN_VOLUME}, or mount a projected token.",
    source=_WEBHOOK,
)
def _volume(facts: Facts) -> Judgement:
    subject = facts.named
    found = [(pod, item) for pod, item in injected_users(subject) if not _has_token(pod, item)]
    if not found:
        return ok("the token's file is mounted")
    pod, item = found[0]
    return problem(
        f"no volume that holds a token is mounted at {item.env[TOKEN_ENV]}",
        fix=edit(subject.namespace, pod),
        containers=where(found),
        volumes=listed(volume.name for volume in pod.volumes) or "none",
    )


def _has_token(pod: Pod, container: Container) -> bool:
    file = container.env[TOKEN_ENV]
    if file is None:
        return True  # The variable comes from elsewhere: it can't be known where it points.
    # Windows writes the same path with other slashes and a drive.
    path = file.replace("\\", "/").removeprefix("C:")
    tokens = {volume.name: volume.path for volume in pod.volumes if volume.audience is not None}
    return any(
        path == _file_at(mount, tokens[name], container.parts.get(name, ""))
        for name, mount in container.mounts.items()
        if name in tokens
    )


def _file_at(mount: str, token: str, part: str) -> str:
    """Where a volume's token is: below the mount, or, of a part of the volume, where that leads."""
    if not part:
        return f"{mount.rstrip('/')}/{token}"
    inside = token.removeprefix(part.rstrip("/")).lstrip("/") if f"{token}/".startswith(part) else token
    return f"{mount.rstrip('/')}/{inside}" if inside else mount.rstrip("/")


@cause(
    "pod-token-kept",
    Group.PODS,
    76,
    title="The token is mounted by subPath, so that the container's file is never renewed.",
    symptom="It works for a day (or as long as the token lasts); then ExpiredTokenException: Token expired",
    looks_at=f"{TOKEN_ENV}, subPath of the volume mounts of the pods' containers",
    remedy="Mount the token's whole volume at a folder, without subPath: kubelet renews what is in it.",
    source="https://kubernetes.io/docs/concepts/storage/projected-volumes/",
)
def _kept(facts: Facts) -> Judgement:
    subject = facts.named
    found = [(pod, item) for pod, item in injected_users(subject) if _is_kept(pod, item)]
    if not found:
        return ok("no token's file is mounted by subPath")
    return problem(
        "kubelet renews the volume, and not what is mounted of it by subPath",
        fix=edit(subject.namespace, found[0][0]),
        containers=where(found),
        file=str(found[0][1].env[TOKEN_ENV]),
    )


def _is_kept(pod: Pod, container: Container) -> bool:
    volume = volume_at(pod, container, container.env[TOKEN_ENV] or "")
    if volume is None or volume.audience is None or container.init or pod.owner.startswith("Job/"):
        return False  # What begins a pod, or is a Job's, ends before its token does.
    return volume.name in container.parts


@cause(
    "pod-role-twice",
    Group.PODS,
    40,
    title="The application is told the role a second time: it may assume it once more, from itself.",
    symptom="User: .../assumed-role/ROLE/... is not authorized to perform: sts:AssumeRole on resource: ROLE",
    looks_at="variables and arguments of the pods' containers that name the role, and its trust policy",
    remedy="Take the role out of the application's own settings: its SDK has assumed it already.",
    source="https://aws.amazon.com/blogs/security/announcing-an-update-to-iam-role-trust-policy-behavior/",
)
def _twice(facts: Facts) -> Judgement:
    subject = facts.named
    arn = str(role_arn_of(subject))
    found = [(pod, item) for pod, item in injected_users(subject) if _names_role(item, arn)]
    if not found:
        return ok("no setting of the containers names the role once more")
    if _trusts_itself(role_of(subject)):
        return ok("settings name the role, whose trust policy lets it assume itself", containers=where(found))
    asked = [(pod, item) for pod, item in found if _is_to_assume(item, arn)]
    if asked:
        return suspect(
            "settings tell the application to assume the role, which it has already, and which does not trust"
            " itself",
            containers=where(asked),
            role=arn,
        )
    return hint(
        "settings name the role; what the application does with it can't be seen from outside, and the role"
        " does not trust itself",
        containers=where(found),
        role=arn,
    )


def _names_role(container: Container, arn: str) -> bool:
    variables = (value for key, value in container.env.items() if key != ROLE_ENV)
    return arn in variables or any(arn in argument for argument in container.arguments)


def _is_to_assume(container: Container, arn: str) -> bool:
    """Whether the name of a variable or an argument says that the role is to be assumed."""
    names = [key for key, value in container.env.items() if value == arn and key != ROLE_ENV]
    # What stands before the role: its own argument's name, or the argument before it.
    words = " ".join(container.arguments)
    names += [words[:place].rpartition(" -")[2] for place in _places(words, arn)]
    return any(_ASSUME.search(name) for name in names)


def _places(text: str, part: str) -> list[int]:
    return [number for number in range(len(text)) if text.startswith(part, number)]


def _trusts_itself(role: Role) -> bool:
    """Whether a statement of its trust policy names it, or its whole account, for sts:AssumeRole."""
    arn = Arn.parse(role.arn)
    names = {role.arn, arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", "*"}
    return any(
        isinstance(item, dict)
        and item.get("Effect") == "Allow"
        and any(_fits(str(action)) for action in as_list(item.get("Action", [])))
        and not names.isdisjoint(_aws_principals(item.get("Principal", {})))
        for item in as_list(role.trust.get("Statement", []))
    )


def _fits(action: str) -> bool:
    return covers((action,), "sts:AssumeRole")


def _aws_principals(principal: object) -> list[str]:
    found = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return [str(item) for item in as_list(found)]


@cause(
    "pod-static-credentials",
    Group.PODS,
    87,
    title="Static access keys in the container go before the web identity.",
    symptom="Another principal (an IAM user) in errors, or InvalidClientTokenId",
    looks_at="names of the variables of the pods' containers; values are not looked at",
    remedy="Remove AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the pod's template.",
    source=_CHAIN,
)
def _static(facts: Facts) -> Judgement:
    subject = facts.named
    pods = users_of(subject)
    found = [(pod, item) for pod in pods for item in pod.containers if _has_keys(item)]
    beside = [(pod, item) for pod, item in found if _is_beside(pod, item)]
    if found and len(beside) == len(found):
        return unknown("containers beside the application's have keys of their own", containers=where(found))
    if found:
        found = [pair for pair in found if pair not in beside]
        return problem(
            "SDKs take keys in the environment first",
            fix=edit(subject.namespace, found[0][0]),
            containers=where(found),
            variables=listed(key for key in _KEYS if key in found[0][1].env),
        )
    sources = sorted({name for pod in pods for item in pod.containers for name in item.sources})
    if sources:
        return unknown(
            "whole environments come from Secrets or ConfigMaps, whose keys are not read",
            taken_from=listed(sources),
        )
    return ok("no container has static keys in its environment")


def _is_beside(pod: Pod, container: Container) -> bool:
    """Whether a container is not the pod's main one, which has an identity and no keys of its own."""
    main = _main(pod)
    return container is not main and injected(main) and not _has_keys(main)


def _main(pod: Pod) -> Container:
    """The container that kubectl takes where none is named."""
    named = pod.annotations.get("kubectl.kubernetes.io/default-container", "")
    first = [item for item in pod.containers if not item.init] or list(pod.containers)
    return next((item for item in first if item.name == named), first[0])


def _has_keys(container: Container) -> bool:
    return container.env.get(_KEYS[0], "") != ""
