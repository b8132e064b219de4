"""What has to be read of IAM by what a ServiceAccount and its role are: other accounts, providers and roles.

How each is read is in `irsa_cli.usecases.doctor.aws`.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.doctor.causes.own_token import own_tokens, roles_named
from irsa_cli.core.doctor.causes.pod_identity_names import is_similar
from irsa_cli.core.doctor.clues.lost import gone_names
from irsa_cli.core.doctor.clues.meant import names_exactly
from irsa_cli.core.doctor.facts import (
    EksFacts,
    Facts,
    OtherAssociation,
    RoleSummary,
    Subject,
)
from irsa_cli.core.doctor.subjects import identity_of, role_arn_of
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.kinds import ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.plan.rules import UnreadableNote, noted
from irsa_cli.core.plan.states import (
    CONFIG_MAP_ANNOTATION,
    ROLE_ARN_ANNOTATION,
    TARGET_ANNOTATION,
    ProviderState,
)
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.usecases.doctor.aws import DoctorReads

_SHOWN = 5
"""Roles that are named with their policies; more of them are a choice that nobody makes by a list."""


def with_iam(reads: DoctorReads, facts: Facts) -> Facts:
    """The facts with what has to be read of IAM by what is there: other providers, other roles."""
    subject = facts.named
    provider = account_named(subject)
    subject = replace(
        subject,
        provider=reads.provider(provider).result() if provider else None,
        providers=_trusted(reads, facts),
        candidates=_candidates(reads, facts),
        own_roles=_own_roles(reads, subject),
    )
    subject = replace(subject, renamed=_renamed(reads, replace(facts, subject=subject)))
    subject = _with_chain(reads, subject)
    if isinstance(subject.association, Association):
        subject = _with_pod_identity(reads, subject, subject.association, _is_auto(facts))
    else:
        others = _other_associations(reads, replace(facts, subject=subject))
        subject = replace(subject, other_associations=others)
    return replace(facts, subject=subject)


def _with_chain(reads: DoctorReads, subject: Subject) -> Subject:
    """With the target role that is noted, and the configuration for SDKs."""
    said = subject.account.annotations if isinstance(subject.account, ServiceAccount) else {}
    try:
        target, name = noted(said, TARGET_ANNOTATION), noted(said, CONFIG_MAP_ANNOTATION)
    except UnreadableNote as error:
        why = Unreadable(f"{error.message}: {error.reason}")
        return replace(subject, chain_target=why, aws_config=why)
    if not target:
        return subject
    config = reads.aws_config(subject.namespace, name) if name else None
    found = reads.role(target).result()
    return replace(subject, chain_target=found, aws_config=None if config is None else config.result())


def _is_auto(facts: Facts) -> bool:
    return isinstance(facts.eks, EksFacts) and facts.eks.auto_mode


def _with_pod_identity(
    reads: DoctorReads, subject: Subject, association: Association, built_in: bool
) -> Subject:
    # Nodes of Auto Mode have the agent built in: that no pod of it is there tells nothing.
    agents = None if built_in else reads.agents()
    agent, endpoints = reads.agent(), reads.auth_endpoints()
    role = Unreadable("EKS did not tell the association's role")
    target = reads.role(association.target_role_arn) if association.target_role_arn else None
    found = reads.role(association.role_arn).result() if association.role_arn else role
    subject = replace(
        subject,
        association_role=found,
        agent=agent.result(),
        agents=None if agents is None else agents.result(),
        auth_endpoints=endpoints.result(),
    )
    return subject if target is None else replace(subject, target_role=target.result())


def _other_associations(reads: DoctorReads, facts: Facts) -> tuple[OtherAssociation, ...] | Unreadable:
    """The associations for nearly its name, where it names no role and its pods bring none."""
    subject, account = facts.named, facts.named.account
    if not isinstance(account, ServiceAccount) or ROLE_ARN_ANNOTATION in account.annotations:
        return ()
    if subject.association is not None or own_tokens(subject):
        return ()
    found = reads.associations().result()
    if isinstance(found, Unreadable):
        return found
    mine = (subject.namespace, subject.name)
    near = sorted(names for names in found if is_similar(names, mine))[:_SHOWN]
    whole = {names: reads.association(*names) for names in near}
    return tuple(_other(reads, names, future.result()) for names, future in whole.items())


def _other(
    reads: DoctorReads, names: tuple[str, str], found: Association | Unreadable | None
) -> OtherAssociation:
    if not isinstance(found, Association) or not found.role_arn:
        return OtherAssociation(*names, found)
    return OtherAssociation(*names, found, reads.role(found.role_arn).result())


def _trusted(reads: DoctorReads, facts: Facts) -> dict[str, ProviderState | Unreadable | None]:
    role, account = facts.named.role, facts.cluster.home
    if not isinstance(role, Role):
        return {}
    own = provider_arn(facts.cluster.partition, account, facts.cluster.issuer)
    arns = [arn for arn in trusted_providers(role.trust) if arn != own and f"::{account}:" in arn]
    futures = {arn: reads.other_provider(arn) for arn in arns}
    return {arn: future.result() for arn, future in futures.items()}


def _candidates(reads: DoctorReads, facts: Facts) -> tuple[RoleSummary, ...] | Unreadable:
    """The roles that admit the ServiceAccount, where it is missing or the role it names is no good."""
    subject, cluster = facts.named, facts.cluster
    if isinstance(subject.account, Unreadable):
        return ()
    home = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    identity = replace(identity_of(facts, subject), provider_arn=home)
    if account_named(subject) == cluster.home:
        if isinstance(subject.role, Unreadable):
            return ()
        if subject.role is not None and explain(subject.role.trust, identity, now=facts.now).admitted:
            return ()
    roles = reads.roles().result()
    if isinstance(roles, Unreadable):
        return roles
    found = tuple(item for item in roles if explain(item.trust, identity, now=facts.now).admitted)
    named = [item.arn for item in found if names_exactly(item.trust, identity, facts.now)][:_SHOWN]
    whole = {arn: reads.role(arn) for arn in named}
    return tuple(
        replace(item, role=whole[item.arn].result()) if item.arn in whole else item for item in found
    )


def _own_roles(reads: DoctorReads, subject: Subject) -> dict[str, Role | Unreadable | None]:
    """The roles that containers name which bring a token of their own."""
    futures = {arn: reads.role(arn) for arn in roles_named(subject)}
    return {arn: future.result() for arn, future in futures.items()}


def _renamed(reads: DoctorReads, facts: Facts) -> tuple[tuple[RoleSummary, str], ...]:
    """Roles that admit one of nearly its name which is gone, where the ServiceAccount names none."""
    subject, cluster = facts.named, facts.cluster
    account = subject.account
    if not isinstance(account, ServiceAccount) or ROLE_ARN_ANNOTATION in account.annotations:
        return ()
    if subject.association is not None or subject.candidates != () or isinstance(facts.accounts, Unreadable):
        return ()
    roles = reads.roles().result()
    if isinstance(roles, Unreadable):
        return ()
    provider = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return gone_names(facts.accounts, roles, provider, (subject.namespace, subject.name))


def account_named(subject: Subject) -> str:
    """The account in the annotation, '' when there is none to be read."""
    try:
        arn: Arn = role_arn_of(subject)
    except CannotTell:
        return ""
    return arn.account
