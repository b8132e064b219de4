"""What is in a namespace, read from API servers in several states: what can't be known is said."""

import pytest

from irsa_cli.core.values.errors import FailedCall, Outcome, ServiceError
from irsa_cli.kube.client import Contents, Listable, namespaced_kinds, read_contents

Json = dict[str, object]
WIDGETS = ("example.com", "v1", "widgets", "Widget")


def failure(status: int, code: str) -> ServiceError:
    outcome = Outcome.UNKNOWN if status >= 500 else Outcome.REFUSED
    return ServiceError("get", FailedCall("kubernetes", "get", code, status=status, outcome=outcome))


class Server:
    """An API server that answers from two tables: its kinds, and the lists (or failures) by path."""

    def __init__(self, *kinds: tuple[str, str, str, str]) -> None:
        self.kinds = kinds
        self.stale: set[str] = set()
        self.lists: dict[str, list[Json] | ServiceError] = {}
        self.verbs = ["get", "list"]

    def put(self, resource: str, name: str, uid: str, *owners: str, path: str = "/api/v1") -> None:
        """An object in the namespace `team`."""
        references = [{"uid": owner} for owner in owners]
        listed = self.lists.setdefault(f"{path}/namespaces/team/{resource}", [])
        assert isinstance(listed, list)
        listed.append({"metadata": {"name": name, "uid": uid, "ownerReferences": references}})

    def get(self, operation: str, path: str, *, accept: str = "application/json", **query: str) -> Json:
        """As `Calls.get`."""
        found = self.lists.get(path)
        if isinstance(found, ServiceError):
            raise found
        if path in ("/api", "/apis"):
            groups = sorted({kind[0] for kind in self.kinds if bool(kind[0]) == (path == "/apis")})
            assert "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" in accept
            return self._aggregated(groups)
        limit = int(query["limit"])
        items = found or []
        more = {"continue": "x"} if len(items) > limit else {}
        return {"metadata": more, "items": items[:limit]}

    def _versions(self, group: str) -> list[str]:
        return list(dict.fromkeys(kind[1] for kind in self.kinds if kind[0] == group))

    def _aggregated(self, groups: list[str]) -> Json:
        items = []
        for group in groups:
            versions = [
                {
                    "version": version,
                    "freshness": "Stale" if group in self.stale else "Current",
                    "resources": [
                        {
                            "resource": resource,
                            "responseKind": {"kind": kind},
                            "scope": "Namespaced",
                            "verbs": self.verbs,
                        }
                        for place, number, resource, kind in self.kinds
                        if (place, number) == (group, version)
                    ],
                }
                for version in self._versions(group)
            ]
            items.append({"metadata": {"name": group} if group else {}, "versions": versions})
        return {"kind": "APIGroupDiscoveryList", "items": items}


CORE = (("", "v1", "serviceaccounts", "ServiceAccount"), ("", "v1", "configmaps", "ConfigMap"))


@pytest.fixture
def server() -> Server:
    """A server with a custom kind."""
    return Server(*CORE, WIDGETS)


def test_nothing_but_what_kubernetes_puts_there(server: Server) -> None:
    server.put("serviceaccounts", "default", "1")
    server.put("configmaps", "kube-root-ca.crt", "2")
    assert read_contents(server.get, "team") == Contents()


def test_everything_else_is_named(server: Server) -> None:
    server.put("serviceaccounts", "default", "1")
    server.put("serviceaccounts", "theirs", "2")
    server.put("configmaps", "default", "3")
    server.put("widgets", "w", "4", path="/apis/example.com/v1")
    expected = ("serviceaccount/theirs", "configmap/default", "widget.example.com/w")
    assert read_contents(server.get, "team") == Contents(expected)


def test_many_are_not_all_named(server: Server) -> None:
    for number in range(9):
        server.put("configmaps", f"m{number}", str(number))
    items = read_contents(server.get, "team").items
    assert items == (*(f"configmap/m{number}" for number in range(5)), "more configmaps")


def test_what_others_own_goes_without_saying(server: Server) -> None:
    server.put("configmaps", "owner", "1")
    server.put("configmaps", "owned", "2", "1")
    server.put("configmaps", "orphan", "3", "gone")
    assert read_contents(server.get, "team").items == ("configmap/owner", "configmap/orphan")


@pytest.mark.parametrize(("status", "code"), [(403, "Forbidden"), (405, "MethodNotAllowed")])
def test_a_kind_that_may_not_be_listed(server: Server, status: int, code: str) -> None:
    server.lists["/api/v1/namespaces/team/configmaps"] = failure(status, code)
    contents = read_contents(server.get, "team")
    assert contents == Contents((), (f"configmaps ({code})",))
    assert contents.hindrances == (f"perhaps configmaps ({code})",)


def test_a_kind_that_has_gone_meanwhile(server: Server) -> None:
    server.lists["/apis/example.com/v1/namespaces/team/widgets"] = failure(404, "NotFound")
    assert read_contents(server.get, "team") == Contents()


def test_an_api_server_of_somebody_else_that_fails(server: Server) -> None:
    server.lists["/apis/example.com/v1/namespaces/team/widgets"] = failure(503, "ServiceUnavailable")
    assert read_contents(server.get, "team").unreadable == ("widgets.example.com (ServiceUnavailable)",)


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1/namespaces/team/configmaps"])
@pytest.mark.parametrize("status", [0, 429, 503])
def test_the_api_server_itself_fails(server: Server, path: str, status: int) -> None:
    server.lists[path] = failure(status, "ServiceUnavailable")
    with pytest.raises(ServiceError):
        read_contents(server.get, "team")


def test_a_group_whose_server_is_down() -> None:
    server = Server(*CORE, WIDGETS)
    server.stale.add("example.com")
    contents = read_contents(server.get, "team")
    assert contents.unreadable == ("example.com/v1 (its API server does not answer)",)


@pytest.mark.parametrize("root", ["/api", "/apis"])
def test_a_server_without_aggregated_discovery(server: Server, root: str) -> None:
    """Kubernetes before 1.27: nobody knows what is in the namespace, so nothing of it is deleted."""
    server.lists[root] = failure(406, "NotAcceptable")
    with pytest.raises(ServiceError):
        read_contents(server.get, "team")


@pytest.mark.parametrize("group", ["metrics.k8s.io", "custom.metrics.k8s.io"])
def test_measurements_are_no_contents(group: str) -> None:
    server = Server(*CORE, (group, "v1beta1", "pods", "PodMetrics"))
    server.put("pods", "p", "1", path=f"/apis/{group}/v1beta1")
    server.stale.add(group)
    server.lists[f"/apis/{group}/v1beta1"] = failure(503, "ServiceUnavailable")
    assert read_contents(server.get, "team") == Contents()


def test_events_are_no_contents(server: Server) -> None:
    server.kinds = (*CORE, ("", "v1", "events", "Event"), ("events.k8s.io", "v1", "events", "Event"))
    server.put("events", "e", "1")
    server.put("events", "e", "1", path="/apis/events.k8s.io/v1")
    assert read_contents(server.get, "team") == Contents()


def test_the_preferred_version_of_each_kind(server: Server) -> None:
    server.kinds = (
        ("example.com", "v2", "widgets", "Widget"),
        ("example.com", "v1", "widgets", "Widget"),
        ("example.com", "v1", "gadgets", "Gadget"),
    )
    found, _ = namespaced_kinds(server.get)
    assert set(found) == {
        Listable("example.com", "v2", "widgets", "Widget"),
        Listable("example.com", "v1", "gadgets", "Gadget"),
    }


def test_one_object_in_two_groups(server: Server) -> None:
    server.kinds = (
        ("apps", "v1", "deployments", "Deployment"),
        ("extensions", "v1", "deployments", "Deployment"),
    )
    for group in ("apps", "extensions"):
        server.put("deployments", "d", "1", path=f"/apis/{group}/v1")
    assert read_contents(server.get, "team").items == ("deployment.apps/d",)


def test_kinds_that_cannot_be_listed_hold_nothing(server: Server) -> None:
    server.verbs = ["create"]
    assert namespaced_kinds(server.get) == ([], [])
