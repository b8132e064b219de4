"""The plan that deletes what irsa created for one binding. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import account_changes
from irsa_cli.core.binding.field_owner import RoleOwner, owner_of_role
from irsa_cli.core.binding.role_changes import removal
from irsa_cli.core.binding.targets import statement_removals
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.applied import KEYS_ANNOTATION, applied_keys
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.plan.states import MARKS
from irsa_cli.core.planning.chaining import removed
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust import owned_statements, trust_policy
from irsa_cli.core.trust.owned_statements import for_service
from irsa_cli.core.uses.users import Going
from irsa_cli.core.values.errors import Unreadable

OWN_ANNOTATIONS = (
    *states.WEBHOOK_ANNOTATIONS,
    *states.MARKS.values(),
    KEYS_ANNOTATION,
    *states.CHAIN_ANNOTATIONS,
)
"""Annotations of irsa for a role; values of the webhook's annotations by others stay."""

OWNERS, COMMITS, UNBINDING, POLICIES, ROLES, ACCOUNTS = range(6)
"""The stages of a deletion, in order.

Roles are marked first, so that later runs notice a crash; the ServiceAccount is last, as it can't be
restored.
"""


@dataclass
class Deletion:
    """The stages of a deletion, always all six; `lost` are ARNs of unusable roles, `notes` what stays."""

    stages: list[list[Change]] = field(default_factory=lambda: [[] for _ in range(ACCOUNTS + 1)])
    binding: Binding | None = None
    """The deleted binding; None for a role alone."""
    lost: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def plan(self) -> Plan:
        """The stages that are not empty."""
        return merged([self])

    @property
    def takes_account(self) -> bool:
        """Whether the ServiceAccount itself goes."""
        return any(change.action == "delete" for change in self.stages[ACCOUNTS])

    def going(self, service_account: str) -> Going:
        """The losses of those who use the ServiceAccount's role."""
        association = any(change.kind is Kind.ASSOCIATION for change in self.stages[UNBINDING])
        return Going(service_account, self.lost, account=self.takes_account, association=association)


def merged(deletions: Iterable[Deletion]) -> Plan:
    """One plan for several bindings, all of which are deleted or none."""
    together: list[list[Change]] = [[] for _ in range(ACCOUNTS + 1)]
    for deletion in deletions:
        for stage, changes in zip(together, deletion.stages, strict=True):
            stage += changes
    return Plan.of(*together)


def deletion(
    binding: Binding, *, keep_account: bool = False, keep_role: bool = False, leaves_account: bool = False
) -> Deletion:
    """Delete what irsa created for a binding; `keep_account`: only remove annotations.

    `leaves_account`: the ServiceAccount is not written at all.
    """
    planned = Deletion(binding=binding)
    if keep_role:
        _keep_roles(binding, planned)
    else:
        for role in binding.own:
            delete_role(role, planned)
        _delete_association(binding, planned)
        _delete_chain(binding, planned)
        if binding.used is not None:
            _take_out(binding, binding.used, planned)
    if binding.existing is not None and leaves_account:
        planned.notes += named_in_source(binding.existing) or _still_named(binding.existing)
    elif binding.existing is not None:
        _delete_account(binding, binding.existing, planned, keep=keep_account)
        planned.notes += _restored(binding, binding.existing)
    if binding.problem:
        planned.notes.append(binding.problem)
    return planned


def _keep_roles(binding: Binding, planned: Deletion) -> None:
    """A complete role whose ServiceAccount could tell has to tell it itself from now on."""
    for role in binding.own:
        is_bound = role.arn == binding.annotation or binding.was_bound_to(role)
        if is_bound and not lifecycle.tells_itself(role.tags):
            planned.stages[OWNERS].append(_own(role))
            planned.stages[COMMITS].append(_commit(role, states.DONE))


def _own(role: Role) -> Change:
    maker = states.OwnerState(role.tags.get(states.TRANSACTION_TAG, states.NOBODY))
    return Change(Kind.ROLE_OWNER, (role.name,), maker, states.OwnerState(""))


def _commit(role: Role, value: str) -> Change:
    before = lifecycle.commit_of(role.tags)
    return Change(Kind.ROLE_COMMIT, (role.name,), before, states.CommitState(value))


def delete_role(role: Role, planned: Deletion) -> None:
    """Add the deletion of a role with its policies."""
    planned.stages[OWNERS].append(_own(role))
    if lifecycle.commit_of(role.tags) != states.CommitState(states.DELETING):
        planned.stages[COMMITS].append(_commit(role, states.DELETING))
    planned.stages[POLICIES] += removal(role)
    tags = {key: value for key, value in role.tags.items() if key != states.TRANSACTION_TAG}
    state = replace(role.state, tags={**tags, states.COMMIT_TAG: states.DELETING})
    planned.stages[ROLES].append(Change(Kind.ROLE, (role.name,), state, None))
    planned.lost.add(role.arn)
    if states.TRANSACTION_TAG not in role.tags:
        # Adopted: whoever created it may still have it in its files.
        maker = makers.maker_of_role(ownership.foreign_tags(role))
        tool = ownership.guess(role) or f"was created by {maker}"
        if maker != makers.UNKNOWN or isinstance(tool, ownership.Guess):
            planned.notes.append(f"role {role.name} {tool}: also delete it there, or it may be created again")


def _delete_association(binding: Binding, planned: Deletion) -> None:
    """The association that irsa created: no new pod gets the role by it, before the role is taken apart."""
    association = binding.own_association
    if association is not None:
        state = replace(association.state, tags=dict(association.tags))
        planned.stages[UNBINDING].append(Change(Kind.ASSOCIATION, binding.association_target, state, None))
    elif isinstance(binding.association, Association):
        planned.notes.append(
            f"the EKS Pod Identity association {binding.association.id} stays: irsa did not create it"
        )
    elif binding.association is not None:
        planned.notes.append(f"EKS Pod Identity was not checked: {binding.association.why}")


def _delete_chain(binding: Binding, planned: Deletion) -> None:
    """Remove irsa's statement at the target, and the ConfigMap, before the annotations that name them."""
    for name, config_map in binding.known_config_maps.items():
        if config_map.is_for(binding.full_name):
            planned.stages[COMMITS].append(removed(binding.namespace, name, config_map))
    if isinstance(binding.config_maps, Unreadable):
        why = binding.config_maps.why
        planned.notes.append(f"not checked whether irsa created a ConfigMap for it: {why}")
    changes, notes = statement_removals(binding.chained_targets)
    planned.stages[COMMITS] += changes
    planned.notes += notes
    planned.notes += unreadable(binding.annotations)


def _take_out(binding: Binding, role: Role, planned: Deletion) -> None:
    """Remove irsa's statement for a ServiceAccount from a role of others, before the annotation."""
    marked = owned_statements.marked_for(role.trust, binding.identity)
    statements = pod_statements(binding, role)
    if marked is not None:
        statements.insert(0, marked)
    after = role.trust
    for statement in statements:
        after = trust_policy.without_statement(after, statement)
    if not statements:
        planned.notes.append(
            f"{role.arn} was not created by irsa and has no statement of irsa: it is unchanged"
        )
    elif not as_list(after.get("Statement", [])):
        planned.notes.append(
            f"{role.arn} was not created by irsa and is unchanged: the statement for"
            f" {binding.identity.subject} is its only one, and IAM refuses a trust policy without statements"
        )
    else:
        target = (role.name, binding.identity.subject)
        planned.stages[COMMITS] += [
            Change(Kind.TRUST_STATEMENT, target, states.DocumentState(statement), None)
            for statement in statements
        ]
        planned.lost.add(role.arn)
        planned.notes.append(
            f"{role.arn} was not created by irsa: irsa keeps it and removes its own statement"
        )


def pod_statements(binding: Binding, role: Role) -> list[Document]:
    """The statements that irsa added to a role of somebody else for EKS Pod Identity."""
    return for_service(role.trust, binding.cluster, binding.namespace, binding.name, marked=True)


def _delete_account(binding: Binding, account: ServiceAccount, planned: Deletion, *, keep: bool) -> None:
    """Delete the ServiceAccount that irsa created; from another one, remove irsa's annotations.

    If a role is deleted, annotations go early. A ServiceAccount with a role by others stays.
    """
    goes = binding.is_made and not keep and not binding.is_theirs
    bare = _bare(binding, account, keeps=binding.is_made and keep)
    if not goes or planned.stages[ROLES]:
        stage = UNBINDING if planned.stages[ROLES] else ACCOUNTS
        annotations = {key: None for key in account.annotations if key not in bare.annotations}
        labels = {key: None for key in account.labels if key not in bare.labels}
        planned.stages[stage] += account_changes(binding, account, annotations, labels)
    if goes:
        bare_account = bare if planned.stages[ROLES] else account
        before = states.ServiceAccountState(
            annotations={
                key: bare_account.annotations.get(key) for key in (*OWN_ANNOTATIONS, states.TRANSACTION_TAG)
            },
            labels={states.MANAGED_BY_LABEL: bare_account.labels.get(states.MANAGED_BY_LABEL)},
            uid=account.uid,
            manifest=bare_account.manifest,
        )
        planned.stages[ACCOUNTS].append(Change(Kind.SERVICE_ACCOUNT, binding.key, before, None))
    elif binding.is_theirs:
        planned.notes += named_in_source(account) or [_named(binding)]
    elif binding.is_made:
        planned.notes.append(f"ServiceAccount {binding.full_name} is kept, and irsa no longer manages it")
    else:
        planned.notes.append(
            f"ServiceAccount {binding.full_name} was not created by irsa: it is kept, without a role"
        )


def named_in_source(account: ServiceAccount) -> list[str]:
    """The note on a role annotation that a tool owns: removed from the cluster alone, it comes back."""
    owner = owner_of_role(account)
    if owner is None or owner.doubt:
        return []
    return [
        f"ServiceAccount {account.full_name} keeps its annotation {states.ROLE_ARN_ANNOTATION}:"
        f" {owner.role_arn}. {_in_source(account, owner)}"
    ]


def _restored(binding: Binding, account: ServiceAccount) -> list[str]:
    """The note on an annotation of irsa that a tool has in its source as well: it comes back."""
    owner = owner_of_role(account)
    if owner is None or owner.doubt or binding.is_theirs:
        return []
    return [f"ServiceAccount {account.full_name}: {owner.effect}. {_in_source(account, owner)}"]


def _in_source(account: ServiceAccount, owner: RoleOwner) -> str:
    source = makers.source_of(account.labels, account.annotations)
    where = f"{owner.tool}, {source}" if source else owner.tool
    return f"Remove it from its source ({where}; {owner.evidence})"


def _still_named(account: ServiceAccount) -> list[str]:
    if not account.role_arn:
        return []
    annotation = f"{states.ROLE_ARN_ANNOTATION}: {account.role_arn}"
    name = account.full_name
    return [f"ServiceAccount {name} keeps its annotation {annotation}. Remove it from its manifest"]


def _named(binding: Binding) -> str:
    maker = binding.account_maker
    is_known = maker not in (makers.UNKNOWN, makers.IRSA)
    where = f" (created by {maker}: also change it there)" if is_known else ""
    return (
        f"ServiceAccount {binding.full_name}{where} keeps its annotation {states.ROLE_ARN_ANNOTATION}:"
        f" {binding.annotation}, which irsa did not write. To remove it: {unannotate(binding)}"
    )


def unannotate(binding: Binding) -> str:
    """The command that takes the role off a ServiceAccount."""
    name = shlex.quote(binding.name)
    namespace = shlex.quote(binding.namespace)
    return f"kubectl annotate serviceaccount {name} -n {namespace} {states.ROLE_ARN_ANNOTATION}-"


def _bare(binding: Binding, account: ServiceAccount, *, keeps: bool) -> ServiceAccount:
    """The ServiceAccount without what irsa wrote; `keeps`: and without irsa's marks, as it is to stay."""
    applied = applied_keys(account.annotations)
    # The marks also of annotations that are somebody else's by now.
    gone = {*binding.written, *MARKS.values(), *applied["annotations"], KEYS_ANNOTATION}
    gone |= set(states.CHAIN_ANNOTATIONS)
    gone |= {states.TRANSACTION_TAG} if keeps else set()
    off = {*applied["labels"], *((states.MANAGED_BY_LABEL,) if keeps else ())}
    annotations = {key: value for key, value in account.annotations.items() if key not in gone}
    labels = {key: value for key, value in account.labels.items() if key not in off}
    metadata = {**account.manifest.get("metadata", {}), "annotations": annotations, "labels": labels}
    manifest = {**account.manifest, "metadata": metadata}
    return replace(account, annotations=annotations, labels=labels, manifest=manifest)


def unreadable(annotations: Mapping[str, str]) -> list[str]:
    """Notes on annotations that can't be read."""
    return [
        f"the annotation {key} can't be read"
        for key in states.CHAIN_ANNOTATIONS
        if annotations.get(key, "") != noted_or_none(annotations, key)
    ]
