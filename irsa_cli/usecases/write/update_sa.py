"""`irsa update-sa`: what is named of a binding changes, in one transaction, and nothing else does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

from irsa_cli.aws import bindings, iam
from irsa_cli.core.binding.access_documents import guard_of_account, of_binding
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.current import PolicyVersions
from irsa_cli.core.binding.ownership import check_ours
from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport
from irsa_cli.core.binding.role_changes import check_boundaries
from irsa_cli.core.binding.spec import DesiredState, ServiceAccountRef
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.planning import association, chaining
from irsa_cli.core.planning import update as planning
from irsa_cli.core.planning.chaining import target_notes
from irsa_cli.core.planning.consent import Permitted
from irsa_cli.core.planning.create import check_provider
from irsa_cli.core.planning.migrate import addition, without_tags
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.trust.chain import Chain
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import InvalidInput, Unreadable, unless_denied
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.reading import command_of, interrupted_runs, read
from irsa_cli.usecases.command.caller import check_partitions
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.locks import WantedLocks, binding_lock, locked
from irsa_cli.usecases.read import observe
from irsa_cli.usecases.read.associations import Question
from irsa_cli.usecases.read.lookup import UNCHECKED, read_binding, read_provider, read_without_role, sharers
from irsa_cli.usecases.read.pod_identity import support_of
from irsa_cli.usecases.read.switching import check_switching
from irsa_cli.usecases.verification.iam_steps import verify
from irsa_cli.usecases.write.create_sa import may_be_spreading, only_arns, resolved
from irsa_cli.usecases.write.migrate_reads import ways_of


@dataclass(frozen=True)
class Request:
    """The request, with checked values; `verify`: exchange a token before the ServiceAccount changes.

    `associate`: add a new audience to the OIDC provider.
    """

    target: Target
    namespace: checked.Namespace
    name: checked.ServiceAccountName
    update: Update
    associate: bool = False
    verify: bool = False
    allow_wide_trust: bool = False
    boundaries: BoundaryRules = field(default_factory=BoundaryRules)


def update_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Change what the request names of the ServiceAccount and its role, in one transaction."""
    connection = connect(
        request.target,
        kube=True,
        log=log,
        check=lambda aws: check_partitions(
            (
                *only_arns(request.update.new_policies),
                *filter(None, (request.boundaries.default, request.update.target_role)),
            ),
            aws,
        ),
    )
    begin(connection, settings)
    update = request.update
    attach = resolved(connection, update.attach)
    detach = resolved(connection, update.detach)
    for arn in {*attach} & {*detach}:
        raise InvalidInput(f"--attach-policy-arn and --detach-policy-arn contradict each other: {arn}")
    exact = None if update.policies is None else resolved(connection, update.policies)
    request = replace(request, update=replace(update, attach=attach, detach=detach, policies=exact))
    lock = binding_lock(request.namespace, request.name)
    with locked(connection, settings, Command.UPDATE_SA, WantedLocks([lock])) as held:
        return _update(connection, request, held)


def _update(connection: Connection, request: Request, settings: Settings) -> Result:
    account = f"{request.namespace}/{request.name}"
    digest = hashlib.sha256(json.dumps(asdict(request.update), sort_keys=True).encode()).hexdigest()[:16]
    context = RunContext.of(Command.UPDATE_SA, connection, account, request=digest)
    earlier = earlier_runs(settings, context)
    updating = _Updating(connection, request, settings)
    question = Question(connection, request.namespace, request.name)
    result = Loop(connection, settings, context, earlier).run(updating.draft)
    if "role" in result.facts:
        role = result.facts["role"]["arn"]
        annotated = not updating.by_association
        question.tell(result, request.namespace, request.name, role, annotated=annotated)
    return result


def earlier_runs(settings: Settings, context: RunContext) -> list[Path]:
    """Journals of interrupted runs with the same request; others are reported."""
    same: list[Path] = []
    for path in interrupted_runs(settings.state_dir, context.about):
        if read(path).context.get("request") == context.request:
            settings.note(f"An earlier run ({path.stem}) was interrupted; this one continues from there.")
            same.append(path)
        else:
            settings.note(
                f"An earlier run ({path.stem}) with another request was interrupted:"
                f" {command_of(path)} rolls it back; with --forward, it completes it."
            )
    return same


@dataclass(frozen=True)
class _Planned:
    """The plan of one attempt, with the notes about it.

    `binding` is the current state with the targets that the plan is about, `chains` is what becomes of them;
    None if they do not change. `proven` is the role's target after the update, if it has to be proven.
    `doubts` are notes about what could not be read.
    """

    plan: Plan
    binding: Binding
    chains: planning.ChainUpdate | None
    proven: Chain | None
    doubts: Sequence[str]


@dataclass
class _Updating:
    """The attempts of one command; what STS has said once is not asked again."""

    connection: Connection
    request: Request
    settings: Settings
    verification: dict[str, Any] = field(default_factory=dict)
    by_association: bool = False
    """Whether only an EKS Pod Identity association gives pods the role."""

    def draft(self) -> Draft:
        binding, versions, unchecked = self._read()
        self.by_association = binding.has_association_only
        planned = self._plan(binding)
        gated = self.request.verify and (len(planned.plan) > 0 or not self.verification)
        notes = planning.notes_of(self.request.update, planned.binding, planned.chains)
        notes = [*unchecked, *notes, *planned.doubts]
        guard = partial(
            guard_of_account,
            binding,
            binding.role_arn,
            gains=self.request.allow_wide_trust,
            gain_flag="--allow-wide-trust",
        )
        return Draft(
            planned.plan,
            [planned.binding, versions],
            documents=partial(of_binding, planned.binding),
            guard=guard,
            gate=partial(self._prove, planned, binding) if gated else None,
            describe=partial(self._describe, binding, planned.plan, notes),
        )

    def _describe(self, binding: Binding, plan: Plan, notes: list[str], result: Result) -> None:
        result.facts = {
            "serviceAccount": {"namespace": binding.namespace, "name": binding.name},
            "role": {"arn": binding.role_arn, "created": False},
            "restart": planning.restarts(plan),
        }
        if result.error is None:
            result.warnings = planning.risks_of(binding, plan)
            result.notes += notes
            if binding.has_association_only and result.ended is not Ended.PLANNED:
                target = self.request.update.target_role or ""
                names = (binding.namespace, binding.name)
                result.notes += observe.external_id_notes(self.connection, *names, target)
        result.verification = self.verification or None

    def _read(self) -> tuple[Binding, PolicyVersions, list[str]]:
        """The current state, its policies, and notes about gaps; raises `Refused` if it must not change."""
        request = self.request
        connection = self.connection
        if not request.update.concerns_role:
            binding = self._checked(read_without_role(connection, request.namespace, request.name))
            return binding, PolicyVersions(), []
        boundary = self._boundary() or ""
        policies = [arn for arn in request.update.new_policies if arn != boundary]
        with ThreadPoolExecutor(2) as pool:
            provider = pool.submit(read_provider, connection) if request.update.audience else None
            exist = pool.submit(observe.check_policies, connection, policies, boundary)
            binding, accounts = read_binding(connection, request.namespace, request.name)
        binding = self._checked(binding)
        check_ours(binding, sharers(binding.role_arn, binding.full_name, accounts))
        versions = exist.result()
        role = binding.seen_role
        if self.settings.keeps_plan and role is not None:
            # Reviewers of the plan see policies that stay as well.
            stays = observe.check_policies(connection, role.attached, role.boundary)
            versions = PolicyVersions({**versions.versions, **stays.versions})
        if provider is not None and request.update.audience is not None:
            binding = replace(binding, provider=provider.result())
            if not request.associate:
                check_provider(connection.cluster, request.update.audience, binding.known_provider)
        return binding, versions, [UNCHECKED] if accounts is None else []

    def _checked(self, binding: Binding) -> Binding:
        """With the association, if it is needed; raises `Refused` if it can't change as requested."""
        update = self.request.update
        if binding.association is None and (update.also_pod_identity or update.session_policy is not None):
            association_read = observe.read_association(self.connection, binding.namespace, binding.name)
            binding = replace(binding, association=association_read)
        association.check(update, binding, verify=self.request.verify)
        return binding

    def _boundary(self) -> str | None:
        boundary = self.request.update.boundary
        return self.request.boundaries.default or None if boundary is None else boundary

    def _plan(self, binding: Binding) -> _Planned:
        update = self.request.update
        quotas = planning.Quotas()
        doubts = list[str]()
        role = binding.seen_role
        if role is not None and not role.boundary and update.concerns_role:
            update = replace(update, boundary=self._boundary())
        if not quotas.suffice(update, binding):
            quotas = self._quotas()
        if binding.has_association_only:
            doubts += self._check_target(update, binding)
            update = association.with_permission(update, binding)
        chain = planning.chain_update(update, binding)
        update = update if chain is None else chain.merged(update)
        plan = planning.plan(
            update, binding, quotas, associate=self.request.associate, gated=self.request.verify
        )
        if chain is not None:
            adds = update.update_target_trust
            gated = self.request.verify
            allows_power = self.request.allow_wide_trust
            binding = _with_chains(self.connection, binding, chain, judged=adds and not allows_power)
            plan = planning.with_chain(
                plan, chain, binding, adds=adds, allows_power=allows_power, gated=gated
            )
        if update.also_pod_identity:
            ways = ways_of(self.connection, binding)
            role_name = binding.role_name
            allowed = Permitted(wide_trust=self.request.allow_wide_trust)
            added = addition(IdentitySource.POD_IDENTITY, ways, allowed)
            doubts += notes_of_support(added, binding, lambda: support_of(self.connection, binding.namespace))
            if binding.association is None:
                whole_role = unless_denied(lambda: bindings.whole_role(self.connection.iam, role_name))
                doubts += check_switching(self.connection, whole_role, without_tags(ways))
            plan = Plan((*filter(None, plan.stages), *added.stages))
        plan = association.with_association(plan, self.request.update, binding)
        check_boundaries(self.request.boundaries, plan, named=True)
        if not self.request.allow_wide_trust:
            planning.check_trust(binding, plan)
        proven = None
        if self.request.verify:
            proven = planning.chain_of(binding) if chain is None else chain.after
        return _Planned(plan, binding, chain, proven, doubts)

    def _check_target(self, update: Update, binding: Binding) -> list[str]:
        """Notes about the association's new target role; raises `Refused` if it does not trust the role."""
        chain = association.target_of(update, binding)
        if chain is None:
            return []
        target = observe.read_target(self.connection, chain.target_arn)
        chaining.check_target(chain, target, adds=False)
        return [*target_notes(chain, target)]

    def _quotas(self) -> planning.Quotas:
        quotas = unless_denied(lambda: iam.quotas(self.connection.iam))
        if isinstance(quotas, Unreadable):
            return planning.Quotas(known=False)
        default = planning.Quotas()
        return planning.Quotas(
            quotas.get("AttachedPoliciesPerRoleQuota", default.attached),
            quotas.get("AssumeRolePolicySizeQuota", default.trust),
        )

    def _prove(self, planned: _Planned, binding: Binding, run: Run | None) -> None:
        """Exchange a token as pods do; changes in IAM may still be spreading."""
        desired = DesiredState(
            cluster=binding.cluster,
            namespace=binding.namespace,
            name=binding.name,
            role_arn=binding.role_arn,
            audience=self.request.update.audience or binding.audience,
            chain=planned.proven,
        )
        seconds = run.remaining - 1 if run is not None and may_be_spreading(planned.plan) else 0
        pause = sleep if run is None else run.pause
        self.verification.update(
            verify(
                self.connection,
                desired,
                seconds=seconds,
                pause=pause,
                listen=self.settings.listen,
                plan=planned.plan,
            )
        )


def _with_chains(
    connection: Connection, binding: Binding, chains: planning.ChainUpdate, *, judged: bool
) -> Binding:
    """With the targets and the ConfigMaps before and after the update; see `observe.read_target`."""
    names = dict.fromkeys(filter(None, (chains.config_map_before, chains.config_map)))
    with ThreadPoolExecutor(4) as pool:
        former_targets = pool.submit(observe.targets, connection, chains.left)
        after = pool.submit(observe.targets, connection, filter(None, [chains.after]), judged=judged)
        read_map = partial(observe.named_config_maps, connection, binding.namespace)
        maps = list(pool.map(read_map, names))
    config_maps = {name: config_map for by_name in maps for name, config_map in by_name.items()}
    return replace(binding, targets={**former_targets.result(), **after.result()}, config_maps=config_maps)


def notes_of_support(
    plan: Plan, account: ServiceAccountRef, support: Callable[[], PodIdentitySupport]
) -> list[str]:
    """Notes about a plan that creates an association; raises `Refused` if pods would get no credentials."""
    if not any(change.kind is Kind.ASSOCIATION and change.before is None for change in plan):
        return []
    facts = support()
    facts.check(account.cluster, account.namespace, account.name)
    return [*facts.notes(account.name)]
