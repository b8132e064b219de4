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
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.audit import files
from tests.support.documents import Json, doc
from tests.support.estates import ACCOUNT, NOW, POLICIES, READ, admits, arn_of, issuer_of, provider_of, trust
from tests.support.thoroughness import examples


def role_json(name: str, document: Any, **more: Any) -> Json:
    described = doc(
        """{"Arn": "<arn>", "RoleName": "<name>", "RoleId": "AROA", "CreateDate": "2026-01-01T00:00:00+00:00",
        "AttachedManagedPolicies": [{"PolicyName": "x", "PolicyArn": "<READ>"}], "RolePolicyList": [],
        "Tags": [{"Key": "a", "Value": "b"}],
        "RoleLastUsed": {"LastUsedDate": "2026-05-31T00:00:00Z", "Region": "eu-west-1"}}""",
        arn=arn_of(name),
        name=name,
        READ=READ,
    )
    return {**described, "AssumeRolePolicyDocument": document, **more}


ROLES = {"RoleDetailList": [role_json("r", trust(admits("c", None)))], "Policies": []}
VERSION = {"IsDefaultVersion": True, "Document": POLICIES[READ]}
WITH_POLICIES = {**ROLES, "Policies": [{"Arn": READ, "PolicyVersionList": [VERSION]}]}
CLUSTER = doc(
    """{"cluster": {"name": "c", "arn": "arn:aws:eks:eu-west-1:<ACCOUNT>:cluster/c",
    "identity": {"oidc": {"issuer": "https://<issuer>"}}}}""",
    ACCOUNT=ACCOUNT,
    issuer=issuer_of("c"),
)
OBJECTS = doc(
    """{"kind": "List", "items": [
    {"kind": "ServiceAccount", "metadata": {"namespace": "prod", "name": "app"}},
    {"kind": "Pod", "metadata": {"namespace": "prod", "name": "app-1"}, "spec": {"serviceAccountName": "app"}}
    ]}"""
)
RBAC = doc(
    """{"kind": "List", "items": [
    {"kind": "Role", "metadata": {"name": "r", "namespace": "prod"}, "rules": null},
    {"kind": "ClusterRole", "metadata": {"name": "r"},
     "rules": [{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}]},
    {"kind": "RoleBinding", "metadata": {"name": "r", "namespace": "prod"},
     "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": null},
    {"kind": "ClusterRoleBinding", "metadata": {"name": "r"},
     "roleRef": {"kind": "ClusterRole", "name": "gone"}}
    ]}"""
)
ASSOCIATIONS = doc(
    '{"associations": [{"namespace": "prod", "serviceAccount": "app", "associationId": "a-1"}]}'
)
SPACES = doc(
    """{"kind": "NamespaceList", "items": [
    {"kind": "Namespace",
     "metadata": {"name": "prod", "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
    {"kind": "Namespace", "metadata": {"name": "dev", "labels": null}}]}"""
)
ENTRIES = doc(
    """[{"accessEntries": ["<DEV>"]}, {"principalArn": "<DEV>", "associatedAccessPolicies": []},
    {"accessEntry": {"principalArn": "<DEV>", "username": "dev", "kubernetesGroups": []}}]""",
    DEV=arn_of("dev"),
)


def estate(*documents: Any, folder: str = "") -> Estate:
    files = [AuditFile(f"{place}.json", folder, json.dumps(found)) for place, found in enumerate(documents)]
    return estate_of(files, NOW)


def test_the_documents_of_a_cluster_and_an_account() -> None:
    providers = {"OpenIDConnectProviderList": [{"Arn": provider_of("c")}]}
    one = {"Url": issuer_of("c"), "ClientIDList": ["sts.amazonaws.com"]}
    found = estate(WITH_POLICIES, CLUSTER, OBJECTS, RBAC, ASSOCIATIONS, providers, one, {"clusters": ["c"]})
    (role,) = found.roles
    assert (role.arn, role.policies, role.tags) == (arn_of("r"), (READ,), {"a": "b"})
    assert role.last_used is not None
    (cluster,) = found.clusters
    assert isinstance(cluster.accounts, tuple)
    assert [item.full_name for item in cluster.accounts] == ["prod/app"]
    assert cluster.pods == {"prod/app": 1}
    assert isinstance(cluster.associations, tuple)
    assert [item.id for item in cluster.associations] == ["a-1"]
    assert found.providers == {provider_of("c"): ("sts.amazonaws.com",)}
    assert found.regions == {"eu-west-1"}
    assert found.accounts == {ACCOUNT}
    audit = Audit(found)
    assert [item.rule.id for item in audit.risks] == ["no-subject"]
    unknown, *unread = audit.unread
    assert unknown == "cluster c: 1 association without a known role"
    # Who gets in is in files of their own.
    assert len(unread) == 3
    assert all("no file contains them" in line for line in unread)
    described = {"cluster": {**CLUSTER["cluster"], "accessConfig": {"authenticationMode": "API"}}}
    whole = estate(WITH_POLICIES, described, OBJECTS, RBAC, SPACES, ASSOCIATIONS, providers, one, *ENTRIES)
    assert whole.clusters[0].levels == {"prod": "baseline", "dev": ""}
    assert Audit(whole).unread == (unknown,)


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


LISTS = """RoleDetailList items associations association cluster clusters accessEntries accessEntry
associatedAccessPolicies data OpenIDConnectProviderList ClientIDList"""
PARTS = "kind Arn metadata namespace identity PolicyVersionList spec"


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(LISTS.split()), ANY, st.sampled_from(PARTS.split()), ANY)
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
