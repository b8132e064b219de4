"""Locks as values: their Leases' names, their order, and which a plan needs."""

import re

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.marks.locks import Lock, LockScope, cluster_label, locks_of, shared_locks
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    SERVICE_ACCOUNT_TAG,
    DocumentState,
    NamespaceState,
    Present,
    ProviderState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.recovery.authority import recovery_locks
from tests.support.memory.cloud import CLUSTER

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
subjects = st.text(min_size=1, max_size=320)
locks = st.builds(Lock, st.sampled_from(LockScope), subjects)
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0"
ROLE = Lock(LockScope.ROLE, "arn:aws:iam::111122223333:role/r")


@given(locks)
def test_a_name_is_one_of_kubernetes(lock: Lock) -> None:
    assert LABEL.fullmatch(lock.name)
    assert LABEL.fullmatch(cluster_label(lock.subject, lock.subject))


@given(locks, locks)
def test_two_locks_have_two_names(one: Lock, other: Lock) -> None:
    assert (one.name == other.name) == (one == other)


def test_a_name_is_readable() -> None:
    assert Lock(LockScope.BINDING, "backend/s3-reader").name.startswith("irsa-binding-backend-s3-reader-")
    assert Lock.of_role("111122223333", "app").name.startswith("irsa-role-app-")


def test_bindings_come_before_what_they_share() -> None:
    binding, namespace = Lock(LockScope.BINDING, "z/z"), Lock(LockScope.NAMESPACE, "a")
    provider, role = Lock(LockScope.PROVIDER, "a"), Lock(LockScope.ROLE, "a")
    assert sorted([role, provider, namespace, binding]) == [binding, namespace, provider, role]


def role(tags: dict[str, str] | None = None) -> RoleState:
    return RoleState("/", {}, tags=tags or {})


def of(*changes: Change) -> set[Lock]:
    return set(shared_locks(changes, CLUSTER))


def test_a_fresh_binding_shares_nothing() -> None:
    account = ServiceAccountState({})
    plan = [
        Change(Kind.ROLE, ("r",), None, role()),
        Change(Kind.ATTACHMENT, ("r", "p"), None, Present()),
        Change(Kind.TRUST_STATEMENT, ("r", "s"), None, DocumentState({})),
        Change(Kind.SERVICE_ACCOUNT, ("ns", "app"), None, account),
    ]
    assert of(*plan) == set()
    assert locks_of(plan, CLUSTER) == {Lock(LockScope.BINDING, "ns/app")}
    assert ROLE in recovery_locks(plan, CLUSTER)  # It may have to be deleted.


def test_what_is_shared_is_locked() -> None:
    made = Change(Kind.NAMESPACE, ("ns",), None, NamespaceState())
    provider = Change(Kind.PROVIDER, (PROVIDER,), None, ProviderState("u", []))
    audience = Change(Kind.AUDIENCE, (PROVIDER, "a"), None, Present())
    assert of(made) == of(made.inverse) == {Lock(LockScope.NAMESPACE, "ns")}
    assert of(provider) == of(audience) == {Lock(LockScope.PROVIDER, PROVIDER)}
    trust = Change(Kind.TRUST_STATEMENT, ("r", "s"), None, DocumentState({}))
    assert of(trust) == of(Change(Kind.ROLE, ("r",), role(), None)) == {ROLE}


def test_a_role_of_another_service_account_is_locked_with_that() -> None:
    change = Change(Kind.ROLE, ("r",), None, role({SERVICE_ACCOUNT_TAG: "ns/other"}))
    assert locks_of([change], CLUSTER) == {Lock(LockScope.BINDING, "ns/other")}
