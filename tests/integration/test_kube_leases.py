"""irsa's Leases when answers are lost, late or foreign: what is told of them, and what is repeated."""

from datetime import datetime, timezone
from typing import Any

import pytest

from irsa_cli.aws.cluster import EksCluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.core.values.limits import date_of
from irsa_cli.kube.client import Kube
from irsa_cli.kube.connection import from_eks
from irsa_cli.kube.errors import CONFLICT, EXISTS
from irsa_cli.sandbox import Fault, Sandbox
from tests.support import locking
from tests.support.eks import bearer
from tests.support.sandbox_clients import client

LOST: Any = ["reset-after", "truncate-after", "half-body", "garble-after"]
"""Kinds of faults after which a call was executed, and its answer is lost."""


@pytest.fixture
def kube(sandbox: Sandbox) -> Kube:
    """An administrator's client, connected as commands connect."""
    found = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]
    cluster = Cluster("demo", "", "eu-west-1", "aws", "111122223333", "")
    eks = EksCluster(cluster, found["endpoint"], found["certificateAuthority"]["data"])
    sandbox.calls.clear()
    return Kube(from_eks(eks, lambda: bearer(sandbox.env(), "demo")))


def test_the_names_of_the_calls(sandbox: Sandbox, kube: Kube) -> None:
    locking.all_of_it(kube, "default", "app")
    # The list names no object.
    told = [(call.operation, call.subject, call.status) for call in sandbox.calls]
    of_one = "default/app"
    assert told == [
        ("GET leases", of_one, 404),
        ("POST leases", of_one, 201),
        ("GET leases", of_one, 200),
        ("GET leases", "default/", 200),
        ("PUT leases", of_one, 200),
        ("PUT leases", of_one, 200),
        ("DELETE leases", of_one, 200),
        ("GET leases", of_one, 404),
    ]


@pytest.mark.parametrize("kind", LOST)
def test_a_creation_whose_answer_is_lost(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    sandbox.faults.add(Fault("kubernetes", "POST leases", kind))
    with pytest.raises(ServiceError) as caught:
        locking.take(kube, "default", "app")
    assert (caught.value.code, caught.value.outcome) == (EXISTS, Outcome.UNKNOWN)
    found = kube.lease("default", "app")
    assert found is not None
    assert found.body["spec"]["holderIdentity"] == "run-1"


@pytest.mark.parametrize("kind", LOST)
def test_a_renewal_whose_answer_is_lost(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    held = locking.take(kube, "default", "app")
    sandbox.faults.add(Fault("kubernetes", "PUT leases", kind))
    with pytest.raises(ServiceError) as caught:
        locking.replace(kube, "default", held, renewTime=locking.TIME.format(1))
    assert (caught.value.code, caught.value.outcome) == (CONFLICT, Outcome.UNKNOWN)
    found = kube.lease("default", "app")
    assert found is not None
    assert found.body["spec"]["renewTime"] == locking.TIME.format(1)


@pytest.mark.parametrize("kind", LOST)
def test_a_release_whose_answer_is_lost(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    held = locking.take(kube, "default", "app")
    sandbox.faults.add(Fault("kubernetes", "DELETE leases", kind))
    locking.release(kube, "default", held)
    assert kube.lease("default", "app") is None


@pytest.mark.parametrize("operation", ["POST leases", "PUT leases", "DELETE leases", "GET leases"])
def test_what_does_not_arrive_is_sent_again(sandbox: Sandbox, kube: Kube, operation: str) -> None:
    sandbox.faults.add(Fault("kubernetes", operation, "reset-before"))
    sandbox.faults.add(Fault("kubernetes", operation, "throttle"))
    locking.all_of_it(kube, "default", "app")
    assert len(sandbox.faults.struck) == 2


@pytest.mark.parametrize("operation", ["POST leases", "PUT leases", "DELETE leases", "GET leases"])
def test_a_refusal_is_told_at_once(sandbox: Sandbox, kube: Kube, operation: str) -> None:
    sandbox.faults.add(Fault("kubernetes", operation, "error", code="Forbidden"))
    with pytest.raises(ServiceError) as caught:
        locking.all_of_it(kube, "default", "app")
    assert (caught.value.code, caught.value.outcome) == ("Forbidden", Outcome.REFUSED)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "[]",
        '{"kind": "Status"}',
        '{"kind": "Lease", "metadata": {"name": "app"}}',
        '{"kind": "Lease", "metadata": {"name": "app", "namespace": "default", "uid": "a", '
        '"resourceVersion": "1"}, "spec": {"renewTime": "yesterday"}}',
    ],
)
def test_what_is_no_lease_is_never_taken_for_one(sandbox: Sandbox, kube: Kube, body: str) -> None:
    fault = Fault(
        "kubernetes", "GET leases", "answer", status=200, body=body, content_type="application/json"
    )
    sandbox.faults.add(fault)
    assert kube.lease("default", "app") is None
    assert [call.status for call in sandbox.calls] == [200, 404]


def test_what_a_proxy_does_not_find_is_not_gone(sandbox: Sandbox, kube: Kube) -> None:
    held = locking.take(kube, "default", "app")
    for operation in ("GET leases", "DELETE leases"):
        sandbox.faults.add(Fault("kubernetes", operation, "answer", status=404, body="<html>"))
    with pytest.raises(ServiceError) as caught:
        kube.lease("default", "app")
    assert caught.value.status == 404
    with pytest.raises(ServiceError) as caught:
        locking.release(kube, "default", held)
    assert caught.value.status == 404
    assert kube.lease("default", "app") is not None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 26 Nov 2026 06:53:13 GMT", datetime(2026, 11, 26, 6, 53, 13, tzinfo=timezone.utc)),
        ("Thu, 26 Nov 2026 06:53:13 -0000", datetime(2026, 11, 26, 6, 53, 13, tzinfo=timezone.utc)),
        ("Thu, 26 Nov 2026 06:53:13 +0200", datetime(2026, 11, 26, 4, 53, 13, tzinfo=timezone.utc)),
        *[(text, None) for text in (None, "", "now", "0", "Thu, 99 Nov 2026 06:53:13 GMT", "\x00", "1e99")],
    ],
)
def test_the_date_of_an_answer(text: str | None, moment: datetime | None) -> None:
    assert date_of(text) == moment
