"""Causes in the ServiceAccount itself: whether it is there, and in this namespace.

What its annotations say is in `irsa_cli.core.doctor.causes.annotation`.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

from irsa_cli.core.doctor.clues.meant import evidence, make_or_attach
from irsa_cli.core.doctor.commands import admit, create, of_account
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, problem
from irsa_cli.core.doctor.owners import restart
from irsa_cli.core.doctor.subjects import account_of, is_bare, listed, pod_names, users_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

_EKS = "https://docs.aws.amazon.com/eks/latest/userguide"
_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_ASSOCIATE = f"{_EKS}/associate-service-account-role.html"
ACCOUNT = Group.SERVICE_ACCOUNT


@cause(
    "service-account-missing",
    ACCOUNT,
    98,
    title="There is no such ServiceAccount.",
    symptom="Pods that name it are not created; others use the ServiceAccount `default`.",
    looks_at="GET serviceaccount, list of the namespace's and the cluster's ServiceAccounts, trust policies"
    " of the account's roles, eks ListPodIdentityAssociations",
    remedy="Make it with its role: irsa create-sa, with --attach-role-arn where a role names it already; by"
    " itself, where an EKS Pod Identity association waits for it. Or use the name that was meant.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
)
def _missing(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount is there")
    others = facts.accounts if isinstance(facts.accounts, tuple) else ()
    if _elsewhere(others, subject):
        raise CannotTell("one of this name is in another namespace; see service-account-namespace")
    here = [item.name for item in others if item.namespace == subject.namespace]
    near = difflib.get_close_matches(subject.name, here, n=3, cutoff=0.7)
    namespace = "" if subject.namespace_labels is not None else "; nor is there such a namespace"
    association = subject.association
    return problem(
        f"ServiceAccount {subject.full_name} does not exist{namespace}",
        fix=create(facts) if isinstance(association, Association) else make_or_attach(facts),
        asked_for=subject.full_name,
        resembling=listed(near) or "none",
        **(_of(association) if isinstance(association, Association) else evidence(facts)),
    )


def _of(association: Association) -> dict[str, str]:
    """The association that waits for the ServiceAccount: with it, that has its role."""
    return {"association": f"{association.id} {association.role_arn}".rstrip()}


def _elsewhere(accounts: tuple[ServiceAccount, ...], subject: Subject) -> list[ServiceAccount]:
    found = [item for item in accounts if item.name == subject.name and item.namespace != subject.namespace]
    # The name `default` is in every namespace.
    return [item for item in found if ROLE_ARN_ANNOTATION in item.annotations]


@cause(
    "service-account-namespace",
    ACCOUNT,
    98,
    title="The ServiceAccount is in another namespace.",
    symptom="Pods use a ServiceAccount of their own namespace only, so they get no role.",
    looks_at="GET serviceaccount, list of the cluster's ServiceAccounts",
    remedy="Name the right namespace, or make the ServiceAccount where the pods are.",
    source="https://kubernetes.io/docs/concepts/security/service-accounts/",
)
def _namespace(facts: Facts) -> Judgement:
    subject = facts.named
    if have(subject.account) is not None:
        return ok("the ServiceAccount is in this namespace")
    found = _elsewhere(have(facts.accounts), subject)
    if not found:
        raise CannotTell("there is none of this name elsewhere; see service-account-missing")
    return problem(
        "a ServiceAccount of this name, with a role, is elsewhere",
        fix=of_account(facts, "doctor", replace(subject, namespace=found[0].namespace)),
        asked_for=subject.full_name,
        there_is=listed(item.full_name for item in found),
    )


@cause(
    "service-account-renamed",
    ACCOUNT,
    97,
    title="A role admits a ServiceAccount of nearly this name, which is gone.",
    symptom="No AWS_ROLE_ARN in the pods, since a chart or its release was renamed",
    looks_at="the ServiceAccount's annotations, trust policies of the account's roles, the ServiceAccounts",
    remedy="Admit the ServiceAccount by its name of today, and annotate it; then restart the pods.",
    source=_ASSOCIATE,
)
def _renamed(facts: Facts) -> Judgement:
    subject = facts.named
    account_of(subject)
    if not subject.renamed:
        return ok("no role was found that admits one of nearly this name which is gone")
    pods = [pod for pod in users_of(subject) if is_bare(pod)]
    if not pods:
        return ok("its pods have an identity all the same")
    role, name = subject.renamed[0]
    commands = [admit(facts, subject, item.arn) for item, _ in subject.renamed]
    # Of several a person has to choose: pasted, nothing happens.
    fix = "\n".join(f"# {line}" for line in commands) if len(commands) > 1 else commands[0]
    return problem(
        "it names no role, and nobody has the name that the role admits",
        fix=f"{fix}\n{restart(facts, pods)}" if len(commands) == 1 else fix,
        role=role.arn,
        the_role_admits=f"{subject.namespace}/{name}",
        there_is=subject.full_name,
        pods=pod_names(pods),
    )
