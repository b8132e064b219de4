"""The IAM principals behind users and groups: access entries, access policies, and a hostile aws-auth."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.rbac.becoming import becoming_of, in_kubernetes, openings_of
from irsa_cli.core.rbac.objects import RbacObjects, RbacSubject
from irsa_cli.core.rbac.principals import (
    AccessEntry,
    ClusterAccess,
    EntryPolicy,
    RbacFiles,
    aws_auth_of,
    policy_rules,
)
from irsa_cli.core.values.errors import Unreadable
from tests.support.thoroughness import examples

DEV = "arn:aws:iam::111122223333:role/dev"


def behind(kind: str, name: str, *entries: AccessEntry) -> list[str]:
    return [item.arn for item in ClusterAccess(entries).behind(RbacSubject(kind, name))]


def test_users_and_groups() -> None:
    entry = AccessEntry(DEV, "arn:aws:sts::1:assumed-role/dev/{{SessionName}}", ("devs",))
    assert behind("Group", "devs", entry) == [DEV]
    assert behind("Group", "ops", entry) == []
    assert behind("User", "arn:aws:sts::1:assumed-role/dev/eve", entry) == [DEV]
    assert behind("User", "arn:aws:sts::1:assumed-role/developers/eve", entry) == []
    assert behind("User", "devs", entry) == []
    # Everybody who gets in is in this one.
    assert behind("Group", "system:authenticated", AccessEntry(DEV, "x", ("system:authenticated",))) == []


def test_access_policies_are_limited_to_namespaces() -> None:
    policies = (EntryPolicy("AmazonEKSEditPolicy", ("dev-*", "one")), EntryPolicy("AmazonEKSViewPolicy"))
    access = ClusterAccess((AccessEntry(DEV, policies=policies),))
    becoming = becoming_of(RbacObjects(), access)

    def names(namespace: str) -> set[str]:
        found = in_kubernetes(becoming, access, namespace, "app")
        return {taker.subject.name for taker, _ in found.takers if taker.is_sure}

    assert DEV in names("dev-1")
    assert DEV in names("one")
    assert DEV not in names("two")
    everywhere = ClusterAccess((AccessEntry(DEV, policies=(EntryPolicy("AmazonEKSClusterAdminPolicy"),)),))
    found = in_kubernetes(becoming_of(RbacObjects(), everywhere), everywhere, "two", "app")
    assert [taker.acts[0].id for taker, _ in found.takers if taker.subject.name == DEV] == ["everything"]


@pytest.mark.parametrize(
    ("policy", "opens"),
    [
        ("AmazonEKSAdminPolicy", True),
        ("AmazonEKSEditPolicy", True),
        ("AmazonEKSViewPolicy", False),
        ("AmazonEKSSecretReaderPolicy", True),
    ],
)
def test_what_access_policies_lead_to(policy: str, opens: bool) -> None:
    rules = policy_rules(policy)
    assert not isinstance(rules, Unreadable)
    assert bool(openings_of(rules).openings) == opens
    assert isinstance(policy_rules("AmazonEKSOtherPolicy"), Unreadable)


def aws_auth(**data: Any) -> tuple[AccessEntry, ...] | Unreadable:
    return aws_auth_of({"metadata": {"name": "aws-auth"}, "data": data})


def test_the_three_parts_of_aws_auth() -> None:
    roles = f'- {{rolearn: {DEV}, username: "node:{{{{EC2PrivateDNSName}}}}", groups: [a, b]}}'
    found = aws_auth(mapRoles=roles, mapUsers="", mapAccounts='- "111122223333"')
    assert not isinstance(found, Unreadable)
    assert [(item.arn, item.groups) for item in found] == [
        (DEV, ("a", "b")),
        ("arn:aws:iam::111122223333:root", ()),
    ]
    access = ClusterAccess((), found)
    assert [item.by for item in access.behind(RbacSubject("User", "node:x"))] == ["aws-auth mapRoles"]
    assert access.behind(RbacSubject("User", DEV))[0].arn.endswith(":root")
    assert aws_auth_of({}) == ()


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize(
    "text",
    ["{", "a: b", "- x", "[" * 100_000, BOMB, "- !!python/object:os.system {}\n- x", "--- []\n--- []", 3],
)
def test_a_hostile_aws_auth_is_not_read_and_said_to_be(text: Any) -> None:
    started = time.process_time()
    found = aws_auth(mapRoles=text)
    assert isinstance(found, Unreadable)
    assert "mapRoles" in found.why
    assert time.process_time() - started < 2
    access = ClusterAccess((), found)
    assert access.unread[0].startswith("the ConfigMap aws-auth was not read: ")


def test_a_user_name_of_many_placeholders_costs_no_more_than_its_size() -> None:
    found = aws_auth(mapUsers='- {userarn: a, username: "' + "{{x}}a" * 500 + '!"}')
    assert not isinstance(found, Unreadable)
    started = time.process_time()
    assert ClusterAccess((), found).behind(RbacSubject("User", "a" * 2000)) == ()
    assert time.process_time() - started < 2


@settings(max_examples=examples(200), deadline=None)
@given(st.dictionaries(st.sampled_from(["mapRoles", "mapUsers", "mapAccounts"]), st.text(max_size=30)))
def test_any_text_is_read_or_said_not_to_be(data: dict[str, str]) -> None:
    found = aws_auth(**data)
    assert isinstance(found, Unreadable) or all(isinstance(item.username, str) for item in found)


def test_files_tell_of_access_entries_in_pieces() -> None:
    files = RbacFiles()
    assert isinstance(files.access("API").entries, Unreadable)
    assert files.access("CONFIG_MAP").entries == ()
    files.take({"accessEntries": [DEV, "b"]})
    files.take({"accessEntry": {"principalArn": DEV, "username": "u", "kubernetesGroups": ["g"]}})
    access = files.access("API")
    assert access.aws_auth == ()
    assert len(access.unread) == 2
    scope = {"type": "namespace", "namespaces": ["one"]}
    policy = {"policyArn": "arn:aws:eks::aws:cluster-access-policy/P", "accessScope": scope}
    files.take({"principalArn": DEV, "associatedAccessPolicies": [policy]})
    entries = files.access("API").entries
    assert not isinstance(entries, Unreadable)
    assert entries[0].policies == (EntryPolicy("P", ("one",)),)
    assert entries[1].hidden == "no file contains the output of aws eks describe-access-entry"
    assert json.dumps([item.to_json() for item in access.behind(RbacSubject("Group", "g"))])


def test_a_list_without_objects_of_a_kind_has_none_where_it_says_so() -> None:
    files = RbacFiles()
    files.take_objects([], {"RoleList"})
    assert files.rbac.roles == ()
    assert isinstance(files.rbac.role_bindings, Unreadable)


def _binding(kind: str) -> dict[str, object]:
    ref = {"kind": kind, "name": "r"}
    return {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "one"}, "roleRef": ref}


def test_a_cluster_without_roles_was_read() -> None:
    files = RbacFiles()
    files.take_objects([_binding("ClusterRole")], {"RoleBinding", "List"})
    assert files.rbac.roles == ()
    # A Role that a binding refers to is somewhere.
    files.take_objects([_binding("Role")], {"RoleBinding", "List"})
    assert isinstance(files.rbac.roles, Unreadable)
    # The documented command lists all kinds, and no cluster is without these.
    kinds = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    files = RbacFiles()
    files.take_objects([], {"List", *kinds[1:]})
    assert isinstance(files.rbac.role_bindings, Unreadable)
    files.take_objects([], {"List", *kinds})
    assert files.rbac.unread == ()
    assert files.objects["Pod"] == []
