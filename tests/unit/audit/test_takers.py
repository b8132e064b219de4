"""Who can act as ServiceAccounts with powerful roles: the rule powerful-service-account."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import AuditedAssociation, Estate
from irsa_cli.core.audit.takers import Goal, Takers
from irsa_cli.core.rbac.becoming import becoming_of
from irsa_cli.core.rbac.objects import RBAC_GROUP, RbacSubject, rbac_objects
from irsa_cli.core.rbac.principals import AccessEntry, ClusterAccess, EntryPolicy
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import Unreadable
from tests.support.estates import ACCOUNT, ADMIN, READ, SA, account, admits, arn_of, cluster, estate, role
from tests.support.rbacs import NAMES, some_rbac
from tests.support.thoroughness import examples

Json = dict[str, Any]
AUTHN, ADMISSION = "authentication.k8s.io", "admissionregistration.k8s.io"
ACCOUNTS = (
    account("boss", "boss"),
    account("reader", "reader"),
    account("ci", "", "tools"),
    account("job", "", "batch"),
    account("web", "", "dev"),
)
ROLES = (
    role("boss", admits("one", f"{SA}prod:boss"), attached=(ADMIN,)),
    role("reader", admits("one", f"{SA}prod:reader")),
)
DEVS: Json = {"kind": "Group", "name": "devs"}
RUNNING = {"prod/boss": 1}


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Json:
    found: Json = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, **({"resourceNames": names.split()} if names else {})}


def sa(full_name: str) -> Json:
    namespace, _, name = full_name.partition("/")
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def bound(
    place: str, subject: Json, *rules: Json, name: str = "b", **metadata: Any
) -> Iterator[tuple[str, Json]]:
    """A role of these rules and its binding in a namespace ('': in the whole cluster)."""
    where = {"namespace": place} if place else {}
    yield "ClusterRole", {"metadata": {"name": f"{name}-role"}, "rules": list(rules)}
    ref = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": f"{name}-role"}
    kind = "RoleBinding" if place else "ClusterRoleBinding"
    yield kind, {"metadata": {"name": name, **where, **metadata}, "roleRef": ref, "subjects": [subject]}


def world(*objects: Iterator[tuple[str, Json]], roles: Any = ROLES, **more: Any) -> Estate:
    """The account whose cluster has these roles and bindings; its pods are those of `RUNNING`."""
    lists: dict[str, list[Json]] = {
        kind: [] for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    }
    for kind, body in (item for each in objects for item in each):
        lists[kind].append(body)
    settings = {
        "pods": RUNNING,
        "rbac": rbac_objects(lists),
        "access": ClusterAccess((), (), True, True),
        **more,
    }
    return estate(roles, [cluster("one", *ACCOUNTS, **settings)])


def risks(found: Estate, scope: AuditScope | None = None) -> list[Risk]:
    audit = Audit(found, scope or AuditScope())
    return [item for item in audit.risks if item.rule.id == "powerful-service-account"]


SURE: dict[str, tuple[str, tuple[Json, ...]]] = {
    "a pod": ("prod", (rule("create", "pods"),)),
    "a deployment": ("prod", (rule("create", "deployments", "apps"),)),
    "a token": ("prod", (rule("create", "serviceaccounts/token", names="boss"),)),
    "entering its pod": ("prod", (rule("create", "pods/exec"),)),
    "a role of more": ("prod", (rule("bind create", "clusterroles rolebindings", RBAC_GROUP),)),
    "aws-auth": ("kube-system", (rule("patch", "configmaps", names="aws-auth"),)),
    "the kubelet": ("", (rule("get", "nodes/proxy"),)),
    "as masters": ("", (rule("impersonate", "users groups"),)),
    "as a node": (
        "",
        (
            rule("impersonate:arbitrary-node", "nodes", AUTHN),
            rule("impersonate-on:arbitrary-node:create", "serviceaccounts/token"),
        ),
    ),
    "all of it": ("", (rule("*", "*", "*"),)),
}
MAYBE: dict[str, tuple[str, tuple[Json, ...], str]] = {
    "the host's files": ("dev", (rule("create", "pods"),), "rejects hostPath"),
    "as somebody, constrained": (
        "",
        (
            rule("impersonate:user-info", "users groups", AUTHN),
            rule("impersonate-on:user-info:create", "serviceaccounts/token"),
        ),
        "never system:masters",
    ),
    "a policy": (
        "",
        (rule("create", "mutatingadmissionpolicies mutatingadmissionpolicybindings", ADMISSION),),
        "created afterwards",
    ),
    "a webhook": ("", (rule("update", "mutatingwebhookconfigurations", ADMISSION),), "created afterwards"),
    "its template": ("prod", (rule("patch", "deployments", "apps"),), "its namespace has deployments"),
}


@pytest.mark.parametrize("way", SURE)
def test_each_way_that_hangs_on_nothing_is_high(way: str) -> None:
    place, rules = SURE[way]
    (item,) = risks(world(bound(place, DEVS, *rules)))
    assert (item.severity.value, item.statement) == ("high", "Group devs of cluster one")
    assert "as prod/boss (" in item.reason
    assert f"AdministratorAccess ({arn_of('boss')}" in item.reason
    assert "if " not in item.reason


@pytest.mark.parametrize("way", MAYBE)
def test_what_something_else_decides_is_said_with_an_if(way: str) -> None:
    place, rules, condition = MAYBE[way]
    (item,) = risks(world(bound(place, DEVS, *rules), levels={"dev": ""}))
    assert item.severity.value == "medium"
    assert condition in item.reason


@pytest.mark.parametrize(
    ("place", "rules"),
    [
        ("prod", (rule("get list watch", "pods"),)),
        ("prod", (rule("create", "serviceaccounts/token", names="reader"),)),
        ("prod", (rule("create", "pods", names="x"),)),
        ("dev", (rule("create", "serviceaccounts/token"),)),
        ("kube-system", (rule("patch", "configmaps", names="coredns"),)),
        ("dev", (rule("patch", "configmaps"),)),
        ("", (rule("create", "persistentvolumes"),)),
        ("", (rule("create", "mutatingadmissionpolicies", ADMISSION),)),
        ("prod", (rule("impersonate:serviceaccount", "serviceaccounts", AUTHN),)),
        ("prod", (rule("create get", "secrets"),)),
        ("", (rule("impersonate", "groups"),)),
        ("prod", (rule("patch", "serviceaccounts"),)),
    ],
)
def test_half_a_way_and_what_leads_elsewhere_is_no_risk(place: str, rules: tuple[Json, ...]) -> None:
    assert risks(world(bound(place, DEVS, *rules))) == []


def test_pod_security_decides_whether_the_hosts_files_can_be_had() -> None:
    found = world(bound("dev", DEVS, rule("create", "pods")), levels={"dev": "restricted"})
    assert risks(found) == []
    (only,) = found.clusters
    (item,) = risks(replace(found, clusters=(replace(only, levels={"dev": "privileged"}),)))
    assert "Pod Security" not in item.reason
    unread = replace(found, clusters=(replace(only, levels=Unreadable("forbidden")),))
    (item,) = risks(unread)
    assert "Pod Security" in item.reason
    assert any("forbidden" in line and "namespaces" in line for line in Audit(unread).unread)
    # Whose pods run on no node is reached by none.
    assert risks(replace(found, clusters=(replace(only, levels={}, pods={}),))) == []


def test_a_volume_of_the_hosts_files_passes_pod_security() -> None:
    volumes = bound("", DEVS, rule("create", "persistentvolumes"))
    jobs = bound("dev", DEVS, rule("create", "jobs", "batch"), name="jobs")
    (item,) = risks(world(volumes, jobs, levels={"dev": "restricted"}))
    assert (item.severity.value, "create persistentvolumes" in item.reason) == ("medium", True)


def test_the_way_through_other_service_accounts_is_shown() -> None:
    token = rule("create", "serviceaccounts/token")
    found = world(
        bound("tools", DEVS, rule("create", "pods"), name="first"),
        bound("batch", sa("tools/ci"), token, name="second"),
        bound("prod", sa("batch/job"), rule("create", "jobs", "batch"), name="third"),
        pods={},
    )
    told = {item.statement.partition(" of ")[0]: item for item in risks(found)}
    assert set(told) == {"Group devs", "ServiceAccount tools/ci", "ServiceAccount batch/job"}
    chain = told["Group devs"].reason
    assert [line.split()[1] for line in told["Group devs"].evidence] == [
        "tools/first:", "batch/second:", "prod/third:",
    ]  # fmt: skip
    steps = ["tools/ci", "batch/job", "prod/boss"]
    assert [chain.index(name) for name in steps] == sorted(chain.index(name) for name in steps)
    # Who acts as one in Kubernetes only can go on from there, too.
    acting = world(
        bound("tools", DEVS, rule("impersonate", "serviceaccounts"), name="first"),
        bound("prod", sa("tools/ci"), token, name="second"),
    )
    assert (
        "tools/ci"
        in {item.statement.partition(" of ")[0]: item for item in risks(acting)}["Group devs"].reason
    )
    secrets = world(
        bound("tools", DEVS, rule("create get", "secrets"), name="first"),
        bound("prod", {"kind": "Group", "name": "system:serviceaccounts:tools"}, token, name="second"),
    )
    assert len(risks(secrets)) == 2


def test_what_the_trust_policy_hangs_on_is_said() -> None:
    statement = admits("one", f"{SA}prod:boss")
    statement = {
        **statement,
        "Condition": {**statement["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    }
    found = world(
        bound("prod", DEVS, rule("create", "pods")), roles=(role("boss", statement, attached=(ADMIN,)),)
    )
    (item,) = risks(found)
    assert item.severity.value == "medium"
    assert "aws:SourceIp" in item.reason


@pytest.mark.parametrize(("place", "expected"), [("prod", 1), ("dev", 0)])
def test_a_right_of_the_cluster_with_one_of_a_namespace(place: str, expected: int) -> None:
    everywhere = bound("", DEVS, rule("bind", "clusterroles", RBAC_GROUP), name="bind")
    here = bound(place, DEVS, rule("create", "rolebindings", RBAC_GROUP), name="create")
    assert len(risks(world(everywhere, here))) == expected


def test_a_role_that_was_not_read_is_said() -> None:
    found = world(bound("prod", DEVS, rule("create", "pods")), roles=())
    other = "arn:aws:iam::444455556666:role/other"
    given = (AuditedAssociation("prod", "boss", "a-1", other),)
    found = replace(found, clusters=(replace(found.clusters[0], associations=given),))
    assert risks(found) == []
    assert any(other in line for line in Audit(found).unread)


def test_a_circle_ends() -> None:
    token = rule("create", "serviceaccounts/token")
    found = world(
        bound("batch", sa("tools/ci"), token, name="there"),
        bound("tools", sa("batch/job"), token, name="back"),
    )
    assert risks(found) == []
    more = world(
        bound("batch", sa("tools/ci"), token, name="there"),
        bound("tools", sa("batch/job"), token, name="back"),
        bound("prod", sa("batch/job"), token, name="on"),
    )
    assert len(risks(more)) == 2


def test_who_has_as_much_power_is_no_risk() -> None:
    everything = rule("*", "*", "*")
    entry = AccessEntry(arn_of("boss"), "boss", ("devs",))
    found = world(bound("", DEVS, everything), access=ClusterAccess((entry,), ()))
    assert risks(found) == []
    other = AccessEntry(arn_of("reader"), "reader", ("devs",))
    (item,) = risks(world(bound("", DEVS, everything), access=ClusterAccess((entry, other), ())))
    assert item.evidence[1:] == (f"Group devs is {arn_of('reader')} (access entry)",)
    # Who else there is, is not known.
    (item,) = risks(world(bound("", DEVS, everything), access=ClusterAccess((entry,), Unreadable("no"))))
    assert risks(world(bound("", sa("prod/boss"), everything))) == []
    (item,) = risks(world(bound("", sa("prod/reader"), everything)))
    assert item.statement == "ServiceAccount prod/reader of cluster one"


def test_iam_principals_of_access_policies_and_aws_auth() -> None:
    dev = "arn:aws:iam::111122223333:role/dev"
    policy = EntryPolicy("AmazonEKSEditPolicy", ("pro*",))
    (item,) = risks(world(access=ClusterAccess((AccessEntry(dev, policies=(policy,)),), ())))
    assert item.statement == f"IAM {dev} of cluster one"
    masters = AccessEntry(dev, "dev", ("system:masters",), by="aws-auth mapRoles")
    (item,) = risks(world(access=ClusterAccess((), (masters,))))
    assert item.statement == f"Group system:masters ({dev}) of cluster one"
    assert item.evidence[1:] == (f"Group system:masters is {dev} (aws-auth mapRoles)",)
    unknown = EntryPolicy("AmazonEKSOfTomorrowPolicy")
    found = world(access=ClusterAccess((AccessEntry(dev, policies=(unknown,)),), ()))
    assert risks(found) == []
    assert any("AmazonEKSOfTomorrowPolicy" in line for line in Audit(found).unread)


def test_parts_of_kubernetes_are_counted_only() -> None:
    own = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    controller = bound("", sa("kube-system/job"), rule("create", "pods"), name="system:controller:job", **own)
    found = world(controller)
    audit = Audit(found)
    assert risks(found) == []
    (note,) = audit.notes
    assert "cluster one: 1 part of Kubernetes" in note
    assert audit.unread == ()


def test_a_part_of_kubernetes_is_a_way_for_others() -> None:
    own = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    found = world(
        bound("", sa("kube-system/job"), rule("create", "pods"), name="system:controller:job", **own),
        bound("kube-system", DEVS, rule("create", "serviceaccounts/token"), name="ours"),
    )
    (only,) = found.clusters
    assert not isinstance(only.accounts, Unreadable)
    more = replace(only, accounts=(*only.accounts, account("job", "", "kube-system")))
    (item,) = risks(replace(found, clusters=(more,)))
    assert "as kube-system/job (" in item.reason


def test_many_of_one_binding_are_one_risk() -> None:
    subjects = [{"kind": "User", "name": f"u{number}"} for number in range(40)]
    parts = [*bound("prod", DEVS, rule("create", "pods"))]
    parts[1][1]["subjects"] = subjects
    (item,) = risks(world(iter(parts)))
    assert "and 37 more" in item.statement
    # And those of many bindings of one group, too.
    spaces = [bound(f"n{number}", DEVS, rule("create", "pods"), name=f"b{number}") for number in range(30)]
    found = world(*spaces, bound("prod", DEVS, rule("create", "pods")))
    assert len(risks(found)) == 1


@pytest.mark.parametrize("name", ["eks:vpc-resource-controller", "system:kube-scheduler"])
def test_users_of_the_control_plane_are_counted_only(name: str) -> None:
    found = world(bound("", {"kind": "User", "name": name}, rule("create", "pods")))
    assert risks(found) == []
    assert len(Audit(found).notes) == 1
    # But for somebody whom the cluster knows by that name.
    entry = AccessEntry("arn:aws:iam::111122223333:role/dev", name)
    assert (
        len(risks(replace(found, clusters=(replace(found.clusters[0], access=ClusterAccess((), (entry,))),))))
        == 1
    )


def test_each_has_the_principals_that_are_its_own() -> None:
    parts = [*bound("prod", DEVS, rule("create", "pods"))]
    parts[1][1]["subjects"] = [{"kind": "Group", "name": name} for name in ("a", "b")]
    entries = tuple(AccessEntry(arn_of(f"dev-{name}"), name, (name,)) for name in "ab")
    (item,) = risks(world(iter(parts), access=ClusterAccess(entries, ())))
    assert item.statement == f"Group a ({arn_of('dev-a')}), Group b ({arn_of('dev-b')}) of cluster one"
    assert [line.split()[1] for line in item.evidence[1:]] == ["a", "b"]


def test_the_roles_of_eks_itself_are_no_people() -> None:
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
    for name in ("AmazonEKSClusterAdminPolicy", "AmazonEKSOfTomorrowPolicy"):
        entry = AccessEntry(linked, "eks:x", policies=(EntryPolicy(name),))
        found = world(access=ClusterAccess((entry,), ()))
        assert risks(found) == []
        assert Audit(found).unread == ()


def test_it_is_about_what_is_asked() -> None:
    found = world(bound("prod", DEVS, rule("create", "pods")))
    assert len(risks(found, AuditScope(account="prod/boss"))) == 1
    assert risks(found, AuditScope(account="prod/reader")) == []
    assert len(risks(found, AuditScope(role=arn_of("boss")))) == 1
    assert risks(found, AuditScope(role=arn_of("reader"))) == []
    # Who has as much power has it whatever is asked about.
    chief = role("chief", admits("one", f"{SA}prod:reader"), attached=(ADMIN,))
    powers = world(bound("prod", sa("prod/reader"), rule("create", "pods")), roles=(*ROLES, chief))
    assert risks(powers, AuditScope(account="prod/boss")) == []


def test_the_worst_role_is_told() -> None:
    named = {"p": {"Statement": {"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"}}}
    lesser = role("aaa", admits("one", f"{SA}prod:aaa"), attached=(), inline=("p",), documents=named)
    found = world(bound("prod", DEVS, rule("create", "pods")), roles=(lesser, *ROLES))
    (only,) = found.clusters
    assert not isinstance(only.accounts, Unreadable)
    more = replace(only, accounts=(account("aaa", "aaa"), *only.accounts))
    (item,) = risks(replace(found, clusters=(more,)))
    assert ("prod/boss" in item.reason, "1 more" in item.reason) == (True, True)


NODE = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/*"
OF_CLUSTER = [
    f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/one",
    f"arn:aws:eks:eu-west-1:{ACCOUNT}:access-entry/one/*",
]


def by_iam(actions: str, resource: Any = "*", **more: Any) -> list[Risk]:
    document = {"Statement": {"Effect": "Allow", "Action": actions.split(), "Resource": resource}}
    ops = role("ops", attached=(READ,), inline=("p",), documents={"p": document})
    return risks(world(roles=(*ROLES, ops), **more))


@pytest.mark.parametrize(
    ("actions", "resource", "expected"),
    [
        ("eks:CreateAccessEntry eks:AssociateAccessPolicy", OF_CLUSTER, True),
        ("eks:*", "*", True),
        ("eks:CreateAccessEntry", "*", False),
        ("eks:AssociateAccessPolicy", "*", False),
        ("eks:CreateAccessEntry eks:AssociateAccessPolicy", "arn:aws:eks:*:*:cluster/two", False),
        ("ssm:SendCommand", NODE, True),
        ("ssm:StartSession", NODE, True),
        ("ssm:DescribeInstanceInformation", "*", False),
        ("ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances", NODE, True),
        ("ec2:StartInstances", NODE, False),
    ],
)
def test_iam_roles_by_eks_and_on_nodes(actions: str, resource: Any, expected: bool) -> None:
    found = by_iam(actions, resource)
    assert [item.statement for item in found] == ([arn_of("ops")] if expected else [])
    assert all(item.severity.value == "high" for item in found)


def test_iam_roles_and_what_the_cluster_reads() -> None:
    entry = ClusterAccess((AccessEntry(arn_of("ops"), "ops"),), (), True, True)
    assert len(by_iam("eks:AssociateAccessPolicy", access=entry)) == 1
    only_map = ClusterAccess((), (), True, False)
    both = "eks:CreateAccessEntry eks:AssociateAccessPolicy"
    assert by_iam(both, OF_CLUSTER, access=only_map) == []
    assert len(by_iam(f"{both} eks:UpdateClusterConfig", OF_CLUSTER, access=only_map)) == 1
    # No pod runs on a node.
    assert by_iam("ssm:SendCommand", NODE, pods={}) == []


def test_iam_roles_of_which_something_is_not_known() -> None:
    (item,) = by_iam("ssm:SendCommand", NODE, pods=Unreadable("forbidden"))
    assert (item.severity.value, "if one of its pods is running" in item.reason) == ("medium", True)
    tagged = {"StringEquals": {"aws:ResourceTag/team": "ops"}}
    statement = {"Effect": "Allow", "Action": "ssm:StartSession", "Resource": NODE, "Condition": tagged}
    ops = role("ops", attached=(READ,), inline=("p",), documents={"p": {"Statement": statement}})
    (item,) = risks(world(roles=(*ROLES, ops)))
    assert (item.severity.value, "aws:ResourceTag/team" in item.reason) == ("medium", True)
    # What is in another account, or AWS' own, is nobody's way here.
    linked = replace(ops, arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/x")
    other = replace(ops, arn="arn:aws:iam::444455556666:role/ops")
    assert risks(world(roles=(*ROLES, linked, other))) == []


UNLIKE = ("impersonate-account", "token-in-secret", "read-secret", "annotate")
"""Whether these are a way is decided by what the ServiceAccount may do itself, or by its trust policy."""


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 2**32))
def test_lists_say_the_same_as_asking_about_each_service_account(seed: int) -> None:
    rbac = some_rbac(random.Random(seed), ("one", "two"))
    accounts = [account(name, "", place) for place in rbac.places for name in NAMES]
    pods = {item.full_name: 1 for item in accounts}
    found = cluster("c", *accounts, rbac=rbac.objects, pods=pods, access=ClusterAccess((), (), True, True))
    becoming = becoming_of(found.rbac, found.access, {})
    goals = {item.full_name: Goal(item.full_name, arn_of("boss"), 3) for item in accounts[::2]}
    takers = Takers(found, becoming, goals, goals)
    steps = [step for binding in becoming.index.bindings for step in takers.steps(binding)]
    listed = {it.taker.subject for it in steps if not it.depends_on}
    asked: set[RbacSubject] = set()
    for item in accounts[::2]:
        for taker in becoming.takers(item.namespace, item.name, 1):
            if any(act.id not in UNLIKE and not act.conditions for act in taker.acts):
                asked.add(taker.subject)
    assert asked <= listed
    # What goes beyond is through others, or has the way itself for a goal.
    for step in steps:
        if step.taker.subject in listed - asked and not step.depends_on:
            alone = [goal.account for goal in step.goals] == [step.taker.subject.account]
            assert alone or step.act.id in UNLIKE or step.goals[0].step is not None
