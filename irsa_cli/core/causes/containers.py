"""Causes in pods that have a web identity, or should: what stands in its way inside of the container."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from irsa_cli.core.arn import Arn
from irsa_cli.core.causes.bare_pods import edit
from irsa_cli.core.causes.facts import Facts, Role, have
from irsa_cli.core.causes.finding import Group, Judgement, cause, ok, problem, unknown
from irsa_cli.core.causes.kinds import Container, Pod
from irsa_cli.core.causes.own_token import own_volume
from irsa_cli.core.causes.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    TOKEN_VOLUME,
    account_of,
    annotation_of,
    audience_of,
    injected_users,
    listed,
    pod_names,
    restart,
    role_arn_of,
    role_of,
    users_of,
    where,
)
from irsa_cli.core.evaluation import covers
from irsa_cli.core.policy import as_list
from irsa_cli.core.states import ROLE_ARN_ANNOTATION

_EKS = "https://docs.aws.amazon.com/eks/latest/userguide"
_WEBHOOK = "https://github.com/aws/amazon-eks-pod-identity-webhook#readme"
_ASSOCIATE = f"{_EKS}/associate-service-account-role.html"
_CHAIN = "https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html"
_RELEASE = "app.kubernetes.io/instance"
_NAME_LABELS = ("app.kubernetes.io/name", _RELEASE, "app", "k8s-app", "name")
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
    account_of(subject)
    pods = have(subject.pods)
    if any(pod.service_account == subject.name for pod in pods):
        return ok("pods use the ServiceAccount")
    related = sorted((pod for pod in pods if _is_related(pod, subject.name)), key=_nearness(subject.name))
    others = listed(sorted({pod.service_account for pod in related or pods})) or "none"
    meant = [pod for pod in related if _is_meant(facts, pod)]
    if not meant:
        if related:
            return unknown(
                f"no pod uses ServiceAccount {subject.full_name}; pods of the same release have their own",
                used_by_them=others,
            )
        return unknown(f"no pod uses ServiceAccount {subject.full_name}", used_in_the_namespace=others)
    return problem(
        "nobody uses the ServiceAccount, and pods of its name use another",
        fix=_use(subject.namespace, subject.name, meant[0]),
        pods=pod_names(meant),
        they_use=listed(sorted({pod.service_account for pod in meant})),
        expected=subject.name,
    )


def _is_related(pod: Pod, name: str) -> bool:
    """Whether a pod bears the ServiceAccount's name: as its own, or as that of its release."""
    labelled = any(pod.labels.get(key) == name for key in _NAME_LABELS)
    return pod.is_alive and (labelled or pod.name == name or pod.name.startswith(f"{name}-"))


def _nearness(name: str) -> Callable[[Pod], bool]:
    """What puts pods of the same application before those of the same release only."""
    return lambda pod: not any(pod.labels.get(key) == name for key in _NAME_LABELS if key != _RELEASE)


def _is_meant(facts: Facts, pod: Pod) -> bool:
    """Whether a related pod was probably to use the ServiceAccount: it runs as nobody, or without a role.

    One with a ServiceAccount of its own, by its name or by its role, is a neighbour.
    """
    if pod.service_account == "default":
        return True
    accounts = facts.accounts if isinstance(facts.accounts, tuple) else ()
    own = next(
        (item for item in accounts if item.full_name == f"{pod.namespace}/{pod.service_account}"), None
    )
    if own is None or ROLE_ARN_ANNOTATION in own.annotations:
        return False
    return not _is_its_own(pod, facts.named.name)


def _is_its_own(pod: Pod, name: str) -> bool:
    """Whether the pod's ServiceAccount bears the pod's own name, which goes on after the asked one's."""
    other = pod.service_account
    theirs = other.startswith(f"{name}-") and (pod.name == other or pod.name.startswith(f"{other}-"))
    return theirs and not any(pod.labels.get(key) == name for key in _NAME_LABELS if key != _RELEASE)


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
    names = list(container.env)
    added = [name for name in ("AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION") if name in names]
    return any(names.index(name) > names.index(ROLE_ENV) for name in added)


@cause(
    "pod-audience-differs",
    Group.PODS,
    89,
    title="The pods' tokens have another audience than the ServiceAccount asks for.",
    symptom="InvalidIdentityToken: Incorrect token audience, or AccessDenied",
    looks_at="the projected token in the pods' volumes, the annotation eks.amazonaws.com/audience",
    remedy="Have the pods made anew.",
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
        if volume.name == TOKEN_VOLUME and volume.audience not in (wanted, None)
    }
    if not found:
        return ok("the pods' tokens have the right audience", audience=wanted)
    return problem(
        "they were started with another audience",
        fix=restart(subject, [pods[name] for name in found]),
        pods=listed(found),
        tokens=listed(str(audience) for audience in found.values()),
        expected=wanted,
    )


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
    tokens = {volume.name for volume in pod.volumes if volume.audience is not None}
    return any(
        path.startswith(f"{mount.rstrip('/')}/") and name in tokens
        for name, mount in container.mounts.items()
    )


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
    return unknown(
        "settings name the role; what the application does with it can't be seen from outside, and the role"
        " does not trust itself",
        containers=where(found),
        role=arn,
    )


def _names_role(container: Container, arn: str) -> bool:
    variables = (value for key, value in container.env.items() if key != ROLE_ENV)
    return arn in variables or any(arn in argument for argument in container.arguments)


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
    if found:
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


def _has_keys(container: Container) -> bool:
    return container.env.get(_KEYS[0], "") != ""
