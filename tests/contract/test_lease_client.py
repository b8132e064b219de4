"""irsa's own client and Leases on both APIs: compare-and-set, the server's clock, the permissions needed."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube import calls
from irsa_cli.kube.client import Dated, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, FORBIDDEN, NOT_FOUND
from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster
from tests.docs import staging
from tests.support import locking
from tests.support.kubes import kube_of

FILES = ("rbac.yaml", "rbac-namespaced.yaml", "change-rbac.yaml")
VERBS = ("get", "list", "create", "update", "delete")


@pytest.fixture
def kube(cluster: Cluster) -> Kube:
    """irsa's client, as an administrator."""
    return kube_of(cluster.admin)


@pytest.fixture
def held(kube: Kube, namespace: str) -> Dated:
    """A lock that somebody holds."""
    return locking.take(kube, namespace, "app")


def refused(work: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        work()
    return caught.value


def test_a_lock_is_taken_renewed_taken_over_and_released(kube: Kube, namespace: str) -> None:
    locking.all_of_it(kube, namespace, "app")


def test_it_is_taken_once(kube: Kube, namespace: str, held: Dated) -> None:
    error = refused(lambda: kube.create_lease(namespace, locking.body("app", "run-2")))
    assert (error.code, error.status, error.outcome) == (EXISTS, 409, Outcome.REFUSED)
    found = kube.lease(namespace, "app")
    assert found is not None
    assert found.body == held.body


def test_of_two_who_take_it_over_one_does(kube: Kube, namespace: str, held: Dated) -> None:
    locking.replace(kube, namespace, held, holderIdentity="run-2")
    error = refused(lambda: locking.replace(kube, namespace, held, holderIdentity="run-3"))
    assert (error.code, error.outcome, error.transient) == (CONFLICT, Outcome.REFUSED, False)
    error = refused(lambda: locking.release(kube, namespace, held))
    assert (error.code, error.outcome) == (CONFLICT, Outcome.REFUSED)


def test_one_that_is_gone_is_not_made_anew(kube: Kube, namespace: str, held: Dated) -> None:
    locking.release(kube, namespace, held)
    assert refused(lambda: locking.replace(kube, namespace, held)).code == CONFLICT
    assert kube.lease(namespace, "app") is None
    locking.release(kube, namespace, held)


@pytest.mark.parametrize("key", ["uid", "resourceVersion"])
def test_what_would_be_written_over_anything_is_not_sent(
    kube: Kube, namespace: str, held: Dated, key: str
) -> None:
    body = {**held.body, "metadata": {k: v for k, v in held.body["metadata"].items() if k != key}}
    with pytest.raises(ValueError, match="uid"):
        kube.replace_lease(namespace, "app", body)


def test_another_of_the_same_name_is_left_alone(kube: Kube, namespace: str, held: Dated) -> None:
    locking.release(kube, namespace, held)
    other = locking.take(kube, namespace, "app")
    assert refused(lambda: locking.release(kube, namespace, held)).code == CONFLICT
    assert refused(lambda: locking.replace(kube, namespace, held)).code == CONFLICT
    found = kube.lease(namespace, "app")
    assert found is not None
    assert found.body == other.body


def test_without_a_namespace(kube: Kube, unique: str) -> None:
    assert kube.lease(unique, "app") is None
    assert kube.all("leases", unique, "") == []
    error = refused(lambda: locking.take(kube, unique, "app"))
    assert (error.code, error.status, error.outcome) == (NOT_FOUND, 404, Outcome.REFUSED)
    assert f'namespaces "{unique}" not found' in error.reason
    kube.delete_lease(unique, "app", uid="a", version="1")


def test_what_is_no_lease(kube: Kube, namespace: str) -> None:
    body = locking.body("app")
    error = refused(lambda: kube.create_lease(namespace, {**body, "spec": {"leaseDurationSeconds": 0}}))
    assert (error.status, error.outcome, error.transient) == (422, Outcome.REFUSED, False)
    error = refused(lambda: kube.create_lease(namespace, {**body, "spec": {"renewTime": "now"}}))
    assert (error.status, error.outcome, error.transient) == (400, Outcome.REFUSED, False)


def test_the_servers_clock_comes_with_each_answer(kube: Kube, namespace: str) -> None:
    taken = locking.take(kube, namespace, "app")
    read = kube.lease(namespace, "app")
    assert read is not None
    renewed = locking.replace(kube, namespace, read, renewTime=locking.TIME.format(1))
    for seen in (taken, read, renewed):
        assert seen.date is not None
        assert (seen.date.tzinfo, seen.date.microsecond) == (timezone.utc, 0)
        (entry,) = seen.body["metadata"]["managedFields"]
        written = datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
        # The same clock: of what was written before, the time is never later than the answer's.
        assert timedelta(0) <= seen.date - written < timedelta(minutes=5)


@pytest.mark.parametrize("page", [1, 2, 500])
def test_lists_by_labels_in_pages(
    kube: Kube, namespace: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", page)
    for number in range(5):
        body = locking.body(f"app-{number}")
        body["metadata"]["labels"] = {"irsa/odd": str(number % 2)}
        kube.create_lease(namespace, body)
    found = kube.all("leases", namespace, "irsa/odd=0")
    assert [item["metadata"]["name"] for item in found] == ["app-0", "app-2", "app-4"]
    assert len(kube.all("leases", namespace, "irsa/odd")) == 5
    assert kube.all("leases", namespace, "irsa/odd=2") == []


def rules_of(path: Path, namespace: str) -> list[Rule]:
    """What a documented file gives, in this test's namespace: one rule for each verb."""
    return [
        Rule((verb,), rule.resources, rule.namespace, groups=rule.groups)
        for rule in staging.lock_rules(path, namespace)
        for verb in rule.verbs
    ]


@pytest.mark.parametrize("file", FILES)
def test_the_documented_role_suffices(cluster: Cluster, namespace: str, file: str) -> None:
    rules = rules_of(staging.PERMISSIONS / file, namespace)
    assert sorted(rule.verbs[0] for rule in rules) == sorted(VERBS)
    locking.all_of_it(kube_of(cluster.user(namespace, rules)), namespace, "app")


def work_of(verb: str, kube: Kube, namespace: str, held: Dated) -> object:
    """What of a lock needs this verb."""
    work: dict[str, Callable[[], object]] = {
        "get": lambda: kube.lease(namespace, "app"),
        "list": lambda: kube.all("leases", namespace, "lock"),
        "create": lambda: locking.take(kube, namespace, "other"),
        "update": lambda: locking.replace(kube, namespace, held, renewTime=locking.TIME.format(1)),
        "delete": lambda: locking.release(kube, namespace, held),
    }
    return work[verb]()


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_needed_and_enough(cluster: Cluster, namespace: str, held: Dated, verb: str) -> None:
    rules = rules_of(staging.PERMISSIONS / "rbac.yaml", namespace)
    without = [rule for rule in rules if rule.verbs != (verb,)]
    kube = kube_of(cluster.user(f"{namespace}-without", without))
    error = refused(lambda: work_of(verb, kube, namespace, held))
    assert (error.code, error.status, error.outcome) == (FORBIDDEN, 403, Outcome.REFUSED)
    assert error.details == (f"missing RBAC permission: {verb} leases",)
    only = [rule for rule in rules if rule.verbs == (verb,)]
    work_of(verb, kube_of(cluster.user(f"{namespace}-only", only)), namespace, held)


def test_of_a_namespace_of_others_nothing_is_in_reach(cluster: Cluster, namespace: str, unique: str) -> None:
    rules = rules_of(staging.PERMISSIONS / "rbac-namespaced.yaml", namespace)
    kube = kube_of(cluster.user(unique, rules))
    other = locking.take(kube_of(cluster.admin), "default", unique)
    for verb in VERBS:
        assert refused(partial(work_of, verb, kube, "default", other)).code == FORBIDDEN
