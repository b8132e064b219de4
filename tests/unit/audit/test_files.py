"""An audit from files: what each document means, and what a hostile one costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import AuditFile, Estate, estate_of
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.usecases.audit import files
from tests.support.documents import Json
from tests.support.estates import (
    ACCOUNT,
    NOW,
    POLICIES,
    READ,
    SA,
    admits,
    arn_of,
    issuer_of,
    provider_of,
    trust,
)
from tests.support.thoroughness import examples


def role_json(name: str, document: Any, **more: Any) -> Json:
    return {
        "Arn": arn_of(name),
        "RoleName": name,
        "RoleId": "AROA",
        "CreateDate": "2026-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": document,
        "AttachedManagedPolicies": [{"PolicyName": "x", "PolicyArn": READ}],
        "RolePolicyList": [],
        "Tags": [{"Key": "a", "Value": "b"}],
        "RoleLastUsed": {"LastUsedDate": "2026-05-31T00:00:00Z", "Region": "eu-west-1"},
        **more,
    }


ROLES = {"RoleDetailList": [role_json("r", trust(admits("c", None)))], "Policies": []}
KNOWN = {
    "Arn": READ,
    "PolicyVersionList": [{"IsDefaultVersion": True, "Document": POLICIES[READ]}],
}
WITH_POLICIES = {**ROLES, "Policies": [KNOWN]}
CLUSTER: Json = {
    "cluster": {
        "name": "c",
        "arn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/c",
        "identity": {"oidc": {"issuer": f"https://{issuer_of('c')}"}},
    }
}
OBJECTS = {
    "kind": "List",
    "items": [
        {"kind": "ServiceAccount", "metadata": {"namespace": "prod", "name": "app"}},
        {
            "kind": "Pod",
            "metadata": {"namespace": "prod", "name": "app-1"},
            "spec": {"serviceAccountName": "app"},
        },
    ],
}
RBAC = {
    "kind": "List",
    "items": [
        {"kind": kind, "metadata": {"name": "r", "namespace": "prod"}, **more}
        for kind, more in (
            ("Role", {"rules": None}),
            ("ClusterRole", {"rules": [{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}]}),
            ("RoleBinding", {"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": None}),
            ("ClusterRoleBinding", {"roleRef": {"kind": "ClusterRole", "name": "gone"}}),
        )
    ],
}
DEV, PSA = f"arn:aws:iam::{ACCOUNT}:role/dev", "pod-security.kubernetes.io"
ASSOCIATIONS = {"associations": [{"namespace": "prod", "serviceAccount": "app", "associationId": "a-1"}]}


def estate(*documents: Any, folder: str = "") -> Estate:
    files = [AuditFile(f"{place}.json", folder, json.dumps(found)) for place, found in enumerate(documents)]
    return estate_of(files, NOW)


def test_the_documents_of_a_cluster_and_an_account() -> None:
    providers = {"OpenIDConnectProviderList": [{"Arn": provider_of("c")}]}
    one = {"Url": issuer_of("c"), "ClientIDList": ["sts.amazonaws.com"]}
    found = estate(WITH_POLICIES, CLUSTER, OBJECTS, RBAC, ASSOCIATIONS, providers, one, {"clusters": ["c"]})
    (role,) = found.roles
    assert (role.arn, role.attached, role.tags) == (arn_of("r"), (READ,), {"a": "b"})
    assert role.last_used is not None
    (cluster,) = found.clusters
    assert not isinstance(cluster.accounts, Unreadable)
    assert [item.full_name for item in cluster.accounts] == ["prod/app"]
    assert cluster.pods == {"prod/app": 1}
    assert not isinstance(cluster.associations, Unreadable)
    assert cluster.associations[0].id == "a-1"
    assert found.providers == {provider_of("c"): ("sts.amazonaws.com",)}
    assert found.regions == {"eu-west-1"}
    assert found.accounts == {ACCOUNT}
    audit = Audit(found)
    assert [item.rule.id for item in audit.risks] == ["no-subject"]
    assert audit.unread[0] == "cluster c: 1 association without a known role"
    # Who gets in is in files of their own.
    assert len(audit.unread) == 4
    assert all("no file contains them" in line for line in audit.unread[1:])
    entries: tuple[Json, ...] = (
        {"accessEntries": [DEV]},
        {"accessEntry": {"principalArn": DEV, "username": "dev", "kubernetesGroups": []}},
        {"principalArn": DEV, "associatedAccessPolicies": []},
    )
    spaces = {
        "kind": "NamespaceList",
        "items": [
            {"kind": "Namespace", "metadata": {"name": "prod", "labels": {f"{PSA}/enforce": "baseline"}}},
            {"kind": "Namespace", "metadata": {"name": "dev", "labels": None}},
        ],
    }
    described = {"cluster": {**CLUSTER["cluster"], "accessConfig": {"authenticationMode": "API"}}}
    whole = estate(WITH_POLICIES, described, OBJECTS, RBAC, spaces, ASSOCIATIONS, providers, one, *entries)
    assert whole.clusters[0].levels == {"prod": "baseline", "dev": ""}
    assert Audit(whole).unread == ("cluster c: 1 association without a known role",)


def test_what_no_file_has_is_not_called_fine() -> None:
    audit = Audit(estate(ROLES, CLUSTER))
    assert [item.rule.id for item in audit.risks] == ["no-subject"]
    *_, policies = audit.unread
    assert len(audit.unread) == 9
    assert all("no file contains them" in line for line in audit.unread[1:-1])
    assert policies == f"some policies of these pod roles were not read: {arn_of('r')}"


def test_a_policy_may_be_percent_encoded_text_as_the_api_gives_it() -> None:
    text = json.dumps(trust(admits("c", None))).replace("{", "%7B").replace('"', "%22")
    found = estate({"RoleDetailList": [role_json("r", text)]}, CLUSTER)
    assert Audit(found).risks


def test_entries_that_are_none_are_left_out_and_told() -> None:
    wrong = [None, "x", {}, {"Arn": 1}, role_json("r", 3), role_json("r", "{"), role_json("r", {}, Tags=[1])]
    found = estate({"RoleDetailList": [*wrong, role_json("good", {})]})
    assert [role.name for role in found.roles] == ["good"]
    assert "7 entries of 0.json" in found.unread[0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"x": 1}', "[" * 100_000, '{"RoleDetailList": ' + "[" * 100_000, "\x00"]
)
def test_what_is_no_document_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"one\.json"):
        estate_of([AuditFile("one.json", "", text)], NOW)


def test_without_roles_there_is_no_account() -> None:
    with pytest.raises(InvalidInput, match="roles"):
        estate(CLUSTER)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.sampled_from(
        [
            "RoleDetailList",
            "items",
            "associations",
            "association",
            "cluster",
            "clusters",
            "accessEntries",
            "accessEntry",
            "associatedAccessPolicies",
            "data",
            "OpenIDConnectProviderList",
            "ClientIDList",
        ]
    ),
    ANY,
    st.sampled_from(["kind", "Arn", "metadata", "namespace", "identity", "PolicyVersionList", "spec"]),
    ANY,
)
def test_wrong_types_cost_no_traceback(key: str, value: Any, inner: str, other: Any) -> None:
    for found in (value, [{inner: other, "kind": "ServiceAccount"}], {inner: other}):
        audit = Audit(estate(ROLES, {key: found}))
        assert isinstance(audit.risks, tuple)


def test_a_folder_is_of_the_cluster_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for name, document in (("roles", ROLES), ("c/cluster", CLUSTER), ("c/objects", OBJECTS)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "d").mkdir()
    (tmp_path / "d/objects.json").write_text(json.dumps(OBJECTS))
    found = files.read_files([tmp_path], NOW)
    assert [(item.name, bool(item.issuer)) for item in found.clusters] == [("c", True), ("d", False)]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_files_that_can_not_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InvalidInput):
        files.read_files([tmp_path])


def test_a_list_of_megabytes_costs_no_more_than_its_size() -> None:
    statement = admits("c", [f"{SA}{'a*' * 30}{number}" for number in range(60_000)], operator="StringLike")
    found = estate({"RoleDetailList": [role_json("large", trust(statement))]}, CLUSTER, OBJECTS)
    audit = Audit(found)
    assert audit.risks == ()
    assert any("larger than IAM allows" in line for line in audit.unread)
