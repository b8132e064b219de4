"""A cause in names: the EKS Pod Identity association is for another ServiceAccount than the pods use.

EKS makes an association for any name, whether there is such a ServiceAccount or not.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from irsa_cli.core.doctor.causes.pod_identity import has_nothing, serves_pod_identity
from irsa_cli.core.doctor.clues.injection import NO_ENV
from irsa_cli.core.doctor.clues.usage import has_role, is_active, is_near
from irsa_cli.core.doctor.commands import eks
from irsa_cli.core.doctor.facts import Facts, OtherAssociation
from irsa_cli.core.doctor.finding import Group, Judgement, cause, ok, problem, unknown
from irsa_cli.core.doctor.owners import restart
from irsa_cli.core.doctor.subjects import account_of, listed, pod_names, users_of
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.unreadable import have

_SOURCE = "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html"
LOST = "pod-identity-other-name"


def is_similar(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether of two ServiceAccounts (namespace, name) one may have been meant by the other's name."""
    if one[0] == other[0]:
        return is_near(one[1], other[1])
    return one[1] == other[1] != "default"


def unused(facts: Facts) -> tuple[OtherAssociation, ...]:
    """Associations for nearly its name of which nobody has anything, while its own pods have nothing."""
    subject = facts.named
    found = subject.other_associations
    if not isinstance(found, tuple) or subject.association is not None or not isinstance(subject.pods, tuple):
        return ()
    mine = [pod for pod in subject.pods if pod.service_account == subject.name and is_active(pod)]
    if not any(has_nothing(pod) for pod in mine):
        return ()
    return tuple(item for item in found if _is_unused(facts, item))


def _is_unused(facts: Facts, other: OtherAssociation) -> bool:
    """Whether no pod uses the other ServiceAccount: it is not there, or the namespace's pods show it."""
    accounts = facts.accounts if isinstance(facts.accounts, tuple) else None
    if accounts is not None and all(item.full_name != other.full_name for item in accounts):
        return True
    pods = facts.named.pods if isinstance(facts.named.pods, tuple) else ()
    here = other.namespace == facts.named.namespace
    return here and all(pod.service_account != other.name for pod in pods if is_active(pod))


@cause(
    LOST,
    Group.SERVICE_ACCOUNT,
    98,
    title="The Pod Identity association is for another ServiceAccount.",
    symptom=NO_ENV,
    looks_at="eks ListPodIdentityAssociations, the ServiceAccounts and pods of the namespace",
    remedy="Associate the role with the ServiceAccount that the pods use, or have them use the other one.",
    source=_SOURCE,
)
def _other_name(facts: Facts) -> Judgement:
    subject = facts.named
    account = account_of(subject)
    if have(subject.association) is not None or has_role(account):
        return ok("it has a role")
    others = have(subject.other_associations)
    if not others:
        return ok("no association was found for nearly its name")
    lost = unused(facts)
    if not lost:
        return unknown("associations are there for nearly its name, or for its name elsewhere", **_of(others))
    pods = [pod for pod in users_of(subject) if has_nothing(pod)]
    return problem(
        "it names no role, and nobody uses the ServiceAccount that has the association",
        fix=f"{_associate(facts, lost)}\n{restart(facts, pods)}".rstrip(),
        **_of(lost),
        there_is=subject.full_name,
        pods=pod_names(pods),
    )


def _of(others: tuple[OtherAssociation, ...]) -> dict[str, str]:
    roles = (item.association for item in others)
    named = [item.role_arn for item in roles if isinstance(item, Association) and item.role_arn]
    found = {"association_for": listed(item.full_name for item in others)}
    return {**found, "its_role": listed(named)} if named else found


def _associate(facts: Facts, lost: tuple[OtherAssociation, ...]) -> str:
    """The command that associates the role; one to look first, where its trust policy would not do."""
    other, subject = lost[0], facts.named
    if len(lost) > 1 or not isinstance(other.association, Association) or not other.association.role_arn:
        return eks(facts, "list-pod-identity-associations")
    command = eks(
        facts,
        "create-pod-identity-association",
        f"--namespace {shlex.quote(subject.namespace)} --service-account {shlex.quote(subject.name)}"
        f" --role-arn {shlex.quote(other.association.role_arn)}",
    )
    if _would_serve(facts, other):
        return command
    name = shlex.quote(other.association.role_arn.rsplit("/", 1)[-1])
    look = facts.reach.aws(f"iam get-role --role-name {name}")
    return f"{look} # its trust policy has to admit this one\n# {command}"


def _would_serve(facts: Facts, other: OtherAssociation) -> bool:
    """Whether the role is known to trust EKS Pod Identity for this ServiceAccount, too."""
    association = other.association
    if not isinstance(association, Association) or association.target_role_arn or association.without_tags:
        return False
    desired = replace(facts, subject=replace(facts.named, association=association))
    return isinstance(other.role, Role) and serves_pod_identity(desired, association, other.role)
