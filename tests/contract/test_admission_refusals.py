"""What RBAC allows and something else refuses is no missing permission: quotas and policies of a real server.

The sandbox has neither; what both have, RBAC, is in the tests of the clients.
"""

import pytest

from irsa_cli.changes.kubernetes import NamespaceHandler
from irsa_cli.core.marks.locks import Lock, LockScope
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import NamespaceState
from irsa_cli.core.values.errors import Conflict, ServiceError
from irsa_cli.sandbox.model import Rule
from irsa_cli.transaction.protocol import Run
from irsa_cli.usecases.locks.taking import denied
from tests.contract.clusters import Cluster
from tests.support.kubes import kube_of
from tests.support.stage import made

POLICIES = "/apis/admissionregistration.k8s.io/v1"


def refusal(cluster: Cluster, namespace: str) -> ServiceError:
    """What the creation of a Lease ends with, as soon as it is refused."""
    kube = kube_of(cluster.admin)
    for number in range(2000):
        name = f"{Lock(LockScope.BINDING, f'{namespace}/{number}').name}"
        body = {"metadata": {"name": name}, "spec": {}}
        try:
            kube.create_lease(namespace, body)
        except ServiceError as error:
            return error
    raise AssertionError("nothing refuses it")


def make_namespace(cluster: Cluster, name: str) -> None:
    made(cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": name}}))


def check(error: ServiceError, namespace: str) -> None:
    """It is called what it is, wherever it is told."""
    assert (error.status, error.permitted) == (403, True)
    assert error.details == ("RBAC allows it, and a quota or an admission policy refuses it: create leases",)
    told = denied(error, namespace)
    words = " ".join((told.message, *told.next_steps))
    assert "quota" in words
    assert "--no-lock" not in words
    assert "grant" not in words
    assert "may not" not in words


@pytest.mark.e2e
def test_a_quota(real_cluster: Cluster, unique: str) -> None:
    make_namespace(real_cluster, unique)
    path = f"/api/v1/namespaces/{unique}/resourcequotas"
    hard = {"count/leases.coordination.k8s.io": "0"}
    made(real_cluster.admin.create(path, {"metadata": {"name": "few"}, "spec": {"hard": hard}}))
    # No controller counts here.
    answer = real_cluster.admin.patch(f"{path}/few/status", {"status": {"hard": hard, "used": hard}})
    assert answer.status == 200, answer.text
    error = refusal(real_cluster, unique)
    assert "exceeded quota" in error.reason
    check(error, unique)


@pytest.mark.e2e
def test_an_admission_policy(real_cluster: Cluster, unique: str) -> None:
    make_namespace(real_cluster, unique)
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["leases"],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": unique}}
    spec = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "validations": [{"expression": "false", "reason": "Forbidden", "message": "no leases here"}],
    }
    metadata = {"name": unique}
    policy = {"metadata": metadata, "spec": spec}
    made(real_cluster.admin.create(f"{POLICIES}/validatingadmissionpolicies", policy))
    binding = {"metadata": metadata, "spec": {"policyName": unique, "validationActions": ["Deny"]}}
    made(real_cluster.admin.create(f"{POLICIES}/validatingadmissionpolicybindings", binding))
    error = refusal(real_cluster, unique)
    assert "no leases here" in error.reason
    check(error, unique)


def test_a_kind_that_may_not_be_listed_is_no_change_by_others(cluster: Cluster, namespace: str) -> None:
    """Deleting a namespace, as a recovery does, asks for what is in it."""
    rules = [Rule(("get", "delete"), ("namespaces",))]
    handler = NamespaceHandler(kube_of(cluster.user(namespace, rules)))
    change = Change(Kind.NAMESPACE, (namespace,), NamespaceState(), None)
    with pytest.raises(Conflict) as caught:
        handler.apply(change, Run("t", 60))
    assert "somebody else" not in caught.value.message
    assert "tell whether it is empty" in caught.value.message
    assert "configmaps" in caught.value.reason
