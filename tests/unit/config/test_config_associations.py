"""`iam.podIdentityAssociations` of eksctl, and EKS Pod Identity in irsa's own entries."""

from __future__ import annotations

import json

import pytest

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import OF_ASSOCIATIONS, BindingEntry
from irsa_cli.core.values.errors import InvalidInput
from tests.support.documents import policy

ROLE = "arn:aws:iam::111122223333:role/app"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DOCUMENT = policy("Allow s3:* on *")
HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: prod, tags: {a: b}}\n"
ENTRY = "namespace: shop, serviceAccountName: app"


def _iam(text: str, more: str = "") -> str:
    return f"{HEAD}iam:\n{more}  podIdentityAssociations:\n  - {{{text}}}\n"


def _own(text: str) -> str:
    return f"apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts:\n- {{metadata: {{name: app}}, {text}}}\n"


def _one(text: str, *, deletes: bool = False) -> BindingEntry:
    (found,) = parse(text, "f.yaml", lambda path: json.dumps(DOCUMENT), deletes=deletes)[0].bindings
    return found


def _wrong(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(text, "f.yaml")
    return "\n".join((str(caught.value), *caught.value.details))


def test_hints_name_the_fields_that_the_file_has() -> None:
    there = _one(_iam(f"{ENTRY}, roleARN: {ROLE}"))
    own = _one(_own(f"podIdentity: true, attachRoleARN: {ROLE}"))
    assert there.in_its_words("set attachRoleARN: x") == "set roleARN: x"
    for name, other in OF_ASSOCIATIONS.items():
        assert there.in_its_words(f"set {name}: x") == f"set {other}: x"
        assert own.in_its_words(f"set {name}: x") == f"set {name}: x"


def test_all_fields_of_a_new_role() -> None:
    session = json.dumps(json.dumps(DOCUMENT))
    found = _one(
        _iam(
            f"{ENTRY}, createServiceAccount: true, roleName: r, permissionsBoundaryARN: {POLICY},"
            f" permissionPolicyARNs: [{POLICY}], permissionPolicy: {json.dumps(DOCUMENT)},"
            " permissionPolicyName: p, wellKnownPolicies: {autoScaler: true}, tags: {c: d},"
            f" targetRoleARN: {ROLE}, disableSessionTags: true, policy: {session}"
        )
    )
    assert (str(found), found.cluster, found.where) == ("shop/app", "prod", "f.yaml:6")
    assert (found.pod_identity, found.web_identity, found.create_service_account) == (True, False, True)
    assert (found.role_name, found.permissions_boundary, found.policies) == ("r", POLICY, (POLICY,))
    assert (found.inline, found.session_policy) == ({"p": DOCUMENT}, DOCUMENT)
    assert [item.name for item in found.well_known] == ["autoScaler"]
    assert (found.target_role, found.disable_session_tags) == (ROLE, True)
    assert found.tags == {"a": "b", "c": "d"}


def test_an_existing_role() -> None:
    found = _one(_iam(f"{ENTRY}, roleARN: {ROLE}, tags: {{c: d}}, targetRoleARN: null, policy: ''"))
    assert (found.attach_role_arn, found.tags) == (ROLE, {"a": "b", "c": "d"})
    assert (found.target_role, found.session_policy) == ("", {})


def test_a_role_name_next_to_a_role_is_ignored_and_named() -> None:
    (config,) = parse(_iam(f"{ENTRY}, roleARN: {ROLE}, roleName: r"), "f.yaml")
    assert config.bindings[0].role_name == ""
    assert config.notices == ("f.yaml:6: roleName of shop/app is ignored, as by eksctl: roleARN is given",)


def test_names_are_enough_to_delete() -> None:
    assert str(_one(_iam(ENTRY), deletes=True)) == "shop/app"
    assert "shop/app has no role" in _wrong(_iam(ENTRY))


def test_associations_need_no_provider() -> None:
    assert _one(_iam(f"{ENTRY}, roleARN: {ROLE}", "  withOIDC: false\n"))


WRONG = {
    "namespace: shop, roleARN: ROLE": "f.yaml:6:5: this Pod Identity association has no serviceAccountName",
    "serviceAccountName: app, roleARN: ROLE": "has no namespace",
    "ENTRY, roleArn: ROLE": "unknown field 'roleArn' in podIdentityAssociations: did you mean 'roleARN'",
    "ENTRY, roleARN: POLICY": "is not",
    "ENTRY, roleARN: ROLE, permissionPolicyARNs: [POLICY]": "permissionPolicyARNs contradicts it",
    "ENTRY, roleARN: ROLE, wellKnownPolicies: {autoScaler: true}": "wellKnownPolicies contradicts",
    "ENTRY, roleARN: ROLE, permissionsBoundaryARN: POLICY": "permissionsBoundaryARN contradicts it",
    "ENTRY, wellKnownPolicies: {autoScaler: false}, permissionPolicyARNs: []": "has no role",
    "ENTRY, wellKnownPolicies: {velero: true}": "only 'apiVersion: irsa/v1, kind: Bindings' has it",
    "ENTRY, permissionPolicy: {Statement: []}": "Statement",
    "ENTRY, permissionPolicyARNs: [POLICY], permissionPolicyName: p": "needs permissionPolicy",
    "ENTRY, roleARN: ROLE, policy: '{}'": "policy",
    "ENTRY, roleARN: ROLE, policy: {Statement: []}": "expected a string",
    "ENTRY, roleARN: ROLE, targetRoleARN: x": "'x' is not",
    "ENTRY, roleARN: ROLE, disableSessionTags: 1": "expected true or false",
    "ENTRY, roleARN: ROLE}\n  - {ENTRY, roleARN: ROLE": "shop/app is also defined in f.yaml:6",
}


def test_what_is_wrong_in_an_association() -> None:
    for text, words in WRONG.items():
        for name, value in (("ENTRY", ENTRY), (": ROLE", f": {ROLE}"), ("POLICY", POLICY)):
            text = text.replace(name, value)
        assert words in _wrong(_iam(text)), text


def test_one_way_for_each_service_account() -> None:
    both = f"  serviceAccounts:\n  - {{metadata: {{name: app, namespace: shop}}, attachRoleARN: {ROLE}}}\n"
    assert "shop/app is also defined in f.yaml:6" in _wrong(_iam(f"{ENTRY}, roleARN: {ROLE}", both))


def test_own_entries() -> None:
    found = _one(_own("podIdentity: true"))
    assert (found.pod_identity, found.web_identity) == (True, False)
    found = _one(_own("also: pod-identity"))
    assert (found.pod_identity, found.web_identity) == (True, True)
    found = _one(_own("podIdentity: {sessionPolicy: {file: x.json}, disableSessionTags: true}"))
    assert (found.session_policy, found.disable_session_tags) == (DOCUMENT, True)
    found = _one(_own(f"podIdentity: true, attachRoleARN: {ROLE}, targetRole: {ROLE}2"))
    assert found.target_role == f"{ROLE}2"
    assert not _one(_own("podIdentity: false")).pod_identity


def test_what_is_wrong_in_own_entries() -> None:
    for text, words in {
        "podIdentity: true, audience: x": "audience contradicts podIdentity",
        "podIdentity: true, subjects: [{name: b}]": "subjects contradicts podIdentity",
        "podIdentity: true, roleOnly: true": "roleOnly contradicts podIdentity",
        f"also: pod-identity, targetRole: {ROLE}": "targetRole contradicts also",
        f"also: pod-identity, attachRoleARN: {ROLE}": "attachRoleARN contradicts also",
        "also: irsa": "'irsa' is not a valid value",
        "podIdentity: {sessionPolicies: {}}": "unknown field 'sessionPolicies' in podIdentity",
    }.items():
        assert words in _wrong(_own(text)), text


def test_labels_that_are_not_set_are_named() -> None:
    text = _own("podIdentity: {createServiceAccount: CREATED}").replace(
        "{name: app}", "{name: app, labels: {a: b}}"
    )
    (config,) = parse(text.replace("CREATED", "false"), "f.yaml")
    assert config.notices == ("f.yaml:4: podIdentity: the labels and annotations of default/app are not set",)
    assert _one(text.replace("CREATED", "true")).labels == {"a": "b"}
