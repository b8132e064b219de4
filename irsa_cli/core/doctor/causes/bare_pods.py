"""Causes in pods and containers without an identity: of the webhook, and of EKS Pod Identity and its agent.

A container that another webhook adds after the EKS webhook may get no variables. That is only a hint: most of
these containers don't call AWS.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from irsa_cli.core.doctor.causes.pod_identity import association_of
from irsa_cli.core.doctor.clues.injection import (
    POD_IDENTITY_ENV,
    SKIP_CONTAINERS,
    SKIP_LABEL,
    bare,
    excluding,
    has_identity,
    has_pod_identity,
    is_shown,
    opted_out,
    skipped,
    webhooks_of,
)
from irsa_cli.core.doctor.clues.usage import has_nothing
from irsa_cli.core.doctor.commands import by_restart, edit, restart, webhook_shown
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import (
    ROLE_ENV,
    TOKEN_ENV,
    injected,
    is_bare,
    listed,
    pod_names,
    starts,
    where,
)
from irsa_cli.core.objects.agent_access import runs_without
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have


def _bare_judgement(facts: Facts, identifier: str, text: str, expected: str) -> Judgement:
    pods = bare(facts, identifier)
    if not pods:
        return ok("no pod is without a web identity for this reason")
    return by_restart(facts, pods, text, started=starts(pods), expected=expected)


@check_of("pod-older-than-annotation")
def _older(facts: Facts) -> Judgement:
    annotated = facts.named.existing().annotated
    return _bare_judgement(
        facts,
        "pod-older-than-annotation",
        "they have no web identity; new pods would get one",
        f"created after {annotated.isoformat()}" if annotated else "AWS_ROLE_ARN in their environment",
    )


@check_of("pod-older-than-webhook")
def _older_than_webhook(facts: Facts) -> Judgement:
    return _bare_judgement(
        facts,
        "pod-older-than-webhook",
        "they have no web identity and are older than the webhook",
        "AWS_ROLE_ARN in their environment",
    )


@check_of("pod-missed")
def _missed(facts: Facts) -> Judgement:
    return _bare_judgement(
        facts,
        "pod-missed",
        "they were created after the annotation; new pods would get a web identity",
        "AWS_ROLE_ARN in their environment",
    )


@check_of("pod-opted-out")
def _opt_out(facts: Facts) -> Judgement:
    subject = facts.named
    subject.annotation()
    whole = [pod for pod in subject.users() if is_bare(pod) and opted_out(pod)]
    if not whole:
        return _some_containers(subject)
    others_have_it = any(not is_bare(pod) for pod in subject.users())
    return marked("their label or annotation opts out", facts, whole, on_purpose=others_have_it)


def marked(text: str, facts: Facts, pods: list[Pod], *, on_purpose: bool) -> Judgement:
    """Judge pods that opt out of the webhook: on purpose if other pods don't."""
    if on_purpose:  # They are there to look at something, as a rule.
        return unknown("pods that run next to the application's opt out on purpose", pods=pod_names(pods))
    pod = pods[0]
    key = SKIP_LABEL if SKIP_LABEL in pod.labels else SKIP_CONTAINERS
    mark = f"{key}={pod.labels.get(key) or pod.annotations.get(key, '')}"
    return problem(text, fix=edit(facts, pod), pods=pod_names(pods), found=mark)


def _some_containers(subject: Subject) -> Judgement:
    for pod in subject.users():
        names = skipped(pod) & {item.name for item in pod.containers if not injected(item)}
        if names:
            # One of several containers may well be meant to have none.
            return unknown("some containers opt out on purpose", pod=pod.name, containers=listed(names))
    return ok("no pod opts out of the webhook")


_GIVEN = (ROLE_ENV, TOKEN_ENV, POD_IDENTITY_ENV)
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_MESHES = (
    *("istio-proxy", "istio-init", "istio-validation", "envoy", "envoy-sidecar", "proxyinit"),
    *("linkerd-proxy", "linkerd-init", "linkerd-network-validator", "kuma-sidecar", "kuma-init"),
    *("consul-dataplane", "consul-connect-inject-init"),
)
"""Containers of service meshes, which don't call AWS with the pod's role."""


@check_of("pod-container-missed")
def _left_out(facts: Facts) -> Judgement:
    pods = [pod for pod in facts.named.users() if has_identity(pod)]
    if not pods:
        raise CannotTell("no container of its pods has an AWS identity")
    if not _is_injected_for_all(facts.named):
        return ok("no webhook injects an identity into its pods")
    found = [(pod, item) for pod in pods for item in pod.containers if _is_left_out(pod, item)]
    if not found:
        return ok("all containers that may need an identity have one", pods=pod_names(pods))
    return hint(
        "other containers in the pod have an identity; irsa cannot tell whether these need one",
        containers=where(found),
    )


def _is_injected_for_all(subject: Subject) -> bool:
    if isinstance(subject.association, Association):
        return True
    try:
        return bool(subject.effective_annotation())
    except CannotTell:
        return False


def _is_left_out(pod: Pod, container: Container) -> bool:
    """Whether it has nothing, and nobody wants it so as far as can be seen."""
    if SKIP_LABEL in pod.labels or container.name in skipped(pod) or container.name in _MESHES:
        return False
    return not any(name in container.env for name in (*_GIVEN, *_KEYS))


_AGENTS = f"get pods -o wide --selector app.kubernetes.io/name={AGENT}"
_UNKNOWN_YET = timedelta(minutes=2)
"""How long the webhook may not know of an association."""


@check_of("pod-identity-agent-down")
def _agent_down(facts: Facts) -> Judgement:
    subject = facts.named
    association_of(facts)
    if not have(subject.agent):
        raise CannotTell("the cluster has no EKS Pod Identity agent; see pod-identity-agent")
    if subject.agents is None:
        return ok("the agent is built into the nodes")
    agents = have(subject.agents)
    users = [pod for pod in subject.users() if not runs_without(pod)]
    placed = [pod for pod in users if pod.node]
    if not agents:
        text = "the agent's add-on is installed, but kube-system has no pods of it"
        return suspect(text, pods=pod_names(placed)) if placed else unknown(text)
    served = {pod.node for pod in agents if _is_up(pod)}
    bad = [pod for pod in agents if not _is_up(pod)]
    alone = [pod for pod in placed if pod.node not in served]
    if alone or (users and not served):
        return _down(facts, alone or users, agents)
    if bad and len(placed) < len(users):
        text = "some pods of the agent do not run, and some pods are not scheduled yet"
        return unknown(text, **_of(bad))
    return ok("the agent runs on the pods' nodes")


def _down(facts: Facts, pods: list[Pod], agents: tuple[Pod, ...]) -> Judgement:
    nodes = {pod.node for pod in pods if pod.node}
    there = [pod for pod in agents if (not nodes or pod.node in nodes) and not _is_up(pod)]
    return problem(
        "nothing answers credential requests on these nodes",
        fix=facts.reach.kubectl(_AGENTS, "kube-system"),
        pods=pod_names(pods),
        **({"nodes": listed(sorted(nodes))} if nodes else {}),
        **(_of(there) if there else {"agent": "not on these nodes"}),
    )


def _is_up(pod: Pod) -> bool:
    return pod.phase == "Running" and pod.ready is not False and not pod.waiting


def _of(agents: Iterable[Pod]) -> dict[str, str]:
    return {"agent": listed(f"{pod.name}: {_state(pod)}" for pod in agents)}


def _state(pod: Pod) -> str:
    return pod.waiting or ("not ready" if pod.phase == "Running" else pod.phase or "unknown phase")


@check_of("pod-identity-missed")
def _missed_association(facts: Facts) -> Judgement:
    association = association_of(facts)
    made = association.created
    if made is None:
        raise CannotTell("EKS did not return when the association was created")
    users = [pod for pod in facts.named.users() if not runs_without(pod)]
    bare = [pod for pod in users if has_nothing(pod) and pod.created and pod.created >= made]
    found = [pod for pod in bare if not opted_out(pod)]
    if not bare:
        return ok("all pods newer than the association have its variables")
    if not found:
        others_have_it = any(not has_nothing(pod) for pod in users)
        return marked("their label or annotation opts out", facts, bare, on_purpose=others_have_it)
    evidence = {
        "pods": pod_names(found),
        "started": starts(found),
        "association": f"created {made.isoformat()}",
    }
    return _by_probe(facts, association, found, evidence)


def _by_probe(
    facts: Facts, association: Association, found: list[Pod], evidence: dict[str, str]
) -> Judgement:
    """Judge pods without variables by whether a new pod would get them."""
    subject = facts.named
    configuration, why = _passed_over(facts, found[0])
    if configuration:
        return problem(why, fix=webhook_shown(facts, configuration), **evidence)
    if isinstance(subject.probe, Unreadable):
        text = "they have no credentials, and irsa cannot tell whether new pods would get them"
        return suspect(text, **evidence, the_API_server_says=subject.probe.why)
    if has_pod_identity(subject.probe):
        text = "the webhook missed them; new pods would get the variables"
        return problem(text, fix=restart(facts, found), **evidence)
    if association.created and facts.now - association.created < _UNKNOWN_YET:
        return suspect("the association is new, and the webhook may not know of it yet", **evidence)
    raise CannotTell("neither they nor a dry-run pod got the variables; see webhook-failing")


def _passed_over(facts: Facts, pod: Pod) -> tuple[str, str]:
    """The webhook whose selectors exclude the pod, and the reason; empty strings if none does."""
    try:
        configuration, _ = excluding(facts, facts.named)
    except CannotTell:
        configuration = ""
    if configuration:
        return configuration, "the namespace's labels do not match the webhook's namespaceSelector"
    if not is_shown(facts, pod):
        name = webhooks_of(facts)[0].configuration
        return name, "the pods' labels do not match the webhook's objectSelector"
    return "", ""
