"""irsa's own client on both APIs: what it reads of a cluster, tokens with their end, and Leases.

Of Leases: compare-and-set, the server's clock, the permissions needed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube import calls
from irsa_cli.kube.client import Contents, Dated, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, FORBIDDEN, NOT_FOUND
from irsa_cli.sandbox.model import Rule
from tests.contract.asking import Asking
from tests.contract.clusters import Cluster
from tests.docs import staging
from tests.support import locking
from tests.support.kubeclient import Json, KubeClient
from tests.support.kubes import kube_of

POD = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
FILES = ("rbac.yaml", "rbac-namespaced.yaml", "change-rbac.yaml")
VERBS = ("get", "list", "create", "update", "delete")
FORBIDDEN_LISTS = {"secrets (Forbidden)", "pods (Forbidden)", "serviceaccounts (Forbidden)"}


@pytest.fixture
def kube(cluster: Cluster) -> Kube:
    """irsa's client, as an administrator."""
    return kube_of(cluster.admin)


@pytest.fixture
def held(kube: Kube, namespace: str) -> Dated:
    """A lock that somebody holds."""
    return locking.take(kube, namespace, "app")


def refused(work: Callable[[], object], code: str = "") -> ServiceError:
    """What a call ends with; it is told as refused for good."""
    with pytest.raises(ServiceError) as caught:
        work()
    assert (caught.value.outcome, caught.value.transient) == (Outcome.REFUSED, False)
    assert code in ("", caught.value.code)
    return caught.value


def names(found: list[Json]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


@pytest.mark.parametrize("page", [1, 2, 500])
def test_lists(
    asking: Asking, kube: Kube, namespace: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", page)
    expected = ["app", "b", "c", "d", "e"]
    for name in expected:
        if name != "app":
            asking.ask(f"POST $accounts {{metadata: {{name: {name}}}}}")
        spec = f"{{serviceAccountName: {name}, containers: [{{name: a, image: a}}]}}"
        asking.ask(f"POST $pods {{metadata: {{name: {name}}}, spec: {spec}}}")
        body = locking.body(name)
        body["metadata"]["labels"] = {"irsa/odd": str(expected.index(name) % 2)}
        kube.create_lease(namespace, body)
    assert names(kube.service_accounts(namespace)) == names(kube.pods(namespace)) == expected
    for everywhere in (kube.service_accounts(), kube.pods()):
        places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in everywhere]
        assert [name for place, name in places if place == namespace] == expected
        assert len(set(places)) == len(places)
    assert namespace in names(kube.namespaces())
    assert names(kube.all("leases", namespace, "irsa/odd=0")) == expected[::2]
    assert len(kube.all("leases", namespace, "irsa/odd")) == 5
    assert kube.all("leases", namespace, "irsa/odd=2") == []
    assert "pod-identity-webhook" in names(kube.all("mutatingwebhookconfigurations"))


def claims_of(kube: Kube, token: str) -> dict[str, Any]:
    """What a token says, checked with the published keys."""
    keys = KeySet.import_key_set(kube.jwks())  # type: ignore[arg-type]
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def test_pods_and_their_tokens(cluster: Cluster, kube: Kube, namespace: str, account: str) -> None:
    body = {"metadata": {"name": "web-0"}, "spec": POD}
    assert kube.create_pod(namespace, body)["spec"]["serviceAccountName"] == "app"
    assert kube.one("pods", namespace, "web-0") is None
    uid = kube.create_pod(namespace, body, dry_run=False)["metadata"]["uid"]
    found = kube.one("pods", namespace, "web-0")
    assert found is not None
    assert found["metadata"]["uid"] == uid
    answer = kube.token_request(namespace, "app", "sts.amazonaws.com", seconds=900, pod=("web-0", uid))
    claims, path = claims_of(kube, answer.token), "/.well-known/openid-configuration"
    assert claims["iss"] == cluster.issuer == kube.get(f"get {path}", path)["issuer"]
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["sts.amazonaws.com"], 900)
    assert claims["kubernetes.io"]["pod"] == {"name": "web-0", "uid": uid}
    assert answer.expires == datetime.fromtimestamp(claims["exp"], timezone.utc)
    assert answer.token not in repr(answer)
    bare = claims_of(kube, kube.token(namespace, "app", "a"))
    assert (bare["aud"], bare["exp"] - bare["iat"], "pod" in bare["kubernetes.io"]) == (["a"], 600, False)


def test_what_is_not_allowed(cluster: Cluster, namespace: str) -> None:
    kube = kube_of(cluster.user(namespace))
    reads: dict[str, Callable[[], object]] = {
        "list serviceaccounts": kube.service_accounts,
        "list namespaces": kube.namespaces,
        "list pods": lambda: kube.pods(namespace),
        "list mutatingwebhookconfigurations": lambda: kube.all("mutatingwebhookconfigurations"),
        "get /openid/v1/jwks": kube.jwks,
    }
    for operation, read in reads.items():
        error = refused(read, FORBIDDEN)
        assert (error.status, error.details) == (403, (f"missing RBAC permission: {operation}",))


def test_a_rehearsed_delete_deletes_nothing(kube: Kube, namespace: str, account: str) -> None:
    """Beside a body, an API server takes no options of the query."""
    found = kube.service_account(namespace, "app")
    assert found is not None
    uid, version = found["metadata"]["uid"], found["metadata"]["resourceVersion"]
    kube.delete("serviceaccounts", namespace, "app", uid=uid, resource_version=version, dry_run=True)
    assert kube.service_account(namespace, "app") == found
    kube.delete("serviceaccounts", namespace, "app", uid=uid, resource_version=version)
    assert kube.service_account(namespace, "app") is None


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("accounts/theirs", "serviceaccount/theirs"),
        ("accounts/default", ""),
        ("maps/theirs", "configmap/theirs"),
        ("maps/default", "configmap/default"),
        ("maps/kube-root-ca.crt", ""),
        ("secrets/default", "secret/default"),
        ("leases/theirs", "lease.coordination.k8s.io/theirs"),
    ],
)
def test_contents(asking: Asking, kube: Kube, namespace: str, path: str, item: str) -> None:
    asking.ask("DELETE $app")
    kind, _, name = path.partition("/")
    asking.ask(f"POST ${kind} {{metadata: {{name: {name}}}}}")
    everything = kube_of(cluster_user(asking, "list *.*"))
    for reader in (kube, everything):
        assert reader.contents(namespace) == (Contents((item,)) if item else Contents())
    asking.ask(f"DELETE ${kind}/{name}")
    assert kube.contents(namespace) == Contents()


def cluster_user(asking: Asking, rights: str) -> KubeClient:
    """Who may do this."""
    return asking.who(f"user {rights}")


def test_contents_of_which_some_may_not_be_listed(asking: Asking, namespace: str) -> None:
    for kind in ("leases", "secrets"):
        asking.ask(f"POST ${kind} {{metadata: {{name: theirs}}}}")
    contents = kube_of(cluster_user(asking, "list *.coordination.k8s.io in $ns")).contents(namespace)
    assert contents.items == ("lease.coordination.k8s.io/theirs",)
    assert set(contents.unreadable) >= FORBIDDEN_LISTS


def test_a_lock_is_taken_renewed_taken_over_and_released(kube: Kube, namespace: str) -> None:
    locking.all_of_it(kube, namespace, "app")


def body_of(kube: Kube, namespace: str) -> Json:
    """The Lease that is there."""
    found = kube.lease(namespace, "app")
    assert found is not None
    return found.body


def test_it_is_taken_once(kube: Kube, namespace: str, held: Dated) -> None:
    assert refused(lambda: kube.create_lease(namespace, locking.body("app", "run-2")), EXISTS).status == 409
    assert body_of(kube, namespace) == held.body


def test_of_two_who_take_it_over_one_does(kube: Kube, namespace: str, held: Dated) -> None:
    locking.replace(kube, namespace, held, holderIdentity="run-2")
    refused(lambda: locking.replace(kube, namespace, held, holderIdentity="run-3"), CONFLICT)
    refused(lambda: locking.release(kube, namespace, held), CONFLICT)


def test_one_that_is_gone_is_not_made_anew_and_another_is_left_alone(
    kube: Kube, namespace: str, held: Dated
) -> None:
    for _ in range(2):
        locking.release(kube, namespace, held)
    refused(lambda: locking.replace(kube, namespace, held), CONFLICT)
    assert kube.lease(namespace, "app") is None
    other = locking.take(kube, namespace, "app")
    refused(lambda: locking.release(kube, namespace, held), CONFLICT)
    refused(lambda: locking.replace(kube, namespace, held), CONFLICT)
    assert body_of(kube, namespace) == other.body


@pytest.mark.parametrize("key", ["uid", "resourceVersion"])
def test_what_would_be_written_over_anything_is_not_sent(
    kube: Kube, namespace: str, held: Dated, key: str
) -> None:
    del held.body["metadata"][key]
    with pytest.raises(ValueError, match="uid"):
        kube.replace_lease(namespace, "app", held.body)


def test_without_a_namespace(kube: Kube, unique: str) -> None:
    assert kube.lease(unique, "app") is None
    assert kube.all("leases", unique, "") == []
    error = refused(lambda: locking.take(kube, unique, "app"), NOT_FOUND)
    assert (error.status, f'namespaces "{unique}" not found' in error.reason) == (404, True)
    kube.delete_lease(unique, "app", uid="a", version="1")


@pytest.mark.parametrize(
    ("spec", "status"), [({"leaseDurationSeconds": 0}, 422), ({"renewTime": "now"}, 400)]
)
def test_what_is_no_lease(kube: Kube, namespace: str, spec: Json, status: int) -> None:
    body = {**locking.body("app"), "spec": spec}
    assert refused(lambda: kube.create_lease(namespace, body)).status == status


def test_the_servers_clock_comes_with_each_answer(kube: Kube, namespace: str, held: Dated) -> None:
    read = kube.lease(namespace, "app")
    assert read is not None
    renewed = locking.replace(kube, namespace, read, renewTime=locking.TIME.format(1))
    for seen in (held, read, renewed):
        assert seen.date is not None
        assert (seen.date.tzinfo, seen.date.microsecond) == (timezone.utc, 0)
        (entry,) = seen.body["metadata"]["managedFields"]
        written = datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
        # The same clock: of what was written before, the time is never later than the answer's.
        assert timedelta(0) <= seen.date - written < timedelta(minutes=5)


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
    error = refused(lambda: work_of(verb, kube, namespace, held), FORBIDDEN)
    assert (error.status, error.details) == (403, (f"missing RBAC permission: {verb} leases",))
    only = [rule for rule in rules if rule.verbs == (verb,)]
    work_of(verb, kube_of(cluster.user(f"{namespace}-only", only)), namespace, held)


def test_of_a_namespace_of_others_nothing_is_in_reach(cluster: Cluster, namespace: str, unique: str) -> None:
    rules = rules_of(staging.PERMISSIONS / "rbac-namespaced.yaml", namespace)
    kube = kube_of(cluster.user(unique, rules))
    other = locking.take(kube_of(cluster.admin), "default", unique)
    for verb in VERBS:
        refused(partial(work_of, verb, kube, "default", other), FORBIDDEN)
