"""irsa's Leases when answers are lost, late or foreign: what is told of them, and what is repeated."""

from collections.abc import Callable
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
    assert [f"{call.operation} {call.subject} {call.status}" for call in sandbox.calls] == [
        "GET leases default/app 404",
        "POST leases default/app 201",
        "GET leases default/app 200",
        "GET leases default/ 200",
        "PUT leases default/app 200",
        "PUT leases default/app 200",
        "DELETE leases default/app 200",
        "GET leases default/app 404",
    ]


@pytest.mark.parametrize("kind", LOST)
def test_a_write_whose_answer_is_lost(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    def lost(operation: str, code: str, write: Callable[[], object]) -> dict[str, Any]:
        sandbox.faults.add(Fault("kubernetes", operation, kind))
        with pytest.raises(ServiceError) as caught:
            write()
        assert (caught.value.code, caught.value.outcome) == (code, Outcome.UNKNOWN)
        found = kube.lease("default", "app")
        assert found is not None
        return dict(found.body["spec"])

    made = lost("POST leases", EXISTS, lambda: locking.take(kube, "default", "app"))
    assert made["holderIdentity"] == "run-1"
    held, later = kube.lease("default", "app"), locking.TIME.format(1)
    assert held is not None
    renewed = lost("PUT leases", CONFLICT, lambda: locking.replace(kube, "default", held, renewTime=later))
    assert renewed["renewTime"] == later


@pytest.mark.parametrize("kind", LOST)
def test_a_release_whose_answer_is_lost(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    held = locking.take(kube, "default", "app")
    sandbox.faults.add(Fault("kubernetes", "DELETE leases", kind))
    locking.release(kube, "default", held)
    assert kube.lease("default", "app") is None


@pytest.mark.parametrize("operation", ["POST leases", "PUT leases", "DELETE leases", "GET leases"])
def test_what_does_not_arrive_is_sent_again_and_a_refusal_is_told_at_once(
    sandbox: Sandbox, kube: Kube, operation: str
) -> None:
    again: Any = ("reset-before", "throttle")
    for kind in again:
        sandbox.faults.add(Fault("kubernetes", operation, kind))
    locking.all_of_it(kube, "default", "app")
    assert len(sandbox.faults.struck) == 2
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
