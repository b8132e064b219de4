"""The leftovers of runs in IAM and Kubernetes as values, the state of a role's run, and reports of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Any

from irsa_cli.core.binding.targets import TargetRole
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.lifecycle import Lifecycle, Stage
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import statements, tests_of
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.results.result import Result
from irsa_cli.core.results.result_document import results_envelope, worst
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.chain import Chain, FoundConfigMap
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.core.values.names import MINIMUM_AGE, account_json, began, default_role_path


class _Annotated:
    annotations: Mapping[str, str]

    @property
    def transaction(self) -> str:
        """The run that created it, '' for none."""
        return lifecycle.transaction_of(self.annotations)


class _Tagged:
    state: states.RoleState | states.ProviderState

    @property
    def transaction(self) -> str:
        """The run whose mark it bears, '' for none."""
        return lifecycle.transaction_of(self.state.tags)

    @property
    def service_account(self) -> str:
        """The one (`namespace/name`) that it was created for; '' if it was created for the cluster."""
        return lifecycle.account_of(self.state.tags)


@dataclass(frozen=True)
class SeenConfigMap:
    """A ConfigMap of irsa's, by its name in the namespace of its ServiceAccount."""

    name: str
    uid: str
    found: FoundConfigMap

    @property
    def content(self) -> str:
        """Its name among the contents of its namespace."""
        return f"configmap/{self.name}"


@dataclass(frozen=True)
class SeenRole(_Tagged, Role):
    """A role that bears this cluster's tag, and the evidence of its run: other objects, the journal."""

    chains: tuple[tuple[Chain, TargetRole], ...] = ()
    """The targets that its policy and those ConfigMaps name, and what is there of them."""
    config_maps: tuple[SeenConfigMap, ...] = ()
    """Those that its run made for its ServiceAccount."""
    maps_unread: str = ""
    """Why these are not known, else ''."""
    has_journal: bool = False
    """Whether the journal of its run is on this machine."""
    is_never_bound: bool = False
    """Whether that journal says that the run never began to annotate the ServiceAccount."""

    @property
    def is_associated(self) -> bool:
        """Whether pods get it by EKS Pod Identity: no ServiceAccount names it."""
        return trusts_service(self.trust, SERVICE)

    @property
    def namespace(self) -> str:
        """That of the ServiceAccount."""
        return self.service_account.partition("/")[0]


@dataclass(frozen=True)
class SeenNamespace(_Annotated):
    """A namespace; `contents` are what somebody has put into it, as `kind/name`."""

    name: str
    uid: str
    annotations: Mapping[str, str]
    created: datetime
    contents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SeenProvider(_Tagged):
    """The cluster's OIDC provider."""

    arn: str
    state: states.ProviderState
    created: datetime


@dataclass(frozen=True)
class SeenLeftovers:
    """Everything that decides; `now` is AWS's clock; `trusting`: names of roles that trust the provider."""

    cluster: Cluster
    now: datetime
    roles: tuple[SeenRole, ...] = ()
    role_arns: frozenset[str] = frozenset()
    trusting: frozenset[str] = frozenset()
    accounts: tuple[ServiceAccount, ...] = ()
    namespaces: tuple[SeenNamespace, ...] = ()
    provider: SeenProvider | None = None

    @cached_property
    def bound_arns(self) -> frozenset[str]:
        """The ARNs that ServiceAccounts are annotated with."""
        return frozenset(account.role_arn for account in self.accounts)

    def account(self, full_name: str) -> ServiceAccount | None:
        """The ServiceAccount of this name, if there is one."""
        return next((account for account in self.accounts if account.full_name == full_name), None)

    def role_of(self, account: ServiceAccount) -> str:
        """The ARN of a ServiceAccount's role; '' also if a run created both and only the role is gone."""
        own = f"arn:{self.cluster.partition}:iam::{self.cluster.home}:role"
        own += default_role_path(self.cluster.name)
        of_run = lifecycle.transaction_of(account.annotations)
        is_created_with_it = of_run and account.role_arn.startswith(own)
        if is_created_with_it and account.role_arn not in self.role_arns:
            return ""
        return account.role_arn


@dataclass(frozen=True)
class Piece:
    """Something incomplete: the change that created it, and which incarnation of the object exists."""

    change: Change
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spared:
    """Something with the run's mark that is left alone, and why."""

    kind: Kind
    name: str
    why: str
    next_steps: tuple[str, ...] = ()
    """The commands that complete or remove it."""


@dataclass(frozen=True)
class Leftovers:
    """The leftovers of one run. `age` in seconds: of the youngest piece, or of the run if that is younger.

    `stages` are as in a plan: rolled back from the last to the first. `missing` are the last steps that the
    run lacks: one that is done all the same tells that it lives.
    """

    transaction: str
    accounts: tuple[str, ...]
    why: str
    age: float
    stages: tuple[tuple[Piece, ...], ...] = ()
    spared: tuple[Spared, ...] = ()
    missing: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    """Possible leftovers that could not be read."""
    waits: bool = False
    """Whether something that is left alone can be rolled back when other runs' remains are gone."""

    @property
    def pieces(self) -> Iterator[Piece]:
        """All pieces that would be rolled back, in the order of their creation."""
        return chain.from_iterable(self.stages)


@dataclass(frozen=True)
class Standing:
    """The state of a role: incomplete (`why`), left alone although it looks so (`why`), or complete."""

    incomplete: bool = False
    spared: bool = False
    why: str = ""
    next_steps: tuple[str, ...] = ()


def standing(seen: SeenLeftovers, role: SeenRole) -> Standing:
    """Whether a role can be rolled back, or its deletion continued: not if a ServiceAccount may use it."""
    tags = role.tags
    bound = [account for account in seen.accounts if lifecycle.was_bound(account.annotations, role.arn)]
    life = lifecycle.of(tags, named=role.arn in seen.bound_arns, marked=bool(bound))
    if tags.get(states.CLUSTER_TAG) != seen.cluster.arn or not role.transaction:
        return Standing()
    where = seen.cluster.options
    if life.stage is Stage.UNBOUND:
        return _unbound(role, bound, life, where)
    if life.is_over:
        return Standing()
    if life.named:
        names = sorted(account.full_name for account in seen.accounts if account.role_arn == role.arn)
        why = f"ServiceAccount {', '.join(names)} uses it: {life.why}"
        return Standing(spared=True, why=why, next_steps=tuple(life.next_steps(where)))
    reason = ""
    steps = tuple(life.deletion(where))
    if role.is_associated and not role.has_journal:
        reason = "it can have an EKS Pod Identity association (irsa delete-sa deletes both)"
    elif life.stage is Stage.INCOMPLETE:
        reason = _reason_to_spare(role, life, seen)
    if reason:
        return Standing(spared=True, why=reason, next_steps=steps)
    why = life.why
    if not lifecycle.tells_itself(tags):
        account = seen.account(role.service_account)
        other = account.role_arn if account is not None else ""
        why = unnamed(role.service_account, exists=account is not None, other=other)
    return Standing(incomplete=True, why=why, next_steps=steps)


def _unbound(role: SeenRole, bound: Sequence[ServiceAccount], life: Lifecycle, where: str) -> Standing:
    """The state of a role that ServiceAccounts (`bound`) have lost."""
    for account in bound:
        if account.full_name == role.service_account:
            why = lifecycle.unbinding(account.full_name, account.annotations, _manager_of(account))
            rebinding = life.rebinding(role.arn, where, account.annotations)
            return Standing(spared=True, why=why, next_steps=rebinding)
    # Of another ServiceAccount, only the mark tells that it had the role.
    other = bound[0]
    why = lifecycle.unbinding(other.full_name, other.annotations, _manager_of(other))
    return Standing(spared=True, why=why)


def _reason_to_spare(role: SeenRole, life: Lifecycle, seen: SeenLeftovers) -> str:
    now = seen.now
    if not life.is_readable:
        return life.why
    account = seen.account(role.service_account)
    is_open = life.said is None and not role.is_never_bound
    if is_open and account is not None and _is_of_later_run(account, role):
        # With the one before, irsa's mark has gone that would tell whether the run had finished.
        why = f"ServiceAccount {account.full_name} was created after it, and not by its run"
        manager = _manager_of(account)
        return f"{why}; {manager} manages it" if manager else why
    # Until then a use may have been the run's own proof (`--verify`).
    proven = max(filter(None, [role.created, *began(role.transaction, now)])) + timedelta(seconds=MINIMUM_AGE)
    if role.last_used is not None and role.last_used > proven:
        return f"it was used, last on {role.last_used:%Y-%m-%d}"
    if states.SPEC_HASH_TAG not in role.tags:
        return f"an earlier irsa created it (no tag {states.SPEC_HASH_TAG}) and did not mark it as complete"
    if not _is_sole(role.trust):
        return "its trust policy also allows others"
    return ""


def _is_of_later_run(account: ServiceAccount, role: SeenRole) -> bool:
    """Whether a ServiceAccount was created after the role, and not by the role's run."""
    if account.created is None or role.created is None or account.created <= role.created:
        return False
    return lifecycle.transaction_of(account.annotations) != role.transaction


def _manager_of(account: ServiceAccount) -> str:
    """The tool other than irsa that manages it, '' if none is known."""
    return makers.manager_of_account(account.labels, account.annotations, account.managers)


def _is_sole(trust: Mapping[str, Any]) -> bool:
    """Whether a trust policy has the one statement, for the one subject, that irsa writes."""
    every = statements(trust)
    if len(every) != 1:
        return False
    principal = every[0].get("Principal")
    if not isinstance(principal, dict) or set(principal) != {"Federated"}:
        return False
    subjects: list[str] = []
    for _, key, values in tests_of(every[0]):
        if key.lower().endswith(":sub"):
            subjects += values
    return len(as_list(principal["Federated"])) == 1 and len(subjects) == 1


@dataclass(frozen=True)
class Skipped:
    """A transaction that was not touched, and why; a failure only if it was too `young`."""

    transaction: str
    why: str
    young: bool = False


@dataclass
class Recoveries:
    """How each of several transactions ended; `signal` is the one that stopped the work in between."""

    items: list[Result] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    signal: int = 0

    @property
    def exit_code(self) -> int:
        codes = [int(result.exit_code) for result in self.items]
        if any(skipped.young for skipped in self.skipped):
            codes.append(int(ExitCode.REFUSED))
        if self.signal:
            codes.append(128 + self.signal)
        return worst(codes)

    def envelope(self) -> Envelope:
        skipped = [{"transaction": run.transaction, "why": run.why} for run in self.skipped]
        return results_envelope(
            self.items,
            exit_code=self.exit_code,
            all_begun=not self.signal,
            facts={"skipped": skipped},
        )


def spared_text(spared: Spared) -> str:
    return f"{spared.kind.value} {spared.name}: {spared.why}"


@dataclass(frozen=True)
class Found:
    """The leftovers of runs in a cluster, in the order of their rollback.

    `running` are transactions whose processes live on this machine; what is younger than `minimum_age`
    (seconds) may belong to one that lives elsewhere.
    """

    cluster: Cluster
    leftovers: tuple[Leftovers, ...]
    minimum_age: float
    running: frozenset[str] = frozenset()
    exit_code = ExitCode.DONE

    def is_young(self, leftovers: Leftovers) -> bool:
        """Whether its run may still live, as far as its age tells."""
        return leftovers.age < self.minimum_age

    def why_not(self, leftovers: Leftovers) -> str:
        """Why nothing of these remains is rolled back, '' when something is."""
        if leftovers.transaction in self.running:
            return "its process is still running on this machine"
        if not leftovers.stages:
            return f"irsa keeps all that is left of it: {'; '.join(map(spared_text, leftovers.spared))}"
        if self.is_young(leftovers):
            return f"it is {leftovers.age:.0f} s old: its run may still be active (to override: --min-age 0s)"
        return ""

    def envelope(self) -> Envelope:
        items = list(map(self._json, self.leftovers))
        return Envelope(DocumentKind.LEFTOVERS, ReadOutcome.OK, cluster=self.cluster, items=items)

    def _json(self, leftovers: Leftovers) -> dict[str, Any]:
        accounts = map(account_json, leftovers.accounts)
        return {
            "transaction": leftovers.transaction,
            "serviceAccounts": [account for account in accounts if account is not None],
            "why": leftovers.why,
            "ageSeconds": round(leftovers.age),
            "skipped": self.why_not(leftovers) or None,
            "objects": [
                {"kind": piece.change.kind.value, "target": piece.change.name} for piece in leftovers.pieces
            ],
            "notes": list(leftovers.notes),
            "leftAlone": list(map(_spared_json, leftovers.spared)),
        }


def _spared_json(spared: Spared) -> dict[str, Any]:
    return {
        "kind": spared.kind.value,
        "target": spared.name,
        "why": spared.why,
        "next": list(spared.next_steps),
    }


def unnamed(full_name: str, *, exists: bool, other: str = "") -> str:
    """Why a ServiceAccount does not use a role created for it; `other` is the role it uses instead."""
    if not exists:
        return f"there is no ServiceAccount {full_name}"
    instead = f"uses {other}" if other else f"has no annotation {ROLE_ARN_ANNOTATION}"
    return f"ServiceAccount {full_name} {instead}"
