"""The plan that changes an existing binding and its target role, as the user requested. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import RoleChanges, account_changes
from irsa_cli.core.binding.role_changes import role_changes
from irsa_cli.core.binding.targets import TargetRole, statement_removals
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.rules import NOTES, UnreadableNote, noted, noted_or_none
from irsa_cli.core.planning import chaining
from irsa_cli.core.planning.create import provider_changes
from irsa_cli.core.planning.trust_warnings import check, planned_risks
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.chain import KEY, POLICY_NAME, Chain, aws_config, chain_of_policies, noted_chain
from irsa_cli.core.trust.owned_statements import audience_replacement
from irsa_cli.core.trust.rules.judge import TrustContext
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.trust.trust_policy import with_replaced
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import TAGS_LIMIT


@dataclass(frozen=True)
class Quotas:
    """IAM's quotas: attached policies, and characters of a trust policy.

    `known`: these are the account's own; otherwise IAM decides beyond the defaults.
    """

    attached: int = 10
    trust: int = policy.TRUST_LIMIT
    known: bool = True

    def suffice(self, update: Update, binding: Binding) -> bool:
        """Whether these are enough, also on the way: then nobody needs to know whether they were raised."""
        role = binding.seen_role
        if role is None:
            return True
        most = len(role.attached | updated(role, update).attached)
        return most <= self.attached and policy.size(_trust_after(update, role, binding)) <= self.trust


def plan(
    update: Update,
    binding: Binding,
    quotas: Quotas = Quotas(),
    *,
    associate: bool = False,
    gated: bool = False,
) -> Plan:
    """The requested changes; empty if nothing differs. With `gated`, the last stage is behind the gate.

    Raises `Refused` beyond IAM's quotas, and for a trust policy that irsa can't change.
    """
    stages = [*_role_stages(update, binding, quotas, associate=associate)]
    # The keys that change, and no others.
    annotations = dict(update.annotations)
    if update.audience is not None:
        annotations[states.AUDIENCE_ANNOTATION] = (
            None if update.audience == DEFAULT_AUDIENCE else update.audience
        )
    if update.sts_regional_endpoints is not None:
        annotations[states.STS_REGIONAL_ANNOTATION] = str(update.sts_regional_endpoints).lower()
    if update.token_expiration is not None:
        annotations[states.TOKEN_EXPIRATION_ANNOTATION] = str(update.token_expiration)
    account = account_changes(binding, binding.existing, annotations, update.labels)
    early_stages = Plan.of(*stages).stages
    return (
        Plan((*early_stages, tuple(account))) if account or (gated and early_stages) else Plan(early_stages)
    )


def updated(role: Role, update: Update) -> Role:
    """The role after the update, without its trust policy; keys of tags ignore case, as in IAM."""
    state = role.state
    inline = {**role.inline, **update.inline}
    keys = {key.lower(): key for key in state.tags}
    edits = {keys.get(key.lower(), key): value for key, value in update.tags.items()}
    tags: dict[str, str | None] = {**state.tags, **edits}
    attached = (role.attached | {*update.attach}) - {*update.detach}
    return replace(
        role,
        state=replace(
            state,
            description=state.description if update.description is None else update.description,
            max_session_duration=update.max_session_duration or state.max_session_duration,
            permissions_boundary=state.permissions_boundary if update.boundary is None else update.boundary,
            tags={key: value for key, value in tags.items() if value is not None},
        ),
        attached=attached if update.policies is None else frozenset(update.policies),
        inline={name: document for name, document in inline.items() if document is not None},
    )


def _role_stages(update: Update, binding: Binding, quotas: Quotas, *, associate: bool) -> list[list[Change]]:
    role = binding.seen_role
    if role is None or not update.concerns_role:
        return []
    after = updated(role, update)
    _check(role, after, policy.size(_trust_after(update, role, binding)), quotas)
    changes = role_changes(role, after)
    early = _early(changes, role, after, quotas)
    gains = [change for change in changes.gains if change not in early]
    losses = [change for change in changes.losses if change not in early]
    first: list[Change] = []
    if associate and update.audience is not None:
        made_for = {states.SERVICE_ACCOUNT_TAG: binding.full_name}
        first = provider_changes(binding.cluster, (update.audience,), binding.known_provider, tags=made_for)
    statements = _replacement(update, binding)
    target = (binding.role_name, binding.identity.subject)
    if statements is not None:
        gains.append(Change(Kind.TRUST_STATEMENT, target, *map(states.DocumentState, statements)))
    return [early, [*first, *gains], losses]


def _early(changes: RoleChanges, before: Role, after: Role, quotas: Quotas) -> list[Change]:
    """Changes that must come first: detach if there is no room, and set the boundary."""
    early = [change for change in changes.gains if change.kind is Kind.BOUNDARY and change.after is not None]
    if len(before.attached | after.attached) > quotas.attached:
        early += [change for change in changes.losses if change.kind is Kind.ATTACHMENT]
    most = sum(
        max(_size(before.inline.get(name)), _size(after.inline.get(name)))
        for name in {*before.inline, *after.inline}
    )
    if most > policy.INLINE_LIMIT:
        early += [
            change
            for change in changes
            if change.kind is Kind.INLINE_POLICY
            and _size(after.inline.get(change.target[1])) < _size(before.inline.get(change.target[1]))
        ]
    return early


def _size(document: Document | None) -> int:
    return 0 if document is None else policy.size(document)


def _check(before: Role, after: Role, trust_size: int, quotas: Quotas) -> None:
    """Raise `Refused` beyond IAM's quotas; an excess that does not grow is accepted."""
    inline = [sum(map(policy.size, role.inline.values())) for role in (before, after)]
    of_account = (
        ("managed policies", len(before.attached), len(after.attached), quotas.attached),
        ("characters in its trust policy", policy.size(before.trust), trust_size, quotas.trust),
    )
    for what, was, size, limit in (
        ("characters of inline policies", inline[0], inline[1], policy.INLINE_LIMIT),
        ("tags", len(before.tags), len(after.tags), TAGS_LIMIT),
        *(of_account if quotas.known else ()),
    ):
        if size > max(limit, was):
            raise Refused(f"role {before.name} would have {size} {what}", reason=f"IAM takes {limit}")


def _replacement(update: Update, binding: Binding) -> tuple[Document, Document] | None:
    """The statement of the trust policy that changes, and what takes its place."""
    if update.audience is None or binding.seen_role is None:
        return None
    after = binding.identity_with(update.audience)
    return audience_replacement(binding.trust, binding.identity, after)


def _trust_after(update: Update, role: Role, binding: Binding) -> Document:
    statements = _replacement(update, binding)
    return role.trust if statements is None else with_replaced(role.trust, *statements)


def notes_of(update: Update, binding: Binding, chains: ChainUpdate | None) -> list[str]:
    """Notes about what an update leaves as it is, and about targets that are not known."""
    notes = [] if binding.seen_role is None else ineffective(update, binding.seen_role)
    if update.audience not in (None, binding.audience):
        notes.append(
            f"restart running pods: they have tokens for {binding.audience}, which the role no longer accepts"
        )
        notes.append(f"the OIDC provider still accepts {binding.audience}, as others may use it")
    if chains is not None:
        if chains.after is not None:
            notes += chaining.target_notes(chains.after, binding.targets[chains.after.target_arn])
        notes += statement_removals(chains.left_targets(binding))[1]
    return notes


def ineffective(update: Update, role: Role) -> list[str]:
    """Requested removals of things that do not exist: perhaps a typo."""
    keys = {key.lower() for key in role.tags}
    attached = ", ".join(sorted(role.attached)) or "none"
    notes = [
        f"policy {arn} was not attached (attached: {attached})"
        for arn in update.detach
        if arn not in role.attached
    ]
    notes += [
        f"there was no inline policy {name}"
        for name, document in update.inline.items()
        if document is None and name not in role.inline
    ]
    notes += [
        f"there was no tag {key}"
        for key, value in update.tags.items()
        if value is None and key.lower() not in keys
    ]
    return notes


def restarts(plan: Plan) -> bool:
    """Whether running pods need a restart: annotations take effect in new pods only."""
    read = (states.AUDIENCE_ANNOTATION, states.STS_REGIONAL_ANNOTATION, states.TOKEN_EXPIRATION_ANNOTATION)
    return any(
        key in read
        for change in plan
        if isinstance(change.after, states.ServiceAccountState)
        for key in change.after.annotations
    )


def risks_of(binding: Binding, plan: Plan) -> tuple[Risk, ...]:
    """The risks of the trust policy after a plan; none if the role was not read."""
    role = binding.seen_role
    return () if role is None else planned_risks(role, plan, _context(binding))


def check_trust(binding: Binding, plan: Plan) -> None:
    """Raise `Refused` if a plan leaves the trust policy too broad; existing risks may stay."""
    role = binding.seen_role
    if role is not None:
        check(role, plan, _context(binding))


def _context(binding: Binding) -> TrustContext:
    return TrustContext((binding.identity.provider_arn,), binding.audience, binding.role_arn)


@dataclass(frozen=True)
class ChainUpdate:
    """The chain before and after, and the ConfigMap's name ('' for none).

    `before` is by the role's policy, `noted` by annotations: they differ after an interrupted run.
    """

    before: Chain | None
    after: Chain | None
    config_map_before: str = ""
    config_map: str = ""
    noted: Chain | None = None

    @property
    def left(self) -> tuple[Chain, ...]:
        """The chains to remove."""
        return chaining.left_chains(self.before, self.noted, self.after)

    def left_targets(self, binding: Binding) -> list[tuple[Chain, TargetRole]]:
        """The same with their targets, which were read."""
        return [(chain, binding.targets[chain.target_arn]) for chain in self.left]

    def merged(self, update: Update) -> Update:
        """The update with the chain's policy and annotations in place of what it says of the chain."""
        after = self.after
        values = ("", "", "") if after is None else (after.target_arn, after.external_id, self.config_map)
        notes = {key: text or None for key, text in zip(states.CHAIN_ANNOTATIONS, values, strict=True)}
        inline = {**update.inline}
        if self.before is not None or after is not None:
            inline[POLICY_NAME] = None if after is None else after.permission
        return replace(update, inline=inline, annotations={**update.annotations, **notes})


def chain_of(binding: Binding) -> Chain | None:
    """The role's current target, None without one."""
    role = binding.seen_role
    chain = None if role is None else chain_of_policies(binding.role_arn, role.inline)
    return (
        None if chain is None else replace(chain, external_id=_noted(binding, states.EXTERNAL_ID_ANNOTATION))
    )


def _noted(binding: Binding, key: str) -> str:
    """The ServiceAccount's annotation; raises `UnreadableNote` with the flag to set."""
    try:
        return noted(binding.annotations, key)
    except UnreadableNote as error:
        flag = NOTES[key].flag
        steps = (f"set it: --{flag} VALUE", f"or remove it: --remove-{flag}")
        raise error.but(details=(f"of ServiceAccount {binding.full_name}",), next_steps=steps) from error


def chain_update(update: Update, binding: Binding) -> ChainUpdate | None:
    """The update of the chain, None if nothing of it is named; raises `Refused`."""
    values = (update.target_role, update.external_id, update.target_tag_session, update.aws_config_map)
    is_named = update.update_target_trust or any(value is not None for value in values)
    role = binding.seen_role
    if not is_named or role is None:
        return None
    before = chain_of_policies(binding.role_arn, role.inline)
    config_map = noted_or_none(binding.annotations, states.CONFIG_MAP_ANNOTATION)
    noted_before = noted_chain(binding.role_arn, binding.annotations)
    if update.target_role == "":
        return ChainUpdate(before, None, config_map, noted=noted_before)
    target = before.target_arn if before is not None else ""
    new_target = update.target_role or target
    if not new_target:
        raise Refused(
            f"{binding.full_name} has no target role",
            next_steps=("add --target-role ARN",),
            rests_on=(),
        )
    # An external ID belongs to one target.
    same = before if before is not None and new_target == target else None
    external_id = update.external_id
    tags = update.target_tag_session
    if external_id is None:
        external_id = "" if same is None else _noted(binding, states.EXTERNAL_ID_ANNOTATION)
    if tags is None:
        tags = same is not None and same.tag_session
    name = update.aws_config_map
    if name is None:
        name = _noted(binding, states.CONFIG_MAP_ANNOTATION)
    return ChainUpdate(
        before, Chain(binding.role_arn, new_target, external_id, tags), config_map, name, noted_before
    )


def with_chain(
    plan: Plan, chains: ChainUpdate, binding: Binding, *, adds: bool, allows_power: bool, gated: bool
) -> Plan:
    """The plan with what is added to the target first, and what is taken from the former one last."""
    after = chains.after
    config_maps = binding.known_config_maps
    target = None if after is None else binding.targets[after.target_arn]
    if after is not None:
        chaining.check_target(after, target, adds=adds)
    first = chaining.target_changes(after, target, adds=adds, allows_power=allows_power)
    late = statement_removals(chains.left_targets(binding))[0]
    data = None if after is None else {KEY: aws_config(after, binding.cluster.region)}
    name = chains.config_map
    chaining.check_config_map(binding.key, name, config_maps)
    maps = chaining.config_map_changes(binding.key, name, data, config_maps, replaces=True)
    first += [change for change in maps if change.after is not None]
    late += [change for change in maps if change.after is None]
    stages = list(plan.stages)
    last = stages.pop() if stages else ()
    early_stages = Plan.of(first, *map(list, stages), late).stages
    return Plan((*early_stages, last)) if last or (gated and early_stages) else Plan(early_stages)
