"""What `irsa update-sa` changes of a chain: the permission, what the ServiceAccount notes, the target; pure.

The rest of an update is planned in `irsa_cli.core.planning.update`, which takes the edits that are made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.update_request import Pairing, Update
from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.noted import FLAGS, UnreadableNote, noted, noted_or_none
from irsa_cli.core.plan.states import (
    CHAIN_ANNOTATIONS,
    CONFIG_MAP_ANNOTATION,
    EXTERNAL_ID_ANNOTATION,
)
from irsa_cli.core.planning import chaining
from irsa_cli.core.trust.chaining.aws_config import KEY, aws_config
from irsa_cli.core.trust.chaining.chain import POLICY_NAME, Chain, chain_of_policies
from irsa_cli.core.trust.chaining.removal import FoundConfigMap, FoundTarget, taken_back
from irsa_cli.core.values.errors import Refused


@dataclass(frozen=True)
class ChainUpdate:
    """The chain as it is and as it is to be, None for none; and the ConfigMap's name, '' for none.

    `before` is by the role's policy, `noted` by the ServiceAccount: they differ where a run was cut off.
    """

    before: Chain | None
    after: Chain | None
    config_map_before: str = ""
    config_map: str = ""
    noted: Chain | None = None

    @property
    def left(self) -> tuple[Chain, ...]:
        """The chains whose targets the role goes on to no more."""
        return chaining.left_chains(self.before, self.noted, self.after)

    @property
    def edits(self) -> Update:
        """The same as edits of policies and annotations."""
        if self.after is None:
            return Update(
                inline={POLICY_NAME: None} if self.before is not None else {},
                annotations=dict.fromkeys(CHAIN_ANNOTATIONS),
            )
        said = (self.after.target_arn, self.after.external_id, self.config_map)
        return Update(
            inline={POLICY_NAME: self.after.permission},
            annotations={key: text or None for key, text in zip(CHAIN_ANNOTATIONS, said, strict=True)},
        )

    def merged(self, update: Update) -> Update:
        """The update with these edits in place of what it says of the chain."""
        edits = self.edits
        return replace(
            update,
            inline={**update.inline, **edits.inline},
            annotations={**update.annotations, **edits.annotations},
        )


@dataclass(frozen=True)
class FoundChain:
    """What is there of it: the targets that are left, by ARN, the one to be, and the ConfigMaps by name."""

    left: Mapping[str, FoundTarget] = field(default_factory=dict)
    after: FoundTarget | None = None
    config_maps: Mapping[str, FoundConfigMap] = field(default_factory=dict)


def chain_of(pair: Pairing) -> Chain | None:
    """The target that a role goes on to as it is, None where there is none."""
    found = None if pair.role is None else chain_of_policies(pair.role_arn, pair.role.inline)
    return None if found is None else replace(found, external_id=_noted(pair, EXTERNAL_ID_ANNOTATION))


def _noted(pair: Pairing, key: str) -> str:
    """What the ServiceAccount notes; raises `UnreadableNote` with what to say in its place."""
    try:
        return noted(pair.account.annotations, key)
    except UnreadableNote as error:
        flag = FLAGS[key].replace("_", "-")
        steps = (f"give the right one: --{flag} VALUE", f"or let there be none: --remove-{flag}")
        raise error.but(
            details=(f"of ServiceAccount {pair.namespace}/{pair.name}",), next_steps=steps
        ) from error


def chain_update(update: Update, pair: Pairing) -> ChainUpdate | None:
    """What an update means for the chain, None where it names nothing of it; raises `Refused`."""
    if not update.concerns_chain or pair.role is None:
        return None
    before = chain_of_policies(pair.role_arn, pair.role.inline)
    config_map = noted_or_none(pair.account.annotations, CONFIG_MAP_ANNOTATION)
    other = chaining.noted_chain(pair.role_arn, pair.account)
    if update.target_role == "":
        return ChainUpdate(before, None, config_map, noted=other)
    target = before.target_arn if before is not None else ""
    wanted = update.target_role or target
    if not wanted:
        raise Refused(
            f"{pair.namespace}/{pair.name} goes on to no target role",
            next_steps=("name it: --target-role ARN",),
        )
    # What another target wants to be told is another matter.
    same = before if before is not None and wanted == target else None
    external_id, tags = update.external_id, update.target_tag_session
    if external_id is None:
        external_id = "" if same is None else _noted(pair, EXTERNAL_ID_ANNOTATION)
    if tags is None:
        tags = same is not None and same.tag_session
    name = _noted(pair, CONFIG_MAP_ANNOTATION) if update.aws_config_map is None else update.aws_config_map
    return ChainUpdate(before, Chain(pair.role_arn, wanted, external_id, tags), config_map, name, other)


def with_chain(
    plan: Plan, wanted: ChainUpdate, found: FoundChain, pair: Pairing, *, adds: bool, gated: bool
) -> Plan:
    """The plan with what is added to the target first, and what is taken from the former one last."""
    first: list[Change] = []
    late: list[Change] = []
    if wanted.after is not None:
        chaining.check_target(wanted.after, found.after, adds=adds)
        first += chaining.target_changes(wanted.after, found.after, adds=adds)
    late += taken_back(wanted.left, found.left)[0]
    owner = (pair.namespace, pair.name)
    data = None if wanted.after is None else {KEY: aws_config(wanted.after, pair.cluster.region)}
    chaining.check_config_map(owner, wanted.config_map, found.config_maps)
    maps = chaining.config_map_changes(owner, wanted.config_map, data, found.config_maps, replaces=True)
    first += [change for change in maps if change.after is not None]
    late += [change for change in maps if change.after is None]
    stages = list(plan.stages)
    last = stages.pop() if stages else ()
    work = Plan.of(first, *map(list, stages), late).stages
    return Plan((*work, last)) if last or (gated and work) else Plan(work)
