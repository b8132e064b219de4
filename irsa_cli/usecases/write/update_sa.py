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
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.binding.access_documents import guard_of_account, of_pairing
from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.current import PolicyVersions
from irsa_cli.core.binding.ownership import check_ours
from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport
from irsa_cli.core.binding.role_changes import check_boundaries
from irsa_cli.core.binding.spec import DesiredState, ServiceAccountRef
from irsa_cli.core.binding.update_request import Pairing, Update
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.planning import association, chaining
from irsa_cli.core.planning import update as planning
from irsa_cli.core.planning.chaining import target_notes
from irsa_cli.core.planning.consent import Permitted
from irsa_cli.core.planning.create import check_provider
from irsa_cli.core.planning.migrate import addition, without_tags
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.trust.chain import Chain, FoundTarget, statement_removals
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
from irsa_cli.usecases.read.lookup import UNCHECKED, read_account, read_pairing, read_provider, sharers
from irsa_cli.usecases.read.pod_identity import support_of
from irsa_cli.usecases.read.switching import check_switching
from irsa_cli.usecases.verification.iam_steps import verify
from irsa_cli.usecases.write.create_sa import may_be_spreading, only_arns, resolved
from irsa_cli.usecases.write.migrate_reads import identity_of


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
    attach, detach = resolved(connection, update.attach), resolved(connection, update.detach)
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
    asked = Question(connection, request.namespace, request.name)
    result = Loop(connection, settings, context, earlier).run(updating.draft)
    if "role" in result.facts:
        role, annotated = result.facts["role"]["arn"], not updating.by_association
        asked.tell(result, request.namespace, request.name, role, annotated=annotated)
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

    `chain` is the role's target after the update, if it has to be proven. `targets` are the current targets
    and ConfigMaps, before and after the update, and `new_target` the ARN of the target after it; None if
    the targets do not change.
    """

    plan: Plan
    notes: Sequence[str]
    chain: Chain | None
    targets: planning.FoundChain | None
    new_target: str | None


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
        pair, versions, unchecked = self._read()
        self.by_association = pair.has_association_only
        planned = self._plan(pair)
        gated = self.request.verify and (len(planned.plan) > 0 or not self.verification)
        seen = [pair, versions, *([planned.targets] if planned.targets is not None else [])]
        notes = [*unchecked, *self._notes(pair), *planned.notes]
        guard = partial(
            guard_of_account,
            pair,
            pair.role_arn,
            gains=self.request.allow_wide_trust,
            gain_flag="--allow-wide-trust",
        )
        return Draft(
            planned.plan,
            seen,
            documents=partial(_documents, pair, planned),
            guard=guard,
            gate=partial(self._prove, planned, pair) if gated else None,
            describe=partial(self._describe, pair, planned.plan, notes),
        )

    def _describe(self, pair: Pairing, todo: Plan, notes: list[str], result: Result) -> None:
        result.facts = {
            "serviceAccount": {"namespace": pair.namespace, "name": pair.name},
            "role": {"arn": pair.role_arn, "created": False},
            "restart": planning.restarts(todo),
        }
        if result.error is None:
            result.warnings = planning.risks_of(pair, todo)
            result.notes += notes
            if pair.has_association_only and result.ended is not Ended.PLANNED:
                target = self.request.update.target_role or ""
                names = (pair.namespace, pair.name)
                result.notes += observe.external_id_notes(self.connection, *names, target)
        result.verification = self.verification or None

    def _read(self) -> tuple[Pairing, PolicyVersions, list[str]]:
        """The current state, its policies, and notes about gaps; raises `Refused` if it must not change."""
        request, connection = self.request, self.connection
        if not request.update.concerns_role:
            pair = self._checked(read_account(connection, request.namespace, request.name))
            return pair, PolicyVersions(), []
        boundary = self._boundary() or ""
        policies = [arn for arn in request.update.new_policies if arn != boundary]
        with ThreadPoolExecutor(2) as pool:
            provider = pool.submit(read_provider, connection) if request.update.audience else None
            exist = pool.submit(observe.check_policies, connection, policies, boundary)
            pair, accounts = read_pairing(connection, request.namespace, request.name)
        pair = self._checked(pair)
        check_ours(pair, sharers(pair.role_arn, pair.full_name, accounts))
        versions = exist.result()
        if self.settings.keeps_plan and pair.role is not None:
            # Reviewers of the plan see policies that stay as well.
            stays = observe.check_policies(
                connection, pair.role.attached, pair.role.state.permissions_boundary
            )
            versions = PolicyVersions({**versions.versions, **stays.versions})
        if provider is not None and request.update.audience is not None:
            pair = replace(pair, provider=provider.result())
            if not request.associate:
                check_provider(connection.cluster, request.update.audience, pair.provider)
        return pair, versions, [UNCHECKED] if accounts is None else []

    def _checked(self, pair: Pairing) -> Pairing:
        """With the association, if it is needed; raises `Refused` if it can't change as requested."""
        update = self.request.update
        if pair.association is None and (update.also_pod_identity or update.session_policy is not None):
            found = observe.read_association(self.connection, pair.namespace, pair.name)
            pair = replace(pair, association=found)
        association.check(update, pair, verify=self.request.verify)
        return pair

    def _boundary(self) -> str | None:
        named = self.request.update.boundary
        return self.request.boundaries.default or None if named is None else named

    def _plan(self, pair: Pairing) -> _Planned:
        update, quotas, notes = self.request.update, planning.Quotas(), list[str]()
        targets: planning.FoundChain | None = None
        new_target: str | None = None
        bare = pair.role is not None and not pair.role.state.permissions_boundary
        if bare and update.concerns_role:
            update = replace(update, boundary=self._boundary())
        if not quotas.suffice(update, pair):
            quotas = self._quotas()
        if pair.has_association_only:
            notes += self._check_target(update, pair)
            update = association.with_permission(update, pair)
        chain = planning.chain_update(update, pair)
        update = update if chain is None else chain.merged(update)
        plan = planning.plan(
            update, pair, quotas, associate=self.request.associate, gated=self.request.verify
        )
        if chain is not None:
            adds, gated = update.update_target_trust, self.request.verify
            judged = adds and not self.request.allow_wide_trust
            new_target = None if chain.after is None else chain.after.target_arn
            targets = _read_chains(self.connection, pair.namespace, chain, judged=judged)
            plan = planning.with_chain(plan, chain, targets, pair, adds=adds, gated=gated)
            left = ((former, targets.left[former.target_arn]) for former in chain.left)
            notes += [*target_notes(chain.after, targets.after), *statement_removals(left)[1]]
        if update.also_pod_identity:
            ways = identity_of(self.connection, pair)
            allowed = Permitted(wide_trust=self.request.allow_wide_trust)
            added = addition(IdentitySource.POD_IDENTITY, ways, allowed)
            notes += notes_of_support(added, pair, lambda: support_of(self.connection, pair.namespace))
            if pair.association is None:
                role = unless_denied(lambda: bindings.whole_role(self.connection.iam, pair.role_name))
                notes += check_switching(self.connection, role, without_tags(ways))
            plan = Plan((*filter(None, plan.stages), *added.stages))
        plan = association.with_association(plan, self.request.update, pair)
        check_boundaries(self.request.boundaries, plan, named=True)
        if not self.request.allow_wide_trust:
            planning.check_pair(pair, plan)
        proven = None
        if self.request.verify:
            proven = planning.chain_of(pair) if chain is None else chain.after
        return _Planned(plan, notes, proven, targets, new_target)

    def _check_target(self, update: Update, pair: Pairing) -> list[str]:
        """Notes about the association's new target role; raises `Refused` if it does not trust the role."""
        chain = association.target_of(update, pair)
        if chain is None:
            return []
        target = observe.read_target(self.connection, chain.target_arn)
        chaining.check_target(chain, target, adds=False)
        return [*target_notes(chain, target)]

    def _quotas(self) -> planning.Quotas:
        found = unless_denied(lambda: iam.quotas(self.connection.iam))
        if isinstance(found, Unreadable):
            return planning.Quotas(known=False)
        default = planning.Quotas()
        return planning.Quotas(
            found.get("AttachedPoliciesPerRoleQuota", default.attached),
            found.get("AssumeRolePolicySizeQuota", default.trust),
        )

    def _prove(self, planned: _Planned, pair: Pairing, run: Run | None) -> None:
        """Exchange a token as pods do; changes in IAM may still be spreading."""
        desired = DesiredState(
            cluster=pair.cluster,
            namespace=pair.namespace,
            name=pair.name,
            role_arn=pair.role_arn,
            audience=self.request.update.audience or pair.audience,
            chain=planned.chain,
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

    def _notes(self, pair: Pairing) -> list[str]:
        update = self.request.update
        notes = [] if pair.role is None else planning.ineffective(update, pair.role)
        if update.audience not in (None, pair.audience):
            notes.append(
                f"restart running pods: they have tokens for {pair.audience}, which the role no longer"
                " accepts"
            )
            notes.append(f"the OIDC provider still accepts {pair.audience}, as others may use it")
        return notes


def _documents(pair: Pairing, planned: _Planned) -> Documents:
    targets = dict[str, FoundTarget]()
    if planned.targets is not None:
        targets.update(planned.targets.left)
        if planned.new_target is not None and planned.targets.after is not None:
            targets[planned.new_target] = planned.targets.after
    return of_pairing(pair, targets)


def _read_chains(
    connection: Connection, namespace: str, wanted: planning.ChainUpdate, *, judged: bool
) -> planning.FoundChain:
    """Read the chain before and after the update; see `observe.read_target`."""
    names = dict.fromkeys(filter(None, (wanted.config_map_before, wanted.config_map)))
    with ThreadPoolExecutor(4) as pool:
        left = pool.submit(observe.targets, connection, wanted.left)
        after = pool.submit(observe.targets, connection, filter(None, [wanted.after]), judged=judged)
        maps = list(pool.map(lambda name: observe.named_config_maps(connection, namespace, name), names))
    found = {name: item for part in maps for name, item in part.items()}
    return planning.FoundChain(left.result(), next(iter(after.result().values()), None), found)


def notes_of_support(
    plan: Plan, account: ServiceAccountRef, support: Callable[[], PodIdentitySupport]
) -> list[str]:
    """Notes about a plan that creates an association; raises `Refused` if pods would get no credentials."""
    if not any(change.kind is Kind.ASSOCIATION and change.before is None for change in plan):
        return []
    found = support()
    found.check(account.cluster, account.namespace, account.name)
    return [*found.notes(account.name)]
