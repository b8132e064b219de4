"""Further reads that depend on earlier ones: IAM of other accounts, and pods that could not be created."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from irsa_cli.core.doctor import reported
from irsa_cli.core.doctor.causes.own_token import own_tokens, roles_named
from irsa_cli.core.doctor.causes.pod_identity import is_similar
from irsa_cli.core.doctor.causes.service_account import can_decide, missing_account
from irsa_cli.core.doctor.clues.meant import names_exactly
from irsa_cli.core.doctor.clues.usage import Names, Seen, gone_names
from irsa_cli.core.doctor.commands import makers_of
from irsa_cli.core.doctor.diagnosis import having, judge
from irsa_cli.core.doctor.facts import EksFacts, Facts, OtherAssociation, RoleSummary, Subject
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.subjects import annotations_of, home_identity
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.objects.kinds import RefusedPod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import UnreadableNote, noted
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.doctor.reads import DoctorReads

T = TypeVar("T")
_SHOWN = 5
"""Roles that are named with their policies; more of them are a choice that nobody makes by a list."""


def with_iam(reads: DoctorReads, facts: Facts) -> Facts:
    """The facts with what has to be read of IAM by what is there: other providers, other roles."""
    subject = facts.named
    provider = account_named(subject)
    sources = {name for pod in subject.known_users() for item in pod.containers for name in item.sources}
    maps = {source.partition(" ")[0] for source in sources if source.startswith("configmap/")}
    subject = replace(
        subject,
        provider=reads.provider(provider).result() if provider else None,
        providers=_trusted(reads, facts),
        candidates=_candidates(reads, facts),
        similar_roles=_similar_roles(reads, facts),
        config_keys=_results({name: reads.config_keys(subject.namespace, name) for name in maps}),
        own_roles=_results({arn: reads.role(arn) for arn in roles_named(subject)}),
    )
    subject = replace(subject, renamed=_renamed(reads, replace(facts, subject=subject)))
    subject = _with_chain(reads, subject)
    if isinstance(subject.association, Association):
        built_in = isinstance(facts.eks, EksFacts) and facts.eks.auto_mode
        subject = _with_pod_identity(reads, subject, subject.association, built_in)
    else:
        others = _other_associations(reads, replace(facts, subject=subject))
        subject = replace(subject, other_associations=others)
    return replace(facts, subject=subject)


def _with_chain(reads: DoctorReads, subject: Subject) -> Subject:
    said = annotations_of(subject)
    try:
        target, name = noted(said, states.TARGET_ANNOTATION), noted(said, states.CONFIG_MAP_ANNOTATION)
    except UnreadableNote as error:
        why = Unreadable(f"{error.message}: {error.reason}")
        return replace(subject, chain_target=why, aws_config=why)
    if not target:
        return subject
    config = reads.aws_config(subject.namespace, name) if name else None
    found = reads.role(target).result()
    return replace(subject, chain_target=found, aws_config=None if config is None else config.result())


def _with_pod_identity(
    reads: DoctorReads, subject: Subject, association: Association, built_in: bool
) -> Subject:
    # Nodes of Auto Mode have the agent built in: that no pod of it is there tells nothing.
    agents = None if built_in else reads.agents()
    agent, endpoints = reads.agent(), reads.vpc_endpoints("eks-auth")
    role = Unreadable("EKS did not return the association's role")
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
    subject, account = facts.named, facts.named.account
    if not isinstance(account, ServiceAccount) or states.ROLE_ARN_ANNOTATION in account.annotations:
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


def _other(reads: DoctorReads, names: Names, found: Association | Unreadable | None) -> OtherAssociation:
    if not isinstance(found, Association) or not found.role_arn:
        return OtherAssociation(*names, found)
    return OtherAssociation(*names, found, reads.role(found.role_arn).result())


def _trusted(reads: DoctorReads, facts: Facts) -> dict[str, states.ProviderState | Unreadable | None]:
    role, account = facts.named.role, facts.cluster.home
    if not isinstance(role, Role):
        return {}
    own = provider_arn(facts.cluster.partition, account, facts.cluster.issuer)
    arns = [arn for arn in trusted_providers(role.trust) if arn != own and f"::{account}:" in arn]
    return _results({arn: reads.other_provider(arn) for arn in arns})


def _results(futures: Mapping[str, Future[T]]) -> dict[str, T]:
    return {name: future.result() for name, future in futures.items()}


def _candidates(reads: DoctorReads, facts: Facts) -> tuple[RoleSummary, ...] | Unreadable:
    subject, cluster = facts.named, facts.cluster
    if isinstance(subject.account, Unreadable):
        return ()
    identity = home_identity(facts, subject)
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
    whole = _results({arn: reads.role(arn) for arn in named})
    return tuple(replace(item, role=whole[item.arn]) if item.arn in whole else item for item in found)


def _similar_roles(reads: DoctorReads, facts: Facts) -> tuple[str, ...]:
    subject = facts.named
    if subject.role is not None or account_named(subject) != facts.cluster.home:
        return ()
    roles = reads.roles().result()
    arns = {} if isinstance(roles, Unreadable) else {Arn.parse(item.arn).name: item.arn for item in roles}
    return tuple(arns[name] for name in near(subject.role_arn().name, arns))


def _renamed(reads: DoctorReads, facts: Facts) -> tuple[tuple[RoleSummary, str], ...]:
    subject, cluster = facts.named, facts.cluster
    account = subject.account
    if not isinstance(account, ServiceAccount) or states.ROLE_ARN_ANNOTATION in account.annotations:
        return ()
    if subject.association is not None or subject.candidates != () or isinstance(facts.accounts, Unreadable):
        return ()
    roles = reads.roles().result()
    if isinstance(roles, Unreadable):
        return ()
    provider = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return gone_names(facts.accounts, roles, provider, (subject.namespace, subject.name))


def account_named(subject: Subject) -> str:
    try:
        return subject.role_arn().account
    except CannotTell:
        return ""


def with_refusals(reads: DoctorReads, facts: Facts) -> Facts:
    """The facts with pods that could not be created; in a whole namespace, even if others run."""
    if not facts.within and not can_decide(facts):
        return facts
    place = facts.named.namespace
    found = _refused(reads, place, place if facts.within is None else facts.within or None)
    return replace(facts, subject=replace(facts.named, refused=found))


def judged(reads: DoctorReads, facts: Facts) -> tuple[Facts, tuple[Finding, ...]]:
    """The findings; if there is a problem, with the restart commands for its workloads."""
    findings, subject = judge(facts), facts.named
    if not having(findings, Verdict.PROBLEM) or isinstance(subject.pods, Unreadable):
        return facts, findings
    makers = makers_of(subject.pods, lambda kind: reads.makers(subject.namespace, kind).result())
    facts = replace(facts, makers=makers)
    return facts, judge(facts) if makers else findings


def absent(reads: DoctorReads, seen: Seen, namespace: str) -> tuple[Names, ...] | Unreadable:
    """The missing ServiceAccounts with a role for which pods wait, of a namespace or ('') of all."""
    gone = {names for names in seen.gone() if namespace in ("", names[0])}
    failed = reads.failures(namespace or None).result() if gone else ()
    if isinstance(failed, Unreadable):
        return failed
    wanted = {(item.namespace, missing_account(item.why)) for item in failed}
    return tuple(names for names in sorted(gone & wanted) if _is_waited_for(reads, names, namespace))


def _is_waited_for(reads: DoctorReads, names: Names, namespace: str) -> bool:
    """Whether something lacks its pods to this day for want of a ServiceAccount."""
    found = _refused(reads, names[0], namespace or None)
    return isinstance(found, tuple) and any(missing_account(item.why) == names[1] for item in found)


def _refused(reads: DoctorReads, place: str, namespace: str | None) -> tuple[RefusedPod, ...] | Unreadable:
    failed = reads.failures(namespace).result()
    if isinstance(failed, Unreadable):
        return failed
    here = [item for item in failed if item.namespace == place]
    kinds = {item.kind for item in here if item.kind in reported.RESOURCES}
    return reported.refused(here, _results({kind: reads.makers(place, kind) for kind in sorted(kinds)}))
