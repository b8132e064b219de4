"""A cause in the environment: static access keys, which SDKs take before a web identity."""

from __future__ import annotations

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, problem, unknown
from irsa_cli.core.doctor.owners import edit
from irsa_cli.core.doctor.subjects import injected, listed, users_of, where
from irsa_cli.core.objects.kinds import Container, Pod

_CHAIN = "https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@cause(
    "pod-static-credentials",
    Group.PODS,
    87,
    title="Static access keys in the container go before the web identity.",
    symptom="Another principal (an IAM user) in errors, or InvalidClientTokenId",
    looks_at="names of the variables of the pods' containers; values are not read",
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
            fix=edit(facts, found[0][0]),
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
    return container.env.is_set(_KEYS[0])
