"""Further reads that depend on earlier ones: IAM of other accounts, and pods that could not be created."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from irsa_cli.core.doctor import reported
from irsa_cli.core.doctor.causes.own_token import own_tokens
from irsa_cli.core.doctor.causes.pod_identity import is_similar
from irsa_cli.core.doctor.causes.service_account import can_decide, missing_account
from irsa_cli.core.doctor.clues.usage import Names, Seen, gone_names
from irsa_cli.core.doctor.commands import makers_of, names_exactly
from irsa_cli.core.doctor.diagnosis import having, judge
from irsa_cli.core.doctor.facts import EksFacts, Facts, OtherAssociation, Subject, known
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.doctor.subjects import annotations_of, home_identity, home_provider
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.workloads import RefusedPod
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import UnreadableNote, noted
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.core.values.arn import Arn, is_role
from irsa_cli.core.values.errors import CannotTell, Unreadable
from irsa_cli.core.values.names import default_role_path, near
from irsa_cli.usecases.doctor.reads import DoctorReads

T = TypeVar("T")
_SHOWN = 5
"""Roles that are named with their policies; more of them are a choice that nobody makes by a list."""


def with_iam(reads: DoctorReads, facts: Facts) -> Facts:
    """The facts with what has to be read of IAM by what is there: other providers, other roles."""
    subject = facts.named
    home = facts.cluster.home
    provider = account_named(subject)
    subject = _with_config_maps(reads, subject)
    facts = replace(facts, subject=subject)
    trusted = trusted_providers(subject.role.trust) if isinstance(subject.role, Role) else ()
    foreign = [arn for arn in trusted if arn != home_provider(facts) and f"::{home}:" in arn]
    candidates = _candidates(reads, facts)
    subject = replace(
        subject,
        provider=reads.provider(provider).result() if provider else None,
        providers=_results({arn: reads.other_provider(arn) for arn in foreign}),
        candidates=candidates,
        similar_roles=_similar_roles(reads, facts),
        own_roles=_results(
            {token.role: reads.role(token.role) for token in own_tokens(subject) if is_role(token.role)}
        ),
        renamed=_renamed(reads, facts) if candidates == () else (),
    )
    subject = _with_chain(reads, subject)
    if isinstance(subject.association, Association):
        subject = _with_pod_identity(reads, facts, subject, subject.association)
    else:
        subject = replace(subject, other_associations=_other_associations(reads, subject))
    return replace(facts, subject=subject)


def _with_pod_identity(
    reads: DoctorReads, facts: Facts, subject: Subject, association: Association
) -> Subject:
    """The subject with the roles of its association, and with all that answers its pods' requests."""
    agent = reads.agent()
    endpoints = reads.vpc_endpoints("eks-auth")
    # Nodes of Auto Mode have the agent built in: that no pod of it is there tells nothing.
    built_in = isinstance(facts.eks, EksFacts) and facts.eks.auto_mode
    agents = None if built_in else reads.agents()
    target = reads.role(association.target_role_arn) if association.target_role_arn else None
    unread = Unreadable("EKS did not return the association's role")
    return replace(
        subject,
        association_role=reads.role(association.role_arn).result() if association.role_arn else unread,
        agent=agent.result(),
        agents=None if agents is None else agents.result(),
        auth_endpoints=endpoints.result(),
        target_role=subject.target_role if target is None else target.result(),
    )


def _with_config_maps(reads: DoctorReads, subject: Subject) -> Subject:
    """The subject with the values of its pods' variables that are in ConfigMaps, as far as those are read."""
    names: set[str] = set()
    for pod in subject.known_users():
        names = names.union(*(container.config_maps for container in pod.containers))
    contents = _results({name: reads.config_map(subject.namespace, name) for name in sorted(names)})
    maps = {name: data for name, data in contents.items() if not isinstance(data, Unreadable)}
    keys: dict[str, frozenset[str] | Unreadable] = {}
    for name, data in contents.items():
        keys[name] = data if isinstance(data, Unreadable) else frozenset(data)
    subject = replace(subject, config_keys=keys)
    if not maps:
        return subject
    pods = [
        pod.with_config_maps(maps) if pod.service_account == subject.name else pod
        for pod in known(subject.pods)
    ]
    return replace(subject, pods=tuple(pods))


def _with_chain(reads: DoctorReads, subject: Subject) -> Subject:
    said = annotations_of(subject)
    try:
        target = noted(said, states.TARGET_ANNOTATION)
        name = noted(said, states.CONFIG_MAP_ANNOTATION)
    except UnreadableNote as error:
        why = Unreadable(f"{error.message}: {error.reason}")
        return replace(subject, chain_target=why, aws_config=why)
    if not target:
        return subject
    config = reads.aws_config(subject.namespace, name) if name else None
    role = reads.role(target).result()
    return replace(subject, chain_target=role, aws_config=None if config is None else config.result())


def _other_associations(reads: DoctorReads, subject: Subject) -> tuple[OtherAssociation, ...] | Unreadable:
    if not _lacks_role(subject) or own_tokens(subject):
        return ()
    associations = reads.associations().result()
    if isinstance(associations, Unreadable):
        return associations
    mine = (subject.namespace, subject.name)
    near = sorted(names for names in associations if is_similar(names, mine))[:_SHOWN]
    similar: list[OtherAssociation] = []
    for names, whole in _results({names: reads.association(*names) for names in near}).items():
        association = OtherAssociation(*names, whole)
        if isinstance(whole, Association) and whole.role_arn:
            association = replace(association, role=reads.role(whole.role_arn).result())
        similar.append(association)
    return tuple(similar)


def _lacks_role(subject: Subject) -> bool:
    """Whether the ServiceAccount is there, without annotation, and surely without an association."""
    account = subject.account
    annotated = not isinstance(account, ServiceAccount) or states.ROLE_ARN_ANNOTATION in account.annotations
    return not annotated and subject.association is None


K = TypeVar("K")


def _results(futures: Mapping[K, Future[T]]) -> dict[K, T]:
    return {name: future.result() for name, future in futures.items()}


def _candidates(reads: DoctorReads, facts: Facts) -> tuple[Role, ...] | Unreadable:
    """The roles that trust the ServiceAccount; none if its own one does, or may."""
    subject = facts.named
    if isinstance(subject.account, Unreadable):
        return ()
    identity = home_identity(facts, subject)

    def trusts(role: Role) -> bool:
        return explain(role.trust, identity, now=facts.now).admitted

    role = subject.role if account_named(subject) == facts.cluster.home else None
    if isinstance(role, Unreadable) or (role is not None and trusts(role)):
        return ()
    roles = reads.roles().result()
    if isinstance(roles, Unreadable):
        return roles
    trusting = tuple(filter(trusts, roles))
    exact = [role.arn for role in trusting if names_exactly(role.trust, identity, facts.now)]
    # Tags tell whether one that trusts it by a pattern is its own.
    own_path = default_role_path(facts.cluster.name)
    managed = [role.arn for role in trusting if role.path.startswith(own_path)]
    answers = _results({arn: reads.role(arn) for arn in (*exact[:_SHOWN], *managed[:_SHOWN])})
    whole = {arn: role for arn, role in answers.items() if isinstance(role, Role)}
    return tuple(whole.get(role.arn, role) for role in trusting)


def _similar_roles(reads: DoctorReads, facts: Facts) -> tuple[str, ...]:
    subject = facts.named
    if subject.role is not None or account_named(subject) != facts.cluster.home:
        return ()
    arns = {Arn.parse(summary.arn).name: summary.arn for summary in known(reads.roles().result())}
    return tuple(arns[name] for name in near(subject.role_arn().name, arns))


def _renamed(reads: DoctorReads, facts: Facts) -> tuple[tuple[Role, str], ...]:
    subject = facts.named
    if not _lacks_role(subject) or isinstance(facts.accounts, Unreadable):
        return ()
    names = (subject.namespace, subject.name)
    return gone_names(facts.accounts, known(reads.roles().result()), home_provider(facts), names)


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
    refused = _refused(reads, place, place if facts.within is None else facts.within or None)
    return replace(facts, subject=replace(facts.named, refused=refused))


def judged(reads: DoctorReads, facts: Facts) -> tuple[Facts, tuple[Finding, ...]]:
    """The findings; if there is a problem, with the restart commands for its workloads."""
    findings = judge(facts)
    subject = facts.named
    if not having(findings, Verdict.PROBLEM) or isinstance(subject.pods, Unreadable):
        return facts, findings
    makers = makers_of(subject.pods, lambda kind: reads.makers(subject.namespace, kind).result())
    facts = replace(facts, makers=makers)
    return facts, judge(facts) if makers else findings


def absent(reads: DoctorReads, listed: Seen, namespace: str) -> tuple[Names, ...] | Unreadable:
    """The missing ServiceAccounts with a role for which pods wait, of a namespace or ('') of all."""
    gone = {names for names in listed.gone() if namespace in ("", names[0])}
    failed = reads.failures(namespace or None).result() if gone else ()
    if isinstance(failed, Unreadable):
        return failed
    missing = {(failure.namespace, missing_account(failure.why)) for failure in failed}
    waited_for: list[Names] = []
    for place, name in sorted(gone & missing):
        # Whether something lacks its pods to this day for want of it.
        refused = known(_refused(reads, place, namespace or None))
        if any(missing_account(pod.why) == name for pod in refused):
            waited_for.append((place, name))
    return tuple(waited_for)


def _refused(reads: DoctorReads, place: str, namespace: str | None) -> tuple[RefusedPod, ...] | Unreadable:
    failed = reads.failures(namespace).result()
    if isinstance(failed, Unreadable):
        return failed
    here = [failure for failure in failed if failure.namespace == place]
    kinds = {failure.kind for failure in here if failure.kind in reported.RESOURCES}
    return reported.refused(here, _results({kind: reads.makers(place, kind) for kind in sorted(kinds)}))
