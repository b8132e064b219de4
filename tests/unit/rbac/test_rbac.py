"""What RBAC allows, and who may become a ServiceAccount by it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.rbac.becoming import AccountTaker, Becoming
from irsa_cli.core.rbac.evaluation import MASTERS, KubeRequest, RbacIndex, Requester, account_requester
from irsa_cli.core.rbac.objects import RBAC_GROUP, RbacSubject, account_subject, rbac_objects
from irsa_cli.core.rbac.takeovers import ACTS, AWS_AUTH_READ, HOST_PATH, RUNS, TAKEOVERS, Named
from irsa_cli.core.values.errors import Unreadable
from tests.support.ran import schema
from tests.support.rbacs import NAMES, allows, some_rbac, some_requests
from tests.support.thoroughness import examples

PLACES = ("one", "two")
AUTHN, ADMISSION = "authentication.k8s.io", "admissionregistration.k8s.io"


def objects(
    *rules: dict[str, Any], subject: Any = None, place: str = "one", **more: Any
) -> dict[str, list[Any]]:
    """A ClusterRole of these rules, bound to a user in a namespace ('': everywhere)."""
    who = subject or {"kind": "User", "name": "eve"}
    ref = {"kind": "ClusterRole", "name": "r"}
    kind = "RoleBinding" if place else "ClusterRoleBinding"
    metadata = {"name": "b", **({"namespace": place} if place else {})}
    binding = {"metadata": metadata, "roleRef": ref, "subjects": [who]}
    lists: dict[str, list[Any]] = {
        "Role": [],
        "ClusterRole": [{"metadata": {"name": "r"}, "rules": list(rules)}],
        "RoleBinding": [],
        "ClusterRoleBinding": [],
        **more,
    }
    lists[kind].append(binding)
    return lists


def rule(verbs: str, resources: str, groups: str = "", names: str = "") -> dict[str, Any]:
    """A rule, its lists with blanks between; groups: `-` for the core group."""
    return {
        "verbs": verbs.split(),
        "apiGroups": [item.replace("-", "") for item in groups.split()] or [""],
        "resources": resources.split(),
        **({"resourceNames": names.split()} if names else {}),
    }


def takers(lists: Any, name: str = "app", pods: int | None = None) -> list[AccountTaker]:
    """Who may become it, without the superusers."""
    found = Becoming(RbacIndex(rbac_objects(lists))).takers("one", name, pods)
    return [item for item in found if item.subject != MASTERS]


def acts(lists: Any, name: str = "app", pods: int | None = None) -> list[tuple[str, bool]]:
    """The ids of what may be done, and whether it hangs on nothing else."""
    return [(act.id, not act.conditions) for item in takers(lists, name, pods) for act in item.acts]


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 2**32))
def test_it_decides_as_asking_every_rule_does(seed: int) -> None:
    chance = random.Random(seed)
    rbac = some_rbac(chance, PLACES)
    index = RbacIndex(rbac.objects)
    for who, request in some_requests(chance, rbac, 40):
        assert index.allows(who, request) == allows(rbac.lists, who, request), (who, request)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 2**32))
def test_who_becomes_it_is_who_may_do_what_makes_him(seed: int) -> None:
    """Each way that hangs on nothing else, asked of each subject by itself."""
    rbac = some_rbac(random.Random(seed), PLACES)
    found = Becoming(RbacIndex(rbac.objects)).takers("one", "app", pods=1)
    told = {
        (item.subject, act.id, act.right.group, act.right.resource)
        for item in found
        for act in item.acts
        if not act.conditions
    }
    everything = {item.subject for item in found if item.acts[0].id == "everything"}
    subjects = {RbacSubject("User", name) for name in rbac.users}
    subjects |= {RbacSubject("Group", name) for name in rbac.groups}
    subjects |= {account_subject(place, name) for place in PLACES for name in NAMES}
    for subject in subjects - everything - {account_subject("one", "app")}:
        user = subject.name if subject.kind == "User" else ""
        who = Requester(user, (subject.name,) if subject.kind == "Group" else ())
        for way in TAKEOVERS:
            if way.condition not in ("", RUNS) or way.also or way.everywhere:
                continue
            name = "app" if way.named is Named.ACCOUNT else ""
            verbs, group, resource = way.right.verbs, way.right.group, way.right.resource
            asked = [KubeRequest(verb, group, resource, "one", name) for verb in verbs]
            may = any(allows(rbac.lists, who, request) for request in asked)
            if may or way.named is not Named.NEW:
                assert ((subject, way.id, way.right.group, way.right.resource) in told) == may, (subject, way)


def test_a_service_account_without_namespace_is_of_the_bindings() -> None:
    subject = {"kind": "ServiceAccount", "name": "app"}
    index = RbacIndex(rbac_objects(objects(rule("get", "pods"), subject=subject)))
    assert index.allows(account_requester("one", "app"), KubeRequest("get", "", "pods", "one"))
    nowhere = RbacIndex(rbac_objects(objects(rule("get", "pods"), subject=subject, place="")))
    assert not nowhere.allows(account_requester("one", "app"), KubeRequest("get", "", "pods", "one"))


def test_what_is_not_there_and_what_was_not_read_allows_nothing() -> None:
    asked = (Requester("eve"), KubeRequest("create", "", "pods", "one"))
    lists = objects(rule("create", "pods"))
    dangling = RbacIndex(rbac_objects({**lists, "ClusterRole": []}))
    assert not dangling.allows(*asked)
    assert takers({**lists, "ClusterRole": []}) == []
    for kind in ("ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        read: Any = {**lists, kind: Unreadable("forbidden")}
        index = RbacIndex(rbac_objects(read))
        assert index.allows(*asked) == (kind == "ClusterRoleBinding")
        assert Becoming(index).unread("one") == (f"{kind}s were not read: forbidden",)
    wrong = rbac_objects({**lists, "RoleBinding": [{"metadata": {}}]})
    assert isinstance(wrong.role_bindings, Unreadable)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule("create", "pods"), [("create-pod", True)]),
        (rule("create", "pods", names="app"), []),
        (rule("create patch", "pods", names="p"), [("create-pod", True), ("change-pod", False)]),
        (rule("create", "deployments"), []),
        (rule("create", "deployments", "apps"), [("create-workload", True)]),
        (rule("update", "jobs", "batch"), []),
        (rule("patch", "cronjobs", "batch"), [("change-workload", False)]),
        (rule("create", "serviceaccounts/token"), [("create-token", True)]),
        (rule("create", "serviceaccounts/token", names="app"), [("create-token", True)]),
        (rule("create", "serviceaccounts/token", names="web"), []),
        (rule("create", "*/token"), [("create-token", True)]),
        (rule("create", "pods/exec"), [("enter-pod", False)]),
        (rule("patch", "serviceaccounts"), [("annotate", False)]),
        (rule("patch", "serviceaccounts", names="web"), []),
        (rule("impersonate", "serviceaccounts"), [("impersonate-account", False)]),
        (rule("impersonate", "users groups"), []),
        (rule("bind", "clusterroles", RBAC_GROUP), [("bind-role", False)]),
        (rule("bind create", "clusterroles rolebindings", RBAC_GROUP), [("bind-role", True)]),
        (rule("bind", "clusterroles", RBAC_GROUP, "gone"), []),
        (rule("bind", "clusterroles", RBAC_GROUP, "r"), [("bind-role", False)]),
        (rule("escalate update", "roles", RBAC_GROUP), [("escalate-role", False)]),
        (rule("create get", "secrets"), [("token-in-secret", False), ("read-secret", False)]),
        (rule("get list watch", "pods serviceaccounts"), []),
        (rule("watch", "secrets", names="app-token"), [("read-secret", False)]),
        (rule("impersonate:serviceaccount", "serviceaccounts", AUTHN), [("impersonate-account", False)]),
        (rule("impersonate:serviceaccount", "serviceaccounts", AUTHN, "web"), []),
        (rule("impersonate:serviceaccount", "serviceaccounts"), []),
        (rule("impersonate:user-info", "users groups", AUTHN), []),
        (rule("update", "configmaps"), []),
        (rule("create", "persistentvolumes"), []),
        (rule("create", "nodes/proxy"), []),
        (rule("*", "*", "*"), [("everything", True)]),
    ],
)
def test_each_way_in_a_namespace(given: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    assert acts(objects(given)) == expected


def conditions(lists: Any, *, levels: Any = None, aws_auth: bool | None = None) -> dict[str, Any]:
    """The conditions of each way of eve, by its id."""
    becoming = Becoming(RbacIndex(rbac_objects(lists)), levels, aws_auth)
    found = [item for item in becoming.takers("one", "app", 1) if item.subject != MASTERS]
    return {act.id: act.conditions for item in found for act in item.acts}


def test_constrained_impersonation_needs_a_right_for_what_is_done() -> None:
    identity = rule("impersonate:serviceaccount", "serviceaccounts", AUTHN, "app")
    assert any(
        "impersonate-on:serviceaccount:create" in text for text in conditions(objects(identity)).popitem()[1]
    )
    doing = rule("impersonate-on:serviceaccount:create", "serviceaccounts/token")
    assert conditions(objects(identity, doing)) == {"impersonate-account": (ACTS,)}
    # Another mode's verb is for others.
    other = rule("impersonate-on:user-info:create", "serviceaccounts/token")
    assert len(conditions(objects(identity, other))["impersonate-account"]) == 2
    masters = rule("impersonate:user-info", "users groups", AUTHN, "x system:masters")
    as_masters = objects(masters, other, place="")
    assert len(conditions(as_masters)["impersonate-group"]) == 1
    # The API server rejects that group in this mode.
    users = rule("impersonate:user-info", "users", AUTHN)
    only = rule("impersonate:user-info", "groups", AUTHN, "system:masters")
    assert set(conditions(objects(only, users, other, place=""))) == {"impersonate-user"}
    alone = objects(rule("impersonate:user-info", "groups", AUTHN), other, place="")
    assert conditions(alone)["impersonate-group"][1:] == ("the subject can also impersonate:user-info users",)
    node = rule("impersonate:arbitrary-node", "nodes", AUTHN)
    doing = rule("impersonate-on:arbitrary-node:create", "serviceaccounts/token")
    assert conditions(objects(node, doing, place="")) == {"impersonate-node": ()}


def test_rights_of_its_groups_are_rights_of_a_service_account() -> None:
    own = {"kind": "ServiceAccount", "namespace": "two", "name": "ci"}
    group = {"kind": "Group", "name": "system:serviceaccounts:two"}
    lists = objects(rule("bind", "clusterroles", RBAC_GROUP), subject=own)
    assert acts(lists) == [("bind-role", False)]
    lists["ClusterRole"].append(
        {"metadata": {"name": "maker"}, "rules": [rule("create", "rolebindings", RBAC_GROUP)]}
    )
    ref = {"kind": "ClusterRole", "name": "maker"}
    binding = {"metadata": {"name": "all", "namespace": "one"}, "roleRef": ref, "subjects": [group]}
    lists["RoleBinding"].append(binding)
    assert acts(lists) == [("bind-role", True)]


def test_escalating_a_role_of_its_own_needs_nothing_else() -> None:
    escalates = rule("escalate update", "clusterroles", RBAC_GROUP)
    assert acts(objects(escalates, place=""))[0] == ("escalate-role", True)
    # In a namespace nobody can change a ClusterRole.
    assert acts(objects(escalates)) == [("escalate-role", False)]
    named = rule("escalate update", "clusterroles", RBAC_GROUP, names="other")
    assert ("escalate-role", True) not in acts(objects(named, place=""))
    lists = objects(rule("get", "pods"))
    lists["Role"].append(
        {
            "metadata": {"name": "own", "namespace": "one"},
            "rules": [rule("escalate patch", "roles", RBAC_GROUP, names="own")],
        }
    )
    lists["RoleBinding"][0]["roleRef"] = {"kind": "Role", "name": "own"}
    assert acts(lists) == [("escalate-role", True)]


def test_mutating_admission_policies_need_a_binding() -> None:
    policies = rule("create", "mutatingadmissionpolicies", ADMISSION)
    assert len(conditions(objects(policies, place=""))["change-admission-policy"]) == 2
    both = rule("create", "mutatingadmissionpolicies mutatingadmissionpolicybindings", ADMISSION)
    assert len(conditions(objects(both, place=""))["change-admission-policy"]) == 1
    assert conditions(objects(both)) == {}


@pytest.mark.parametrize("names", ["", "aws-auth", "coredns"])
@pytest.mark.parametrize("place", ["", "kube-system", "one"])
@pytest.mark.parametrize("reads", [True, False, None])
def test_who_may_change_aws_auth_may_do_everything(names: str, place: str, reads: bool | None) -> None:
    found = conditions(objects(rule("patch", "configmaps", names=names), place=place), aws_auth=reads)
    if names == "coredns" or place == "one" or reads is False:
        assert found == {}
    else:
        assert found == {"change-aws-auth": () if reads else (AWS_AUTH_READ,)}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (None, 2),
        ({"one": "restricted", "two": "privileged"}, 1),
        ({"one": "restricted"}, 1),
        ({"two": "baseline"}, 0),
        ({"two": "restricted"}, 0),
    ],
)
@pytest.mark.parametrize("resources", ["pods", "daemonsets"])
def test_a_pod_with_the_hosts_files_reaches_other_namespaces(
    resources: str, levels: Any, expected: int
) -> None:
    lists = objects(rule("create", resources, "- apps"), place="two")
    found = conditions(lists, levels=levels)
    assert len(found.get("mount-host", ())) == expected
    # What does not run is on no node.
    assert [item for item in takers(lists, pods=0) if item.subject.name == "eve"] == []


def test_a_volume_of_the_hosts_files_passes_pod_security() -> None:
    volumes = rule("create", "persistentvolumes")
    lists = objects(volumes, place="")
    restricted = {"one": "restricted", "two": "restricted"}
    assert len(conditions(lists, levels=restricted)["mount-host-volume"]) == 2
    lists["ClusterRole"].append({"metadata": {"name": "maker"}, "rules": [rule("create", "pods")]})
    lists["RoleBinding"].append(
        {
            "metadata": {"name": "pods", "namespace": "two"},
            "roleRef": {"kind": "ClusterRole", "name": "maker"},
            "subjects": [{"kind": "User", "name": "eve"}],
        }
    )
    assert conditions(lists, levels=restricted) == {"mount-host-volume": (HOST_PATH,)}


def test_the_ways_of_the_whole_cluster() -> None:
    everywhere = objects(rule("impersonate", "users"), rule("create", "nodes/proxy"), place="")
    assert acts(everywhere, pods=1) == [("impersonate-user", True), ("reach-kubelet", True)]
    named = objects(rule("impersonate", "groups users", names="system:masters"), place="")
    # A user of that name may be nobody, and is in the group all the same.
    assert ("impersonate-group", True) in acts(named)
    alone = objects(rule("impersonate", "groups"), place="")
    assert acts(alone) == [("impersonate-group", False)]
    both = objects(
        rule("impersonate", "groups", names="system:masters"), rule("impersonate", "users"), place=""
    )
    assert ("impersonate-group", True) in acts(both)


def test_conditions_that_are_known_to_hold_are_not_told() -> None:
    entering = objects(rule("create", "pods/exec"))
    assert acts(entering, pods=2) == [("enter-pod", True)]
    assert takers(entering)[0].acts[0].conditions == ("one of its pods is running",)
    acting = objects(rule("impersonate", "serviceaccounts"))
    own = {"kind": "ServiceAccount", "namespace": "one", "name": "app"}
    ref = {"kind": "ClusterRole", "name": "maker"}
    acting["ClusterRole"].append({"metadata": {"name": "maker"}, "rules": [rule("create", "pods")]})
    acting["RoleBinding"].append(
        {"metadata": {"name": "own", "namespace": "one"}, "roleRef": ref, "subjects": [own]}
    )
    # The ServiceAccount itself is not who becomes it.
    assert acts(acting) == [("impersonate-account", True)]


def test_nobody_hides_behind_the_label_of_kubernetes_own_bindings() -> None:
    own = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    lists = objects(rule("create", "pods"), place="")
    (binding,) = lists["ClusterRoleBinding"]
    binding["metadata"] |= {"name": "system:controller:job", "labels": own}
    assert not takers(lists)[0].is_part
    binding["subjects"] = [{"kind": "ServiceAccount", "namespace": "kube-system", "name": "job-controller"}]
    assert takers(lists)[0].is_part
    binding["subjects"] += [{"kind": "Group", "name": "system:authenticated"}]
    assert not any(item.is_part for item in takers(lists))


def test_the_schema_knows_each_way() -> None:
    known = schema()["$defs"]["taker"]["properties"]["rights"]["items"]["properties"]["way"]["enum"]
    assert known == ["everything", *dict.fromkeys(way.id for way in TAKEOVERS)]
