"""Causes in the webhook that injects web identities: whether it is there, answers, and looks at the pods."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import partial

from irsa_cli.core.doctor import commands, subjects
from irsa_cli.core.doctor.causes.pod_identity import TOO_NEW, UNTIL_KNOWN, serves_pod_identity, was_associated
from irsa_cli.core.doctor.facts import Facts, there
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, hint, ok, problem, some, suspect, unknown
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.webhooks import Webhook
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.errors import CannotTell, Unreadable, have
from irsa_cli.core.values.shown import shown


@check_of("webhook-missing", Group.WEBHOOK, weight=92, of_cluster=True)
def _missing(facts: Facts) -> Judgement:
    subject = facts.subject
    if subject is not None and isinstance(subject.probe, Pod) and subjects.is_injected(subject.probe):
        return ok("a dry-run pod got a web identity")
    webhooks = have(facts.webhooks)
    if webhooks:
        return ok(
            "the webhook is configured",
            configuration=subjects.listed(webhook.configuration for webhook in webhooks),
        )
    fix = commands.decide(
        facts.reach.kubectl("get mutatingwebhookconfigurations pod-identity-webhook"),
        "- on EKS, the control plane runs the webhook: ask AWS Support to restore its configuration",
        "- elsewhere, install the webhook: https://github.com/aws/amazon-eks-pod-identity-webhook",
        "- or set the role and a projected token in the pod template, which needs no webhook",
    )
    text = "no MutatingWebhookConfiguration injects web identities"
    return problem(text, fix=fix, expected="pod-identity-webhook", found="none")


@check_of("webhook-namespace", Group.WEBHOOK, weight=91)
def _namespace(facts: Facts) -> Judgement:
    configuration, selector = subjects.excluding(facts, facts.named)
    some(configuration, "the webhook handles pods in this namespace")
    labels = have(facts.named.namespace_labels) or {}
    return problem(
        "the namespace's labels do not match the webhook's namespaceSelector",
        fix=commands.decide(
            commands.webhook_shown(facts, configuration),
            f"- label namespace {shown(facts.named.namespace)} so that the namespaceSelector matches",
            "- or change the namespaceSelector, unless another tool writes it",
            "then restart the pods",
        ),
        selector=selector,
        labels=subjects.listed(f"{key}={value}" for key, value in sorted(labels.items())) or "none",
    )


@check_of("webhook-failing", Group.WEBHOOK, weight=90)
def _failing(facts: Facts) -> Judgement:
    subject = facts.named
    if isinstance(subject.probe, Pod) and subjects.has_identity(subject.probe):
        return ok("a dry-run pod got its identity")
    associated = _knows_association(facts)
    if not associated:
        subject.effective_annotation()
    webhooks = subjects.webhooks_of(facts)
    excluding, _ = subjects.excluding(facts, subject)
    if excluding or (subjects.foreign_prefix(facts) and not associated):
        raise CannotTell("the webhook skips it for another reason")
    if isinstance(subject.probe, Unreadable):
        return _without_probe(facts, webhooks, subject.probe.why)
    if not subjects.is_shown(facts, subject.probe):
        raise CannotTell("the webhook selects pods by labels that the dry-run pod does not have")
    return _failed(facts, webhooks[0], "a dry-run pod with this ServiceAccount got no identity")


def _without_probe(facts: Facts, webhooks: Iterable[Webhook], why: str) -> Judgement:
    """Judge why no pod could be created for show: because of the webhook itself, or for another reason."""
    for webhook in webhooks:
        if f'calling webhook "{webhook.name}"' in why:
            text = "no pods can be created: the API server cannot reach the webhook"
            return _failed(facts, webhook, text)
        if webhook.ca_ends is not None and webhook.ca_ends < facts.now:
            return _failed(facts, webhook, "the webhook's certificate authority has expired")
    raise CannotTell(why)


def _knows_association(facts: Facts) -> bool:
    association = facts.named.association
    if not isinstance(association, Association):
        return False
    annotated = ROLE_ARN_ANNOTATION in facts.named.existing().annotations
    if not annotated and (association.created is None or facts.now - association.created < UNTIL_KNOWN):
        raise CannotTell(TOO_NEW, follows=False)
    return True


def _failed(facts: Facts, webhook: Webhook, text: str) -> Judgement:
    evidence = {"webhook": webhook.url or webhook.service, "failurePolicy": webhook.failure_policy}
    if webhook.ca_ends is not None:
        evidence["CA_valid_until"] = webhook.ca_ends.isoformat()
    runs = "- look for failed calls in the log of the API server, or ask AWS Support: EKS runs this webhook"
    if webhook.service:
        namespace, _, name = webhook.service.partition("/")
        runs = f"- see why service {shown(name)} in namespace {shown(namespace)} does not answer"
    fix = commands.decide(
        commands.webhook_shown(facts, webhook.configuration),
        runs,
        "- or correct the configuration if its address or its CA was changed",
        "then restart the pods: they keep what they were created with",
    )
    return problem(text, fix=fix, **evidence)


@check_of("webhook-prefix", Group.WEBHOOK, weight=91)
def _prefix(facts: Facts) -> Judgement:
    value = facts.named.effective_annotation()
    key = f"{subjects.foreign_prefix(facts)}/role-arn"
    if key == "/role-arn" or key in facts.named.existing().annotations:
        return ok("the webhook reads the annotation that is set")
    fix = commands.annotate_and_restart(facts, value, key)
    text = "the webhook runs with another --annotation-prefix"
    return problem(text, fix=fix, annotation=ROLE_ARN_ANNOTATION, expected=key)


@check_of("pod-identity-association", Group.WEBHOOK, weight=90)
def _association(facts: Facts) -> Judgement:
    subject = facts.named
    association = facts.named.association
    if isinstance(association, Unreadable):
        subject.annotation()
        pods = [pod for pod in subject.users() if was_associated(pod)]
        if not pods:
            return unknown(association.why)
        # They tell that there is one, or was.
        text = f"its pods use EKS Pod Identity, and irsa cannot read their association: {association.why}"
        return suspect(text, pods=subjects.pod_names(pods))
    if association is None:
        return ok("there is no Pod Identity association for it")
    if isinstance(subject.account, ServiceAccount) and ROLE_ARN_ANNOTATION not in subject.account.annotations:
        return ok("its pods get the association's role, and there is no annotation")
    evidence = {
        "association": f"{association.id} {association.role_arn}".rstrip(),
        "annotation": subject.annotation(),
    }
    outcome = "pods get it by Pod Identity, whatever the annotation says"
    if not association.role_arn:
        return unknown(f"EKS did not return the association's role; {outcome}", **evidence)
    if association.role_arn == subject.annotation():
        return unknown(f"both have the same role; {outcome}", **evidence)
    text = "the webhook injects Pod Identity credentials and ignores the annotation"
    return problem(text, fix=_keep_one(facts, association), **evidence)


def _keep_one(facts: Facts, association: Association) -> str:
    """The commands for keeping one of the two: first what keeps the pods' current role, the rest as comments.

    If no pod shows it, the annotation stays unless its role does not trust the ServiceAccount.
    """
    subject = facts.named
    pods = subject.known_users()
    annotated = subject.annotation()
    for_annotation = _for_annotation(facts, association, annotated)
    by_annotation = [pod for pod in pods if subjects.is_injected(pod)]
    drop = commands.unannotate(facts, ROLE_ARN_ANNOTATION)
    for_association = [drop, *commands.restart(facts, by_annotation).splitlines()]
    role = subject.role
    identity = subjects.identity_of(facts, subject)
    works = isinstance(role, Role) and explain(role.trust, identity, now=facts.now).admitted
    associated = subject.association_role
    serves = isinstance(associated, Role) and serves_pod_identity(facts, association, associated)
    if serves and (any(map(subjects.has_pod_identity, pods)) or not (by_annotation or works)):
        alternative = [f"# or, for {shown(annotated)}:", commands.commented(for_annotation)]
        return "\n".join((*for_association, *alternative))
    alternative = [f"# or, for {shown(association.role_arn)}:", commands.commented(for_association)]
    return "\n".join((*for_annotation, *alternative))


def _for_annotation(facts: Facts, association: Association, annotated: str) -> list[str]:
    """The commands for keeping the annotation."""
    flag = f"--association-id {shlex.quote(association.id)}"
    delete = commands.eks(facts, "delete-pod-identity-association", flag)
    stale = [pod for pod in facts.named.known_users() if not commands.asks_for(pod, annotated)]
    lines = "\n".join((delete, *commands.restart(facts, stale).splitlines()))
    why = commands.of_role(facts, facts.named, annotated)
    return commands.proposed(why, annotated, lines).splitlines()


@check_of("webhook-objects", Group.WEBHOOK, weight=90)
def _objects(facts: Facts) -> Judgement:
    pods = some(subjects.bare(facts, "webhook-objects"), "the webhook's objectSelector matches all pods")
    webhook = subjects.webhooks_of(facts)[0]
    return problem(
        "the pods' labels do not match the webhook's objectSelector",
        fix=commands.decide(
            commands.webhook_shown(facts, webhook.configuration),
            "- change the labels in the template of the pods so that the objectSelector matches",
            "- or change the objectSelector, unless another tool writes it",
        ),
        pods=subjects.pod_names(pods),
        selector=subjects.selector_text(webhook.object_selector),
    )


_GIVEN_LATER = {
    "pod-older-than-annotation": (90, "they have no web identity; new pods would get one"),
    "pod-older-than-webhook": (89, "they have no web identity and are older than the webhook"),
    "pod-missed": (88, "they were created after the annotation; new pods would get a web identity"),
}
"""Causes that a restart corrects: the weight, and the text about the pods."""


def _bare(identifier: str, reason: str, facts: Facts) -> Judgement:
    pods = some(subjects.bare(facts, identifier), "no pod is without a web identity for this reason")
    annotated = facts.named.existing().annotated
    expected = "AWS_ROLE_ARN in their environment"
    if annotated and identifier == "pod-older-than-annotation":
        expected = f"created after {annotated.isoformat()}"
    return commands.by_restart(facts, pods, reason, started=subjects.starts(pods), expected=expected)


for _identifier, (_weight, _reason) in _GIVEN_LATER.items():
    check_of(_identifier, Group.PODS, _weight)(partial(_bare, _identifier, _reason))


@check_of("pod-opted-out", Group.PODS, weight=91)
def _opt_out(facts: Facts) -> Judgement:
    subject = facts.named
    subject.annotation()
    users = subject.users()
    whole = [pod for pod in users if subjects.is_bare(pod) and subjects.opted_out(pod)]
    if whole:
        return commands.by_mark(facts, whole, on_purpose=any(not subjects.is_bare(pod) for pod in users))
    for pod in users:
        names = subjects.skipped(pod) & {
            container.name for container in pod.containers if not subjects.injected(container)
        }
        if names:
            # One of several containers may well be meant to have none.
            return unknown(
                "some containers opt out on purpose", pod=pod.name, containers=subjects.listed(names)
            )
    return ok("no pod opts out of the webhook")


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_MESHES = (
    *("istio-proxy", "istio-init", "istio-validation", "envoy", "envoy-sidecar", "proxyinit"),
    *("linkerd-proxy", "linkerd-init", "linkerd-network-validator", "kuma-sidecar", "kuma-init"),
    *("consul-dataplane", "consul-connect-inject-init"),
)
"""Containers of service meshes, which don't call AWS with the pod's role."""


@check_of("pod-container-missed", Group.PODS, weight=27)
def _left_out(facts: Facts) -> Judgement:
    subject = facts.named
    with_identity = [pod for pod in subject.users() if subjects.has_identity(pod)]
    pods = there(with_identity, "no container of its pods has an AWS identity")
    if not isinstance(subject.association, Association):
        try:
            subject.effective_annotation()
        except CannotTell:
            return ok("no webhook injects an identity into its pods")
    left_out: list[tuple[Pod, Container]] = []
    for pod in pods:
        left_out += [(pod, container) for container in pod.containers if _is_left_out(pod, container)]
    users = some(left_out, "all containers that may need an identity have one", pods=subjects.pod_names(pods))
    text = "other containers in the pod have an identity; irsa cannot tell whether these need one"
    return hint(text, containers=subjects.where(users))


def _is_left_out(pod: Pod, container: Container) -> bool:
    """Whether it has nothing, and nobody wants it so as far as can be seen."""
    if (
        subjects.SKIP_LABEL in pod.labels
        or container.name in subjects.skipped(pod)
        or container.name in _MESHES
    ):
        return False
    variables = (subjects.ROLE_ENV, subjects.TOKEN_ENV, subjects.POD_IDENTITY_ENV, *_KEYS)
    return not any(name in container.env for name in variables)
