"""irsa's Kubernetes client when lists are cut off and answers are lost."""

from typing import Any

import pytest

from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube import calls
from irsa_cli.kube.client import Kube
from irsa_cli.sandbox import Fault, Sandbox
from tests.support.kubes import kube_of
from tests.support.sandbox_kube import kube_as

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
EXPIRED: dict[str, Any] = {"code": "Expired", "status": 410, "times": None}


@pytest.fixture
def kube(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """An administrator's client, in a cluster with five ServiceAccounts and pages of two."""
    monkeypatch.setattr(calls, "PAGE", 2)
    admin = kube_as(sandbox)
    for number in range(4):
        assert admin.create(ACCOUNTS, {"metadata": {"name": f"app-{number}"}}).status == 201
    sandbox.calls.clear()
    return kube_of(admin)


def names(kube: Kube) -> list[str]:
    return [item["metadata"]["name"] for item in kube.service_accounts("default")]


def test_pages(sandbox: Sandbox, kube: Kube) -> None:
    assert names(kube) == ["app-0", "app-1", "app-2", "app-3", "default"]
    assert [call.status for call in sandbox.calls] == [200, 200, 200]


def test_a_list_that_the_server_has_forgotten_is_read_at_once(sandbox: Sandbox, kube: Kube) -> None:
    sandbox.faults.add(Fault("kubernetes", "GET serviceaccounts", "error", match="continue=", **EXPIRED))
    assert names(kube) == ["app-0", "app-1", "app-2", "app-3", "default"]
    assert [call.status for call in sandbox.calls] == [200, 410, 200]


def test_a_server_that_forgets_everything(sandbox: Sandbox, kube: Kube) -> None:
    sandbox.faults.add(Fault("kubernetes", "GET serviceaccounts", "error", **EXPIRED))
    with pytest.raises(ServiceError) as caught:
        kube.service_accounts("default")
    assert caught.value.code == "Expired"


@pytest.mark.parametrize("kind", ["reset-after", "truncate-after", "half-body"])
def test_a_page_that_is_lost_is_asked_for_again(sandbox: Sandbox, kube: Kube, kind: Any) -> None:
    sandbox.faults.add(Fault("kubernetes", "GET serviceaccounts", kind, match="continue="))
    assert names(kube) == ["app-0", "app-1", "app-2", "app-3", "default"]


def test_contents_when_one_list_fails_for_a_while(sandbox: Sandbox, kube: Kube) -> None:
    sandbox.faults.add(Fault("kubernetes", "GET secrets", "status", status=503))
    assert kube.contents("default").items == tuple(f"serviceaccount/app-{number}" for number in range(4))


def test_contents_when_one_list_fails_for_good(
    sandbox: Sandbox, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.5)
    sandbox.faults.add(Fault("kubernetes", "GET secrets", "status", status=503, times=None))
    with pytest.raises(ServiceError) as caught:
        kube.contents("default")
    assert caught.value.transient
