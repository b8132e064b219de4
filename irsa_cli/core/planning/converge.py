"""The plan of `irsa apply`: create what is missing, change what differs, if it belongs to irsa."""

from __future__ import annotations

import json
from dataclasses import replace

from irsa_cli.core.binding import attached_trust
from irsa_cli.core.binding.binding import is_made
from irsa_cli.core.binding.current import CurrentState, RoleChanges, life_of
from irsa_cli.core.binding.role_changes import check_path, role_changes
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks import applied
from irsa_cli.core.marks.applied import KEYS_ANNOTATION, applied_keys, check_note
from irsa_cli.core.marks.lifecycle import wrote
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.planning.create import check_owner, plan
from irsa_cli.core.planning.differences import OVERRIDE, account_of_its_role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.wellknown import EKSCTL
from irsa_cli.core.trust import owned_statements, trust_policy
from irsa_cli.core.trust.added import becoming
from irsa_cli.core.trust.assuming import SERVICE, said_to_service
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.owned_statements import for_service
from irsa_cli.core.trust.restrictions import Restriction
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import ATTACH_POLICY, TAGS_LIMIT, default_role_path


def converge(desired: DesiredState, current: CurrentState, *, takes_over: bool = False) -> Plan:
    """The changes that reach the desired state; empty if it is reached.

    Raises `Refused` for objects of others, and unless `takes_over` for an incomplete role of another desired
    state.
    """
    binding = current.binding
    role = binding.seen_role
    if binding.existing is not None and not desired.role_only:
        check_note(binding.existing.annotations, desired.namespace, desired.name)
    desired = _with_unsaid(_with_keys(desired, binding.existing), role)
    desired = _with_notes(desired, role)
    check_owner(desired, current)
    _check_account(desired, binding.existing)
    _check_association(desired, current)
    desired = replace(desired, override=True)
    if desired.role is None or role is None:
        return plan(desired, current)
    assert desired.role is not None
    tags = role.tags
    for key, mark in desired.marks.items():
        if tags.get(key) != mark:
            raise Refused(
                f"role {desired.role_name} is not managed by irsa for {desired.full_name}",
                reason=f"its tag {key} is {tags.get(key) or 'not there'}, expected {mark}",
                next_steps=_instead_of(desired, current, theirs=key in tags),
            )
    check_path(role, desired.role.path)
    owned_statements.check_marks(desired.role_name, tags)
    life = life_of(desired, current)
    is_same = tags.get(states.SPEC_HASH_TAG) == desired.role.tags.get(states.SPEC_HASH_TAG)
    if not (life.is_over or takes_over or is_same):
        raise Refused(
            f"role {desired.role_name} is {life.stage.value}, for another desired state",
            reason=life.why,
            next_steps=(
                "wait for that run: 15 minutes after it began, this command can continue from it",
                *life.next_steps(desired.cluster.options),
            ),
        )
    return plan(desired, current, _changes(desired, current, role))


def _with_unsaid(desired: DesiredState, role: Role | None) -> DesiredState:
    """The desired state with the role's current values of fields that nobody set."""
    if desired.role is None or role is None:
        return desired
    settings = desired.unsaid & {"description", "max_session_duration"}
    state = replace(desired.role, **{name: getattr(role.state, name) for name in settings})
    own = (ATTACH_POLICY, *EKSCTL)
    others = {name: text for name, text in role.inline.items() if name not in own}
    inline = {**others, **desired.inline} if "inline" in desired.unsaid else desired.inline
    return replace(desired, role=state, inline=inline)


def _changes(desired: DesiredState, current: CurrentState, role: Role) -> RoleChanges:
    assert desired.role is not None
    document = _trust_after(desired, role)
    trust_policy.check_size(desired.role_arn, document, current.trust_quota)
    _check_widening(desired, current, role.trust, document)
    tags = {**desired.role.tags, **applied.kept_tags(role.tags, desired.role.tags)}
    if len(tags) > max(TAGS_LIMIT, len(role.tags)):
        raise Refused(
            f"role {desired.role_name} would have too many tags",
            reason=f"with the tags of others it would have {len(tags)}, and IAM takes {TAGS_LIMIT}",
            next_steps=(f"aws iam untag-role --role-name {desired.role_name} --tag-keys KEY",),
        )
    state = replace(desired.role, trust=document, tags=tags)
    after = replace(role, state=state, attached=frozenset(desired.policies), inline=desired.inline)
    return role_changes(role, after)


def _trust_after(desired: DesiredState, role: Role) -> Document:
    assert desired.role is not None
    document = role.trust
    for statement in _pod_statements(desired, role) if desired.association is not None else ():
        if statement not in desired.role.trust["Statement"]:  # Of an association with other session tags.
            document = trust_policy.without_statement(document, statement)
    return owned_statements.with_own(document, desired.role.trust, _own(desired, role))


def _pod_statements(desired: DesiredState, role: Role) -> list[Document]:
    """The statements that irsa wrote for EKS Pod Identity."""
    return for_service(role.trust, desired.cluster, desired.namespace, desired.name)


def _own(desired: DesiredState, role: Role) -> owned_statements.Own:
    assert desired.role is not None
    alone = "subjects" in desired.unsaid
    return owned_statements.Own.of(desired.identity, desired.role.trust, role.tags, alone=alone)


def trust_notes(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes about a trust policy that is unknown, or that `--force` loosens."""
    notes = attached_trust.notes(desired, current)
    if desired.force:
        ignored = "ignored, as --force writes the statement without it"
        notes += [f"{restriction.text}: {ignored}" for restriction in _voids(desired, current)]
    return notes


def _voids(desired: DesiredState, current: CurrentState) -> tuple[Restriction, ...]:
    """Restrictions by others in the trust policy that the desired state would remove."""
    role = current.binding.seen_role
    if desired.role is None or role is None:
        return ()
    return owned_statements.voided(role.trust, _trust_after(desired, role), _own(desired, role))


def _check_widening(desired: DesiredState, current: CurrentState, before: Document, after: Document) -> None:
    """Raise `Refused` where somebody else has restricted irsa's statement, and this would undo it."""
    if desired.force:
        return
    if _is_restricted_association(desired, current):
        raise Refused(
            f"the trust policy of role {desired.role_name} was changed by someone else",
            reason="it restricts EKS Pod Identity, and irsa's statement would bypass that",
            details=becoming(before, after),
            next_steps=("to add irsa's statement: run this again with --force",),
        )
    if restrictions := _voids(desired, current):
        raise Refused(
            f"the trust policy of role {desired.role_name} was restricted by someone else",
            reason="the entry does not have these conditions, so irsa would remove them",
            details=(*(restriction.text for restriction in restrictions), *becoming(before, after)),
            next_steps=(
                "to keep them: add trustConditions to the entry (kind Bindings)",
                "to remove them: run this again with --force",
            ),
        )


def _is_restricted_association(desired: DesiredState, current: CurrentState) -> bool:
    """Whether statements of others alone trust EKS Pod Identity, with conditions that may not hold."""
    role = current.binding.seen_role
    if desired.association is None or role is None or _pod_statements(desired, role):
        return False
    tagged = not desired.association.without_session_tags
    answers = said_to_service(role.trust, desired.cluster, desired, tagged=tagged)
    trusted = trust_policy.trusts_service(role.trust, SERVICE)
    return trusted and any(answer.answer is not Answer.YES for answer in answers)


def _instead_of(desired: DesiredState, current: CurrentState, *, theirs: bool) -> tuple[str, ...]:
    """Next steps for a role that irsa does not manage for the ServiceAccount; `theirs`: for another one."""
    if theirs:
        return (
            "give the entry another roleName",
            "or, to use that role: attachRoleARN in place of roleName, and --update-trust",
        )
    known = current.binding.is_annotated and not desired.role_only
    role_option = "" if known else f" --role-name {desired.role_name}"
    adopt = f"to adopt the role: {desired.command('adopt')}{role_option}"
    return (adopt, "or give the entry another roleName")


def _check_account(desired: DesiredState, account: ServiceAccount | None) -> None:
    """A ServiceAccount with a role that irsa has not given it changes only when the user says so."""
    annotations = account.annotations if account is not None else {}
    _check_audience(desired, account)
    present = annotations.get(states.ROLE_ARN_ANNOTATION)
    if present in (None, desired.role_arn) or desired.override or desired.role_only:
        return
    # One that irsa took over (`irsa adopt`) is elsewhere: to leave that, the user has to say so.
    own = f":iam::{desired.cluster.home}:role{default_role_path(desired.cluster.name)}"
    if elsewhere := account_of_its_role(desired, account):
        raise Refused(
            f"{desired.full_name} has its role in account {elsewhere}",
            reason=f"it is annotated with {present}, and irsa keeps roles in account {desired.cluster.home}",
            next_steps=(
                f'to keep that role: add roleAccount: "{elsewhere}" to the entry, or'
                f" {desired.cluster.in_account(elsewhere)}",
                f"run this again with {OVERRIDE}",
            ),
            rests_on=(),
        )
    if not wrote(annotations, states.ROLE_ARN_ANNOTATION) or own not in present:
        keep = f"to keep that role: {desired.command('adopt')}, and name no other role in the entry"
        if f":iam::{desired.cluster.home}:" not in str(present):
            keep = "to keep that role of another account: add attachRoleARN to the entry"
        raise Refused(
            f"{desired.full_name} has another role",
            reason=f"it is annotated with {present}, which irsa did not create or did not annotate",
            next_steps=(keep, f"run this again with {OVERRIDE}"),
            rests_on=(),
        )


def _check_association(desired: DesiredState, current: CurrentState) -> None:
    """An association of others changes only when the user says so, and one of an add-on never.

    Raises `Refused` also if pods still get the role by the annotation alone that the entry does not have.
    """
    binding = current.binding
    state = desired.association
    association = binding.known_association
    if state is None:
        return
    if desired.role is not None and not desired.uses_web_identity and binding.is_annotated:
        raise Refused(
            f"{desired.full_name} still gets its role by the annotation",
            reason="the entry is for EKS Pod Identity alone: running pods would lose the role",
            next_steps=(
                f"{desired.command('migrate')} --to pod-identity  # then again with --restart and --finish",
                "or keep both: also: pod-identity in the entry (kind Bindings)",
            ),
            rests_on=(),
        )
    if association is None or (association.is_like(state) and not association.owner):
        return
    if association.owner or not (desired.override or desired.marks.items() <= association.tags.items()):
        owner = f", owned by {association.owner}" if association.owner else ""
        raise Refused(
            f"{desired.full_name} has an association that irsa did not create",
            reason=f"{association.id} gives {association.last_role}{owner}",
            next_steps=() if association.owner else (f"run this again with {OVERRIDE}",),
            rests_on=(),
        )


def _check_audience(desired: DesiredState, account: ServiceAccount | None) -> None:
    """An audience that somebody else has set, and the entry does not name, is not taken off in silence."""
    if account is None or desired.override or desired.role_only or is_made(account):
        return
    present = account.annotations.get(states.AUDIENCE_ANNOTATION)
    is_wanted = present in (None, desired.audience) or desired.audience != DEFAULT_AUDIENCE
    if is_wanted or wrote(account.annotations, states.AUDIENCE_ANNOTATION):
        return
    raise Refused(
        f"{desired.full_name} requests tokens for another audience",
        reason=f"its annotation {states.AUDIENCE_ANNOTATION} is {present}, which irsa did not write",
        next_steps=(
            "to keep it: add audience to the entry (kind Bindings)",
            "to remove it: run this again with --override-existing-serviceaccounts",
        ),
        rests_on=(),
    )


def _with_notes(desired: DesiredState, role: Role | None) -> DesiredState:
    """The desired state with the tags that tell a later run what of trust policy and tags is irsa's."""
    if desired.role is None:
        return desired
    role_tags = role.tags if role is not None else {states.TRANSACTION_TAG: ""}
    kept_tags = role_tags if "subjects" in desired.unsaid else {}
    tags = {**desired.role.tags, **owned_statements.tags(desired.identity, desired.role.trust, kept_tags)}
    tags = applied.with_tag_note(tags, role_tags)
    return replace(desired, role=replace(desired.role, tags=tags))


def _with_keys(desired: DesiredState, account: ServiceAccount | None) -> DesiredState:
    """The desired state with the keys that are to go, and the note of those that are there."""
    if desired.role_only:
        return desired
    keys = {
        "annotations": sorted(
            {*desired.annotations} - {*states.WEBHOOK_ANNOTATIONS, *states.CHAIN_ANNOTATIONS}
        ),
        "labels": sorted(desired.labels),
    }
    noted = json.dumps(keys, separators=(",", ":")) if any(keys.values()) else None
    present = account.annotations if account is not None else {}
    is_irsas = account is not None and is_made(account)
    before = applied_keys(present)
    # The webhook's annotations that irsa has written go when they are not desired any more.
    former = [
        key for key in states.WEBHOOK_ANNOTATIONS if key in present and (is_irsas or wrote(present, key))
    ]
    if "target_role" not in desired.unsaid:
        former += [key for key in states.CHAIN_ANNOTATIONS if key in present]
    labels: dict[str, str | None] = dict.fromkeys(before["labels"])
    if states.MANAGED_BY_LABEL in labels:
        labels[states.MANAGED_BY_LABEL] = "irsa"  # As it was before it was desired to be something else.
    gone = dict.fromkeys((*before["annotations"], *former))
    annotations = {**gone, **desired.annotations, KEYS_ANNOTATION: noted}
    return replace(desired, annotations=annotations, labels={**labels, **desired.labels})
