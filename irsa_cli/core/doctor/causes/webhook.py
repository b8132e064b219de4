"""Causes in the webhook that injects web identities: whether it is there, answers, and looks at the pods."""

from __future__ import annotations

import shlex
from datetime import timedelta

from irsa_cli.core.doctor.causes.pod_identity import serves_pod_identity, was_associated
from irsa_cli.core.doctor.clues.injection import (
    bare,
    excluding,
    foreign_prefix,
    has_pod_identity,
    is_injected,
    is_shown,
    selector_text,
    webhooks_of,
)
from irsa_cli.core.doctor.commands import (
    annotate_and_restart,
    asks_for,
    commented,
    eks,
    of_role,
    proposed,
    restart,
    unannotate,
    webhook_shown,
)
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import identity_of, listed, pod_names
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable, have
from irsa_cli.core.objects.webhooks import Webhook
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.shown import shown

_UNTIL_KNOWN = timedelta(minutes=2)
"""How long the webhook may not know a new association: they are eventually consistent."""


@check_of("webhook-missing")
def _missing(facts: Facts) -> Judgement:
    subject = facts.subject
    if subject is not None and isinstance(subject.probe, Pod) and is_injected(subject.probe):
        return ok("a dry-run pod got a web identity")
    found = have(facts.webhooks)
    if found:
        return ok("the webhook is configured", configuration=listed(item.configuration for item in found))
    return problem(
        "no MutatingWebhookConfiguration injects web identities",
        fix=facts.reach.kubectl("get mutatingwebhookconfigurations pod-identity-webhook"),
        expected="pod-identity-webhook",
        found="none",
    )


@check_of("webhook-namespace")
def _namespace(facts: Facts) -> Judgement:
    configuration, wanted = excluding(facts, facts.named)
    if not configuration:
        return ok("the webhook handles pods in this namespace")
    labels = have(facts.named.namespace_labels) or {}
    return problem(
        "the namespace's labels do not match the webhook's namespaceSelector",
        fix=f"{webhook_shown(facts, configuration)} # its namespaceSelector",
        selector=wanted,
        labels=listed(f"{key}={value}" for key, value in sorted(labels.items())) or "none",
    )


@check_of("webhook-failing")
def _failing(facts: Facts) -> Judgement:
    subject = facts.named
    if isinstance(subject.probe, Pod) and (is_injected(subject.probe) or has_pod_identity(subject.probe)):
        return ok("a dry-run pod got its identity")
    associated = _knows_association(facts)
    if not associated:
        subject.effective_annotation()
    webhooks = webhooks_of(facts)
    if excluding(facts, subject)[0] or (foreign_prefix(facts) and not associated):
        raise CannotTell("the webhook skips it for another reason")
    if isinstance(subject.probe, Unreadable):
        return _unprobed(facts, webhooks, subject.probe)
    if not is_shown(facts, subject.probe):
        raise CannotTell("the webhook selects pods by labels that the dry-run pod does not have")
    return _failed(facts, webhooks[0], "a dry-run pod with this ServiceAccount got no identity")


def _knows_association(facts: Facts) -> bool:
    found = facts.named.association
    if not isinstance(found, Association):
        return False
    if ROLE_ARN_ANNOTATION in facts.named.existing().annotations:
        return True
    if found.created is None or facts.now - found.created < _UNTIL_KNOWN:
        why = "the association is new, and the webhook may not know of it yet"
        raise CannotTell(why, follows=False)
    return True


def _unprobed(facts: Facts, webhooks: tuple[Webhook, ...], probe: Unreadable) -> Judgement:
    """Where no pod could be created for show: because of the webhook itself, or for another reason."""
    for item in webhooks:
        if f'calling webhook "{item.name}"' in probe.why:
            return _failed(facts, item, "no pods can be created: the API server cannot reach the webhook")
        if item.ca_ends is not None and item.ca_ends < facts.now:
            return _failed(facts, item, "the webhook's certificate authority has expired")
    raise CannotTell(probe.why)


def _failed(facts: Facts, item: Webhook, text: str) -> Judgement:
    ends = {} if item.ca_ends is None else {"CA_valid_until": item.ca_ends.isoformat()}
    return problem(
        text,
        fix=webhook_shown(facts, item.configuration),
        webhook=item.url or item.service,
        failurePolicy=item.failure_policy,
        **ends,
    )


@check_of("webhook-prefix")
def _prefix(facts: Facts) -> Judgement:
    value = facts.named.effective_annotation()
    prefix = foreign_prefix(facts)
    if not prefix or f"{prefix}/role-arn" in facts.named.existing().annotations:
        return ok("the webhook reads the annotation that is set")
    return problem(
        "the webhook runs with another --annotation-prefix",
        fix=annotate_and_restart(facts, value, f"{prefix}/role-arn"),
        annotation=ROLE_ARN_ANNOTATION,
        expected=f"{prefix}/role-arn",
    )


@check_of("pod-identity-association")
def _association(facts: Facts) -> Judgement:
    subject = facts.named
    if isinstance(subject.association, Unreadable):
        return _unread(facts, subject.association)
    found = subject.association
    if found is None:
        return ok("there is no Pod Identity association for it")
    if isinstance(subject.account, ServiceAccount) and ROLE_ARN_ANNOTATION not in subject.account.annotations:
        return ok("its pods get the association's role, and there is no annotation")
    wanted = subject.annotation()
    if found.role_arn in ("", wanted):
        why = "EKS did not return the association's role" if not found.role_arn else "both have the same role"
        return unknown(
            f"{why}; pods get it by Pod Identity, whatever the annotation says",
            association=f"{found.id} {found.role_arn}".rstrip(),
            annotation=wanted,
        )
    return problem(
        "the webhook injects Pod Identity credentials and ignores the annotation",
        fix=_keep_one(facts, found),
        association=f"{found.id} {found.role_arn}",
        annotation=wanted,
    )


def _unread(facts: Facts, hidden: Unreadable) -> Judgement:
    """Where associations can't be read, pods that ask EKS Pod Identity tell that there is one, or was."""
    facts.named.annotation()
    found = [pod for pod in facts.named.users() if was_associated(pod)]
    if not found:
        return unknown(hidden.why)
    return suspect(
        f"its pods use EKS Pod Identity, and irsa cannot read their association: {hidden.why}",
        pods=pod_names(found),
    )


def _keep_one(facts: Facts, association: Association) -> str:
    """The commands for keeping one of the two: first what keeps the pods' current role, the rest as comments.

    If no pod shows it, the annotation stays unless its role does not trust the ServiceAccount.
    """
    subject = facts.named
    mine = subject.known_users()
    by_association = [pod for pod in mine if has_pod_identity(pod)]
    delete = eks(facts, "delete-pod-identity-association", f"--association-id {shlex.quote(association.id)}")
    annotated = subject.annotation()
    stale = [pod for pod in mine if not asks_for(pod, annotated)]
    lines = "\n".join((delete, *restart(facts, stale).splitlines()))
    for_annotation = proposed(of_role(facts, subject, annotated), annotated, lines).splitlines()
    drop = unannotate(facts, ROLE_ARN_ANNOTATION)
    by_annotation = [pod for pod in mine if is_injected(pod)]
    for_association = [drop, *restart(facts, by_annotation).splitlines()]
    keeps_association = bool(by_association) if _serves(facts) else False
    if not by_association and not by_annotation:
        keeps_association = _serves(facts) and not _admits(facts)
    first, other = for_annotation, for_association
    if keeps_association:
        first, other = other, first
    said = association.role_arn if first is for_annotation else annotated
    return "\n".join((*first, f"# or, for {shown(said)}:", commented(other)))


def _serves(facts: Facts) -> bool:
    association, role = facts.named.association, facts.named.association_role
    if not isinstance(association, Association) or not isinstance(role, Role):
        return False
    return serves_pod_identity(facts, association, role)


def _admits(facts: Facts) -> bool:
    role = facts.named.role
    identity = identity_of(facts, facts.named)
    return isinstance(role, Role) and explain(role.trust, identity, now=facts.now).admitted


@check_of("webhook-objects")
def _objects(facts: Facts) -> Judgement:
    pods = bare(facts, "webhook-objects")
    if not pods:
        return ok("the webhook's objectSelector matches all pods")
    item = webhooks_of(facts)[0]
    return problem(
        "the pods' labels do not match the webhook's objectSelector",
        fix=f"{webhook_shown(facts, item.configuration)} # its objectSelector",
        pods=pod_names(pods),
        selector=selector_text(item.object_selector),
    )
