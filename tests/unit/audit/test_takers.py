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
from tests.support.documents import Json, policy
from tests.support.estates import ACCOUNT, ADMIN, READ, SA, account, admits, arn_of, cluster, estate, role
from tests.support.rbacs import NAMES, some_rbac
from tests.support.thoroughness import examples

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


GROUPS = {
    "argo": "argoproj.io",
    "flux": "kustomize.toolkit.fluxcd.io",
    "tekton": "tekton.dev",
    "apps": "apps",
    "batch": "batch",
    "rbac": RBAC_GROUP,
    "authn": AUTHN,
    "admission": ADMISSION,
    "*": "*",
}


def rule(text: str) -> Json:
    """A rule in words: `verb,verb resource,resource [group] [only name]`."""
    words, _, name = text.partition(" only ")
    verbs, resources, *group = words.split()
    found: Json = {
        "verbs": verbs.split(","),
        "resources": resources.split(","),
        "apiGroups": [GROUPS[group[0]] if group else ""],
    }
    return {**found, "resourceNames": [name]} if name else found


def sa(full_name: str) -> Json:
    namespace, _, name = full_name.partition("/")
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def bound(
    place: str, texts: str, *subjects: Json, name: str = "b", **metadata: Any
) -> Iterator[tuple[str, Json]]:
    """A role of these rules and its binding for developers or others, in a namespace ('': everywhere)."""
    where = {"namespace": place} if place else {}
    rules = [rule(text) for text in texts.split("; ")]
    yield "ClusterRole", {"metadata": {"name": f"{name}-role"}, "rules": rules}
    ref = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": f"{name}-role"}
    kind = "RoleBinding" if place else "ClusterRoleBinding"
    metadata = {"name": name, **where, **metadata}
    yield kind, {"metadata": metadata, "roleRef": ref, "subjects": list(subjects or [DEVS])}


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


def of_first(found: Estate, **more: Any) -> Estate:
    """The same with other settings of its cluster."""
    return replace(found, clusters=(replace(found.clusters[0], **more),))


SURE = {
    "a pod": ("prod", "create pods"),
    "a deployment": ("prod", "create deployments apps"),
    "a stateful set": ("prod", "create statefulsets apps"),
    "a replica set": ("prod", "create replicasets apps"),
    "a replication controller": ("prod", "create replicationcontrollers"),
    "a cron job": ("prod", "create cronjobs batch"),
    "a token": ("prod", "create serviceaccounts/token only boss"),
    "any token": ("", "create serviceaccounts/token"),
    "entering its pod": ("prod", "create pods/exec"),
    "attaching to its pod": ("prod", "create pods/attach"),
    "a container in its pod": ("prod", "patch pods/ephemeralcontainers"),
    "the image of its pod": ("prod", "update pods"),
    "its own role": ("", "escalate,update clusterroles rbac"),
    "its own role by name": ("", "escalate,patch clusterroles rbac only b-role"),
    "binding everywhere": ("", "bind,create clusterroles,clusterrolebindings rbac"),
    "a role of more": ("prod", "bind,create clusterroles,rolebindings rbac"),
    "aws-auth": ("kube-system", "patch configmaps only aws-auth"),
    "the kubelet": ("", "get nodes/proxy"),
    "as masters": ("", "impersonate users,groups"),
    "as a node": (
        "",
        "impersonate:arbitrary-node nodes authn; impersonate-on:arbitrary-node:create serviceaccounts/token",
    ),
    "all of it": ("", "* * *"),
}
MAYBE = {
    "the host's files": ("dev", "create pods", "rejects hostPath"),
    "as somebody, constrained": (
        "",
        "impersonate:user-info users,groups authn; impersonate-on:user-info:create serviceaccounts/token",
        "never system:masters",
    ),
    "a policy": (
        "",
        "create mutatingadmissionpolicies,mutatingadmissionpolicybindings admission",
        "created afterwards",
    ),
    "a webhook": ("", "update mutatingwebhookconfigurations admission", "created afterwards"),
    "its template": ("prod", "patch deployments apps", "its namespace has deployments"),
    "its schedule": ("prod", "update cronjobs batch", "its namespace has cronjobs"),
    "a bound policy": ("", "patch mutatingadmissionpolicies admission", "a binding of the policy exists"),
    "the host by a template": ("dev", "patch daemonsets apps", "the namespace has daemonsets"),
    "the host by a container": ("dev", "patch pods/ephemeralcontainers", "rejects hostPath"),
    "a privileged pod": ("kube-system", "create pods/exec", "a pod there is privileged"),
    "a workflow": ("prod", "create workflows argo", "its operator is installed"),
    "a task": ("prod", "create taskruns tekton", "its operator is installed"),
    "Argo CD": ("tools", "patch applications argo", "its operator is installed"),
    "Flux": ("tools", "create kustomizations flux", "its operator is installed"),
    "an aggregated role": ("", "escalate,create clusterroles rbac", "aggregates ClusterRoles"),
    "a role of others": ("prod", "escalate,update roles rbac", "is bound to it"),
    "an old server": ("prod", "get pods/exec", "older than Kubernetes 1.35"),
}


@pytest.mark.parametrize("way", SURE)
def test_each_way_that_hangs_on_nothing_is_high(way: str) -> None:
    (item,) = risks(world(bound(*SURE[way])))
    assert (item.severity.value, item.statement) == ("high", "Group devs of cluster one")
    assert "as prod/boss (" in item.reason
    assert f"AdministratorAccess ({arn_of('boss')}" in item.reason
    assert "if " not in item.reason


@pytest.mark.parametrize("way", MAYBE)
def test_what_something_else_decides_is_said_with_an_if(way: str) -> None:
    place, rules, condition = MAYBE[way]
    (item,) = risks(world(bound(place, rules), levels={"dev": ""}))
    assert item.severity.value == "medium"
    assert condition in item.reason


HALF = [
    ("prod", "get,list,watch pods"),
    ("prod", "create serviceaccounts/token only reader"),
    ("prod", "create pods only x"),
    ("dev", "create serviceaccounts/token"),
    ("kube-system", "patch configmaps only coredns"),
    ("dev", "patch configmaps"),
    ("", "create persistentvolumes"),
    ("", "create mutatingadmissionpolicies admission"),
    ("prod", "impersonate:serviceaccount serviceaccounts authn"),
    ("prod", "create,get secrets"),
    ("", "impersonate groups"),
    ("prod", "patch serviceaccounts"),
]


CHANGES_NAMESPACES = (
    ("dev", "patch namespaces"),
    ("", "update namespaces"),
    ("", "patch namespaces only dev"),
)


@pytest.mark.parametrize(("place", "right"), CHANGES_NAMESPACES)
def test_who_can_change_a_namespace_can_remove_its_pod_security(place: str, right: str) -> None:
    pods = bound("dev", "create pods")
    restricted = {"dev": "restricted", "prod": ""}
    (item,) = risks(world(pods, bound(place, right, name="label"), levels=restricted))
    assert (item.severity.value, "rejects hostPath" in item.reason) == ("medium", True)
    for other in ("patch namespaces only prod", "get namespaces"):
        assert risks(world(pods, bound("", other, name="label"), levels=restricted)) == []


GHOST = role("boss", admits("one", f"{SA}prod:ghost"), attached=(ADMIN,))
PATTERN = role("boss", admits("one", f"{SA}prod:run-*", operator="StringLike"), attached=(ADMIN,))
NOWHERE = role("boss", admits("one", f"{SA}gone:app"), attached=(ADMIN,))
PAIR = "create serviceaccounts,pods"


@pytest.mark.parametrize(
    ("trusting", "place", "right", "expected"),
    [
        (GHOST, "prod", PAIR, "prod/ghost"),
        (GHOST, "", PAIR, "prod/ghost"),
        (GHOST, "prod", "create serviceaccounts; create serviceaccounts/token only ghost", "prod/ghost"),
        (GHOST, "prod", "create serviceaccounts; create jobs batch", "prod/ghost"),
        (GHOST, "", "* * *", "prod/ghost"),
        (GHOST, "prod", "create pods", ""),
        (GHOST, "prod", "create serviceaccounts", ""),
        (GHOST, "prod", "create serviceaccounts,pods/exec", ""),
        (GHOST, "dev", PAIR, ""),
        (PATTERN, "prod", PAIR, "prod/run-*"),
        (NOWHERE, "", PAIR, ""),
        (NOWHERE, "", "create serviceaccounts,pods,namespaces", "gone/app"),
    ],
)
def test_a_missing_service_account_is_of_whoever_can_create_it(
    trusting: Any, place: str, right: str, expected: str
) -> None:
    levels = dict.fromkeys(("prod", "dev", "tools", "batch"), "restricted")
    told = risks(world(bound(place, right), roles=(trusting,), levels=levels))
    assert len(told) == bool(expected)
    for item in told:
        assert (item.severity.value, item.statement) == ("high", "Group devs of cluster one")
        assert f"as {expected}, which it can create first (" in item.reason


@pytest.mark.parametrize(
    ("version", "severities"), [("1.33", ["high"]), ("1.35", []), ("2.0", []), ("", ["medium"])]
)
def test_the_version_decides_whether_get_is_enough_to_enter(version: str, severities: list[str]) -> None:
    told = risks(world(bound("prod", "get pods/exec"), version=version))
    assert [item.severity.value for item in told] == severities
    assert all("older than" not in item.reason for item in told if version)


def test_half_a_way_and_what_leads_elsewhere_is_no_risk() -> None:
    for place, rules in HALF:
        assert risks(world(bound(place, rules))) == [], rules


def test_pod_security_decides_whether_the_hosts_files_can_be_had() -> None:
    found = world(bound("dev", "create pods"), levels={"dev": "restricted"})
    assert risks(found) == []
    (item,) = risks(of_first(found, levels={"dev": "privileged"}))
    assert "Pod Security" not in item.reason
    unread = of_first(found, levels=Unreadable("forbidden"))
    (item,) = risks(unread)
    assert "Pod Security" in item.reason
    assert any("forbidden" in line and "namespaces" in line for line in Audit(unread).unread)
    # Whose pods run on no node is reached by none.
    assert risks(of_first(found, levels={}, pods={})) == []
    # A volume of the host's files passes.
    jobs = bound("dev", "create jobs batch", name="jobs")
    (item,) = risks(world(bound("", "create persistentvolumes"), jobs, levels={"dev": "restricted"}))
    assert (item.severity.value, "create persistentvolumes" in item.reason) == ("medium", True)


TOKEN = "create serviceaccounts/token"


def test_the_way_through_other_service_accounts_is_shown() -> None:
    def told(*bindings: Iterator[tuple[str, Json]], **more: Any) -> dict[str, Risk]:
        found = risks(world(*bindings, **more))
        return {item.statement.partition(" of ")[0]: item for item in found}

    whole = told(
        bound("tools", "create pods", name="first"),
        bound("batch", TOKEN, sa("tools/ci"), name="second"),
        bound("prod", "create jobs batch", sa("batch/job"), name="third"),
        pods={},
    )
    assert set(whole) == {"Group devs", "ServiceAccount tools/ci", "ServiceAccount batch/job"}
    chain = whole["Group devs"]
    places = [line.split()[1] for line in chain.evidence]
    assert places == ["tools/first:", "batch/second:", "prod/third:"]
    steps = [chain.reason.index(name) for name in ("tools/ci", "batch/job", "prod/boss")]
    assert steps == sorted(steps)
    # Who acts as one in Kubernetes only can go on from there, too.
    acting = told(
        bound("tools", "impersonate serviceaccounts", name="first"),
        bound("prod", TOKEN, sa("tools/ci"), name="second"),
    )
    assert "tools/ci" in acting["Group devs"].reason
    secrets = told(
        bound("tools", "create,get secrets", name="first"),
        bound("prod", TOKEN, {"kind": "Group", "name": "system:serviceaccounts:tools"}, name="second"),
    )
    assert len(secrets) == 2


def test_a_role_that_was_not_read_is_said() -> None:
    other = "arn:aws:iam::444455556666:role/other"
    given = (AuditedAssociation("prod", "boss", "a-1", other),)
    found = of_first(world(bound("prod", "create pods"), roles=()), associations=given)
    assert risks(found) == []
    assert any(other in line for line in Audit(found).unread)


def test_a_circle_ends() -> None:
    def circle() -> list[Iterator[tuple[str, Json]]]:
        return [
            bound("batch", TOKEN, sa("tools/ci"), name="there"),
            bound("tools", TOKEN, sa("batch/job"), name="back"),
        ]

    assert risks(world(*circle())) == []
    assert len(risks(world(*circle(), bound("prod", TOKEN, sa("batch/job"), name="on")))) == 2


def test_who_has_as_much_power_is_no_risk() -> None:
    entry, other = (AccessEntry(arn_of(name), name, ("devs",)) for name in ("boss", "reader"))

    def among(*entries: AccessEntry, mapped: Any = ()) -> list[Risk]:
        return risks(world(bound("", "* * *"), access=ClusterAccess(entries, mapped)))

    assert among(entry) == []
    (item,) = among(entry, other)
    assert item.evidence[1:] == (f"Group devs is {arn_of('reader')} (access entry)",)
    # Who else there is, is not known.
    assert len(among(entry, mapped=Unreadable("no"))) == 1
    assert risks(world(bound("", "* * *", sa("prod/boss")))) == []
    (item,) = risks(world(bound("", "* * *", sa("prod/reader"))))
    assert item.statement == "ServiceAccount prod/reader of cluster one"


def test_iam_principals_of_access_policies_and_aws_auth() -> None:
    dev = "arn:aws:iam::111122223333:role/dev"

    def with_policy(name: str, *namespaces: str) -> Estate:
        entry = AccessEntry(dev, policies=(EntryPolicy(name, namespaces),))
        return world(access=ClusterAccess((entry,), ()))

    (item,) = risks(with_policy("AmazonEKSEditPolicy", "pro*"))
    assert item.statement == f"IAM {dev} of cluster one"
    masters = AccessEntry(dev, "dev", ("system:masters",), by="aws-auth mapRoles")
    (item,) = risks(world(access=ClusterAccess((), (masters,))))
    assert item.statement == f"Group system:masters ({dev}) of cluster one"
    assert item.evidence[1:] == (f"Group system:masters is {dev} (aws-auth mapRoles)",)
    unknown = with_policy("AmazonEKSOfTomorrowPolicy")
    assert risks(unknown) == []
    assert any("AmazonEKSOfTomorrowPolicy" in line for line in Audit(unknown).unread)


def controller() -> Iterator[tuple[str, Json]]:
    """A part of Kubernetes."""
    own = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    return bound("", "create pods", sa("kube-system/job"), name="system:controller:job", **own)


def test_parts_of_kubernetes_are_counted_only() -> None:
    audit = Audit(world(controller()))
    assert (risks(world(controller())), audit.unread) == ([], ())
    (note,) = audit.notes
    assert "cluster one: 1 part of Kubernetes" in note
    # But they are a way for others.
    found = world(controller(), bound("kube-system", TOKEN, name="ours"))
    more = of_first(found, accounts=(*ACCOUNTS, account("job", "", "kube-system")))
    (item,) = risks(more)
    assert "as kube-system/job (" in item.reason


def test_many_of_one_binding_are_one_risk() -> None:
    subjects = [{"kind": "User", "name": f"u{number}"} for number in range(40)]
    (item,) = risks(world(bound("prod", "create pods", *subjects)))
    assert "and 37 more" in item.statement
    # And those of many bindings of one group, too.
    spaces = [bound(f"n{number}", "create pods", name=f"b{number}") for number in range(30)]
    assert len(risks(world(*spaces, bound("prod", "create pods")))) == 1


def test_users_of_the_control_plane_are_counted_only() -> None:
    for name in ("eks:vpc-resource-controller", "system:kube-scheduler"):
        found = world(bound("", "create pods", {"kind": "User", "name": name}))
        assert risks(found) == []
        assert len(Audit(found).notes) == 1
        # But for somebody whom the cluster knows by that name.
        entry = AccessEntry("arn:aws:iam::111122223333:role/dev", name)
        assert len(risks(of_first(found, access=ClusterAccess((), (entry,))))) == 1


def test_the_roles_of_eks_itself_are_no_people() -> None:
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
    for name in ("AmazonEKSClusterAdminPolicy", "AmazonEKSOfTomorrowPolicy"):
        entry = AccessEntry(linked, "eks:x", policies=(EntryPolicy(name),))
        found = world(access=ClusterAccess((entry,), ()))
        assert risks(found) == []
        assert Audit(found).unread == ()


def test_it_is_about_what_is_asked() -> None:
    found = world(bound("prod", "create pods"))
    for name, count in (("boss", 1), ("reader", 0)):
        assert len(risks(found, AuditScope(account=f"prod/{name}"))) == count
        assert len(risks(found, AuditScope(role=arn_of(name)))) == count
    # Who has as much power has it whatever is asked about.
    chief = role("chief", admits("one", f"{SA}prod:reader"), attached=(ADMIN,))
    powers = world(bound("prod", "create pods", sa("prod/reader")), roles=(*ROLES, chief))
    assert risks(powers, AuditScope(account="prod/boss")) == []


NODE = "arn:aws:ec2:eu-west-1:111122223333:instance/*"
OF_CLUSTER = (
    "arn:aws:eks:eu-west-1:111122223333:cluster/one,arn:aws:eks:eu-west-1:111122223333:access-entry/one/*"
)
BOTH = "eks:CreateAccessEntry,eks:AssociateAccessPolicy"


def ops(text: str, condition: Any = None) -> Any:
    """A role with this right."""
    document = policy(text)
    if condition:
        document["Statement"][0]["Condition"] = condition
    return role("ops", attached=(READ,), inline={"p": document})


def by_iam(text: str, condition: Any = None, **more: Any) -> list[Risk]:
    return risks(world(roles=(*ROLES, ops(f"Allow {text}", condition)), **more))


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (f"{BOTH} on {OF_CLUSTER}", True),
        ("eks:* on *", True),
        ("eks:CreateAccessEntry on *", False),
        ("eks:AssociateAccessPolicy on *", False),
        (f"{BOTH} on arn:aws:eks:*:*:cluster/two", False),
        (f"ssm:SendCommand on {NODE}", True),
        (f"ssm:StartSession on {NODE}", True),
        ("ssm:DescribeInstanceInformation on *", False),
        (f"ec2:ModifyInstanceAttribute,ec2:StopInstances,ec2:StartInstances on {NODE}", True),
        (f"ec2:StartInstances on {NODE}", False),
    ],
)
def test_iam_roles_by_eks_and_on_nodes(right: str, expected: bool) -> None:
    found = by_iam(right)
    assert [item.statement for item in found] == ([arn_of("ops")] if expected else [])
    assert all(item.severity.value == "high" for item in found)


def test_iam_roles_and_what_the_cluster_reads() -> None:
    entry = ClusterAccess((AccessEntry(arn_of("ops"), "ops"),), (), True, True)
    assert len(by_iam("eks:AssociateAccessPolicy on *", access=entry)) == 1
    only_map = ClusterAccess((), (), True, False)
    assert by_iam(f"{BOTH} on {OF_CLUSTER}", access=only_map) == []
    assert len(by_iam(f"{BOTH},eks:UpdateClusterConfig on {OF_CLUSTER}", access=only_map)) == 1
    # No pod runs on a node.
    assert by_iam(f"ssm:SendCommand on {NODE}", pods={}) == []


@pytest.mark.parametrize(
    ("action", "has_entry", "expected"),
    [
        ("eks:CreateAccessEntry", False, True),
        ("eks:UpdateAccessEntry", True, True),
        ("eks:UpdateAccessEntry", False, False),
        ("eks:AssociateIdentityProviderConfig", False, True),
    ],
)
def test_iam_roles_that_can_name_a_group(action: str, has_entry: bool, expected: bool) -> None:
    entries = (AccessEntry(arn_of("ops"), "ops"),) if has_entry else ()
    access = ClusterAccess(entries, (), True, True)

    def told(*subjects: Json) -> list[str]:
        whole = world(
            bound("", "* * *", *subjects), roles=(*ROLES, ops(f"Allow {action} on *")), access=access
        )
        return [item.reason for item in risks(whole) if item.statement == arn_of("ops")]

    named = [f"with {action}, which can name Group devs" in reason for reason in told()]
    assert named == ([True] if expected else [])
    # EKS rejects names of Kubernetes itself.
    assert told({"kind": "Group", "name": "system:masters"}, sa("tools/ci")) == []


def test_iam_roles_of_which_something_is_not_known() -> None:
    (item,) = by_iam(f"ssm:SendCommand on {NODE}", pods=Unreadable("forbidden"))
    assert (item.severity.value, "if one of its pods is running" in item.reason) == ("medium", True)
    tagged = {"StringEquals": {"aws:ResourceTag/team": "ops"}}
    (item,) = by_iam(f"ssm:StartSession on {NODE}", tagged)
    assert (item.severity.value, "aws:ResourceTag/team" in item.reason) == ("medium", True)
    # What is in another account, or AWS' own, is nobody's way here.
    own = ops(f"Allow ssm:StartSession on {NODE}")
    linked = replace(own, arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/x")
    other = replace(own, arn="arn:aws:iam::444455556666:role/ops")
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
