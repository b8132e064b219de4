"""The decision which leftovers are incomplete and can be rolled back, run by run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain

from irsa_cli.core.binding.targets import statement_removals
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.recovery.leftovers import (
    Leftovers,
    Piece,
    SeenLeftovers,
    SeenNamespace,
    SeenProvider,
    SeenRole,
    Spared,
    Standing,
    standing,
)
from irsa_cli.core.trust.chain import role_of
from irsa_cli.core.values.names import began

Key = tuple[Kind, tuple[str, ...]]
"""An object: its kind and the target of the change that creates it."""


class Finder:
    """Decides what of `seen` is incomplete; `ended` are runs whose journals say that they have committed."""

    def __init__(self, seen: SeenLeftovers, ended: Collection[str] = ()) -> None:
        self._seen = seen
        self._ended = frozenset(ended)
        self._facts = _Facts(seen)

    def find(self, minimum_age: float) -> list[Leftovers]:
        """The leftovers of all runs, in rollback order, each as if old ones before it were gone."""
        gone: set[Key] = set()
        in_order: list[Leftovers] = []
        newest_first = sorted(self._runs() - {""}, reverse=True)
        waiting = [name for name in newest_first if self.leftovers(name) is not None]
        while waiting:
            name, leftovers = self._next(waiting, gone)
            waiting.remove(name)
            if leftovers is not None:
                in_order.append(leftovers)
                if leftovers.age >= minimum_age:
                    gone |= {key_of(piece) for piece in leftovers.pieces}
        return in_order

    def _runs(self) -> set[str]:
        """The runs whose marks objects bear; '' for those that bear none."""
        seen = self._seen
        runs = {role.transaction for role in seen.roles}
        runs |= {lifecycle.transaction_of(account.annotations) for account in seen.accounts}
        runs |= {namespace.transaction for namespace in seen.namespaces}
        if seen.provider is not None:
            runs.add(seen.provider.transaction)
        return runs

    def _next(self, waiting: Sequence[str], gone: Collection[Key]) -> tuple[str, Leftovers | None]:
        """The first run that does not wait for another one, with its leftovers.

        Of runs that wait for each other it is the first: what is left of it is found the next time.
        """
        for name in waiting:
            leftovers = self.leftovers(name, gone)
            if leftovers is None or not leftovers.waits:
                return name, leftovers
        return waiting[0], self.leftovers(waiting[0], gone)

    def leftovers(
        self, transaction: str, gone: Collection[Key] = (), *, named: bool = False
    ) -> Leftovers | None:
        """The leftovers of one run, None if no object that may be incomplete has its mark.

        `gone` was rolled back meanwhile. `named`: the user has named this very run, so that a ServiceAccount
        without a role is known to be its work.
        """
        judge = _Judge(self._facts, transaction, frozenset(gone), named=named)
        if transaction in self._ended:
            return judge.spared_as_ended()
        return judge.leftovers()

    def incomplete(self) -> set[str]:
        """The names of the roles that are incomplete: what is on them has to be read."""
        return {name for name, standing in self._facts.standings.items() if standing.incomplete}


class _Facts:
    """The facts that are the same for all runs."""

    def __init__(self, seen: SeenLeftovers) -> None:
        self.seen = seen
        self.standings = {role.name: standing(seen, role) for role in seen.roles}

    @cached_property
    def _incomplete(self) -> list[SeenRole]:
        return [role for role in self.seen.roles if self.standings[role.name].incomplete]

    @cached_property
    def incomplete_arns(self) -> set[str]:
        return {role.arn for role in self._incomplete}

    def _is_deleted(self, role: SeenRole) -> bool:
        """Whether its deletion was begun, and no annotation shows that its ServiceAccount has had a role."""
        return role.tags.get(states.COMMIT_TAG) == states.DELETING and role.is_associated

    @cached_property
    def unfinished(self) -> set[str]:
        """ServiceAccounts with an incomplete role, of any run."""
        return {role.service_account for role in self._incomplete if not self._is_deleted(role)}

    @cached_property
    def settled(self) -> set[str]:
        """ServiceAccounts that have, or had, a role of their own, and none that is incomplete."""
        settled = {
            role.service_account
            for role in self.seen.roles
            if not self.standings[role.name].incomplete or self._is_deleted(role)
        }
        return settled - self.unfinished

    @cached_property
    def inhabited(self) -> set[str]:
        """Namespaces in which a ServiceAccount has a role, or had one that is still there."""
        with_role = {account.namespace for account in self.seen.accounts if self.seen.role_of(account)}
        return with_role | {name.partition("/")[0] for name in self.settled}

    @cached_property
    def bare_namespaces(self) -> set[str]:
        """Namespaces of runs that contain only ServiceAccounts of runs, all without a role."""
        return {
            namespace.name
            for namespace in self.seen.namespaces
            if namespace.name not in self.inhabited and self.contents(namespace) <= self._bare(namespace)
        }

    def contents(self, namespace: SeenNamespace) -> set[str]:
        """The contents of a namespace, except those that Kubernetes adds."""
        accounts = self._accounts_in(namespace)
        return {_name_in(account) for account in accounts if account.name != "default"} | namespace.contents

    def _accounts_in(self, namespace: SeenNamespace) -> list[ServiceAccount]:
        return [account for account in self.seen.accounts if account.namespace == namespace.name]

    def _bare(self, namespace: SeenNamespace) -> set[str]:
        bare = {
            _name_in(account)
            for account in self._accounts_in(namespace)
            if lifecycle.transaction_of(account.annotations) and not self.seen.role_of(account)
        }
        for role in self.seen.roles:
            if role.namespace == namespace.name:
                bare |= {config_map.content for config_map in role.config_maps}
        return bare


def key_of(piece: Piece) -> Key:
    """The object that a piece is."""
    return piece.change.kind, piece.change.target


class _Judge:
    def __init__(self, facts: _Facts, transaction: str, gone: frozenset[Key], *, named: bool) -> None:
        self._facts = facts
        self._seen = facts.seen
        self._standings = facts.standings
        self._transaction = transaction
        self._gone = gone
        self._named = named

    def leftovers(self) -> Leftovers | None:
        roles = self._incomplete
        # By the role and its policy the chained ones are known: should they stay, so do those.
        stages = (self._containers(), self._contained(), self._chained())
        spared = tuple(self._spared())
        if not any(stages) and not spared:
            return None
        return Leftovers(
            self._transaction,
            self._account_names,
            self._why(roles, self._certain),
            age_of(self._transaction, self._created(), self._seen.now),
            tuple(tuple(stage) for stage in stages if stage),
            spared,
            tuple(_last_step(role) for role in roles if lifecycle.is_recorded_by_account(role.tags)),
            tuple(filter(None, self._notes())),
            self._waits,
        )

    def _containers(self) -> list[Piece]:
        """The provider, namespaces and roles."""
        pieces: list[Piece] = []
        provider = self._free_provider
        if provider is not None:
            pieces.append(_piece(Kind.PROVIDER, (provider.arn,), provider.state))
        for namespace in self._free_namespaces:
            state = states.NamespaceState()
            pieces.append(_piece(Kind.NAMESPACE, (namespace.name,), state, uid=namespace.uid))
        pieces += [_piece(*_key(role), role.state, RoleId=role.role_id) for role in self._incomplete]
        return pieces

    def _contained(self) -> list[Piece]:
        """The policies of those roles, and the ServiceAccounts."""
        pieces = list(chain.from_iterable(map(_policy_pieces, self._incomplete)))
        for account in self._certain:
            # Of its state only this is known to be the run's: no role's ARN, or that of one that is gone.
            bound = states.ServiceAccountState(
                annotations={states.ROLE_ARN_ANNOTATION: account.role_arn or None}
            )
            pieces.append(_piece(*_key_of(account), bound, uid=account.uid))
        return pieces

    def _chained(self) -> list[Piece]:
        return list(chain.from_iterable(map(_chain_pieces, self._incomplete)))

    def _created(self) -> Iterator[datetime | None]:
        yield from (role.created for role in self._incomplete)
        yield from (account.created for account in self._certain)
        yield from (namespace.created for namespace in self._free_namespaces)
        if self._free_provider is not None:
            yield self._free_provider.created

    def _notes(self) -> Iterator[str]:
        for role in self._incomplete:
            yield role.maps_unread
            _, notes = statement_removals(role.chains)
            yield from notes

    def spared_as_ended(self) -> Leftovers | None:
        """All of it is left alone: the run committed, and the missing parts were removed later."""
        why = "its run succeeded; somebody removed the missing parts later"
        roles = [role for role in self._own_roles if self._standings[role.name] != Standing()]
        if not roles:
            return None
        spared = tuple(Spared(Kind.ROLE, role.name, why) for role in roles)
        age = age_of(self._transaction, (role.created for role in roles), self._seen.now)
        return Leftovers(self._transaction, self._account_names, why, age, (), spared)

    @cached_property
    def _own_roles(self) -> list[SeenRole]:
        return [role for role in self._seen.roles if role.transaction == self._transaction]

    @cached_property
    def _incomplete(self) -> list[SeenRole]:
        return [role for role in self._own_roles if self._standings[role.name].incomplete]

    @cached_property
    def _bare(self) -> list[ServiceAccount]:
        """The run's ServiceAccounts that have no role: made before a gate, or it was lost later."""
        return [
            account
            for account in self._seen.accounts
            if lifecycle.transaction_of(account.annotations) == self._transaction
            and not self._seen.role_of(account)
            and account.full_name not in self._facts.settled
        ]

    @cached_property
    def _certain(self) -> list[ServiceAccount]:
        """Those of them of which something shows that they never had a role."""
        if self._named:
            return self._bare
        names = set(self._facts.unfinished)
        if self._free_provider is not None:
            names.add(self._free_provider.service_account)
        return [
            account
            for account in self._bare
            if account.full_name in names or account.namespace in self._facts.bare_namespaces
        ]

    @cached_property
    def _own_namespaces(self) -> list[SeenNamespace]:
        return [
            namespace
            for namespace in self._seen.namespaces
            if namespace.transaction == self._transaction and namespace.name not in self._facts.inhabited
        ]

    @cached_property
    def _free_namespaces(self) -> list[SeenNamespace]:
        return [namespace for namespace in self._own_namespaces if not self._contents(namespace)]

    def _contents(self, namespace: SeenNamespace) -> set[str]:
        """The contents of a namespace, except those that are rolled back before it."""
        going = {
            _name_in(account)
            for account in self._seen.accounts
            if account.namespace == namespace.name
            and (account in self._certain or _key_of(account) in self._gone)
        }
        for role in self._seen.roles:
            is_going = role in self._incomplete or _key(role) in self._gone
            if role.namespace == namespace.name and is_going:
                going |= {config_map.content for config_map in role.config_maps}
        return self._facts.contents(namespace) - going

    @cached_property
    def _own_provider(self) -> SeenProvider | None:
        """The provider, if the run created it for a ServiceAccount that has no role now."""
        provider = self._seen.provider
        if (
            provider is None
            or provider.transaction != self._transaction
            or provider.state.tags.get(states.CLUSTER_TAG) != self._seen.cluster.arn
            or not provider.service_account
            or provider.service_account in self._facts.settled
            or self._is_bound(provider.service_account)
        ):
            return None
        return provider

    def _is_bound(self, full_name: str) -> bool:
        """Whether a ServiceAccount has a role that is there, or may be (in another account)."""
        account = self._seen.account(full_name)
        arn = account.role_arn if account is not None else ""
        if not arn:
            return False
        if arn.split(":")[4:5] != [self._seen.cluster.home]:
            return True
        return arn in self._seen.role_arns and arn not in self._facts.incomplete_arns

    @cached_property
    def _trusting(self) -> set[str]:
        """The roles that trust the provider and are not rolled back before it."""
        gone = {target[0] for kind, target in self._gone if kind is Kind.ROLE}
        return set(self._seen.trusting) - {role.name for role in self._incomplete} - gone

    @cached_property
    def _free_provider(self) -> SeenProvider | None:
        return None if self._trusting else self._own_provider

    @property
    def _provider_waits(self) -> bool:
        """Whether only roles that are incomplete, of other runs, keep the provider."""
        trusting = self._trusting
        incomplete = (self._standings.get(name, Standing()).incomplete for name in trusting)
        return self._own_provider is not None and bool(trusting) and all(incomplete)

    @property
    def _waits(self) -> bool:
        """Whether something could be rolled back as soon as the remains of other runs are."""
        names = (namespace.name for namespace in self._own_namespaces if self._contents(namespace))
        return self._provider_waits or any(name in self._facts.bare_namespaces for name in names)

    def _spared(self) -> Iterator[Spared]:
        for role in self._own_roles:
            standing = self._standings[role.name]
            if standing.spared:
                yield Spared(Kind.ROLE, role.name, standing.why, standing.next_steps)
        for account in self._bare:
            if account not in self._certain:
                why = "it may have had a role before; to roll it back, give the transaction id"
                yield Spared(Kind.SERVICE_ACCOUNT, account.full_name, why, (self._by_name,))
        for namespace in self._own_namespaces:
            contents = self._contents(namespace)
            if contents:
                why = f"it is not empty: {', '.join(sorted(contents))}"
                keep = f"kubectl annotate namespace {namespace.name} {states.TRANSACTION_TAG}-"
                yield Spared(Kind.NAMESPACE, namespace.name, why, (f"{keep}  # keeps it",))
        # Trusted by roles that are complete, it is in use like any other.
        if self._own_provider and self._provider_waits:
            why = f"roles trust it: {', '.join(sorted(self._trusting))}"
            first = f"irsa recover --all {self._seen.cluster.options}  # the runs of these roles first"
            yield Spared(Kind.PROVIDER, self._own_provider.arn, why, (first,))

    @property
    def _by_name(self) -> str:
        """The command that rolls back this very run."""
        return f"irsa recover {self._transaction} {self._seen.cluster.options}  # rolls it back"

    @property
    def _account_names(self) -> tuple[str, ...]:
        names = {role.service_account for role in self._own_roles if self._standings[role.name] != Standing()}
        names |= {account.full_name for account in self._bare}
        if self._own_provider is not None:
            names.add(self._own_provider.service_account)
        return tuple(sorted(names))

    def _why(self, roles: list[SeenRole], accounts: list[ServiceAccount]) -> str:
        """In one sentence: why the run counts as cut off, or why all of it is left alone."""
        if roles:
            return self._standings[roles[0].name].why
        if accounts:
            return f"ServiceAccount {accounts[0].full_name} has no role yet"
        if self._free_provider is not None:
            name = self._free_provider.service_account
            return f"ServiceAccount {name} has no role, and no role trusts the provider"
        if self._free_namespaces:
            return f"namespace {self._free_namespaces[0].name} is empty"
        return ""


def _name_in(account: ServiceAccount) -> str:
    """A ServiceAccount among the contents of its namespace."""
    return f"serviceaccount/{account.name}"


def _key(role: SeenRole) -> Key:
    return Kind.ROLE, (role.name,)


def _key_of(account: ServiceAccount) -> Key:
    return Kind.SERVICE_ACCOUNT, (account.namespace, account.name)


def _piece(kind: Kind, target: tuple[str, ...], state: states.State, **identity: str) -> Piece:
    return Piece(Change(kind, target, None, state), identity)


def _policy_pieces(role: SeenRole) -> list[Piece]:
    attached = [_piece(Kind.ATTACHMENT, (role.name, arn), states.Present()) for arn in sorted(role.attached)]
    inline = [
        _piece(Kind.INLINE_POLICY, (role.name, name), states.DocumentState(document))
        for name, document in sorted(role.inline.items())
    ]
    return [*attached, *inline]


def _chain_pieces(role: SeenRole) -> list[Piece]:
    """The parts of a run for a role's target role: the ConfigMap, and the statement of the target."""
    pieces = []
    for config_map in role.config_maps:
        data = dict(config_map.found.data)
        state = states.ConfigMapState(data, role.service_account, role=role_of(data))
        target = (role.namespace, config_map.name)
        pieces.append(_piece(Kind.CONFIG_MAP, target, state, uid=config_map.uid))
    removals, _ = statement_removals(role.chains)
    pieces += [Piece(removal.inverse) for removal in removals]
    return pieces


def _last_step(role: SeenRole) -> Change:
    """The missing step of its run: if it is done after all, the run was active, and is over."""
    namespace, _, name = role.service_account.partition("/")
    state = states.ServiceAccountState(annotations={states.ROLE_ARN_ANNOTATION: role.arn})
    return Change(Kind.SERVICE_ACCOUNT, (namespace, name), None, state)


def age_of(transaction: str, created: Iterable[datetime | None], now: datetime) -> float:
    """Seconds since the youngest object was created, or the run began: it may continue an older one."""
    moments = [*filter(None, created), *began(transaction, now)]
    if not moments:
        return 0.0
    return max(0.0, (now - max(moments)).total_seconds())
