"""A ClusterConfig means what it means to eksctl, and names what irsa doesn't manage."""

from __future__ import annotations

import textwrap

import pytest

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Config
from irsa_cli.core.values.errors import InvalidInput

HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: prod, region: eu-west-1}\n"
ENTRY = "- metadata: {name: app}\n  attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]\n"


def _read(text: str) -> Config:
    (config,) = parse(HEAD + textwrap.dedent(text), "f.yaml")
    return config


def _iam(entry: str, oidc: str = "withOIDC: true") -> str:
    lines = textwrap.indent(entry, "  ")
    return f"iam:\n  {oidc}\n  serviceAccounts:\n{lines}"


def _wrong(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        _read(text)
    return "\n".join(caught.value.details) or str(caught.value)


def test_nothing_is_wished() -> None:
    for iam in ("", " {}", "\n  serviceAccounts:", "\n  withOIDC:", " {withOIDC: false}"):
        config = _read(f"iam:{iam}\n")
        assert (config.with_oidc, config.bindings) == (False, ()), iam
    config = _read("iam: {withOIDC: true}\n")
    assert (config.with_oidc, config.bindings) == (True, ())


ABSENT = """attachPolicy:
attachRoleARN: ''
permissionsBoundary:
roleName: ""
roleOnly:
tags:
subjectPattern: ''
wellKnownPolicies: {autoScaler: null, certManager: false}
status: {roleARN: x}"""


def test_null_and_empty_texts_are_absent_to_eksctl() -> None:
    plain = _read(_iam(ENTRY)).bindings[0]
    for field in ABSENT.splitlines():
        assert _read(_iam(f"{ENTRY}  {field}\n")).bindings[0] == plain, field
    for metadata in ("namespace: ''", "namespace:", "labels:", "annotations: null"):
        entry = ENTRY.replace("{name: app}", f"\n    name: app\n    {metadata}")
        assert str(_read(_iam(entry)).bindings[0]) == "default/app", metadata


def test_numbers_are_texts_where_eksctl_takes_texts() -> None:
    for value in ("42", "true", "0", "-7"):
        assert _read(_iam(f"{ENTRY}  tags: {{cost: {value}}}\n")).bindings[0].tags == {"cost": value}
    # What readers differ about is to be quoted.
    for value in ("042", "yes", "1.10", "1e3", "0x10"):
        assert "quote it" in _wrong(_iam(f"{ENTRY}  tags: {{cost: {value}}}\n")), value


def test_entries_without_the_provider_are_refused_as_eksctl_does() -> None:
    wrong = _wrong(_iam(ENTRY, "withOIDC: false"))
    assert wrong.startswith("f.yaml:5:13: withOIDC: false contradicts serviceAccounts")


def test_an_entry_without_any_policy_is_refused_as_eksctl_does() -> None:
    for field in (
        "",
        "attachPolicyARNs: []",
        "attachPolicyARNs:",
        "wellKnownPolicies: {autoScaler: false}",
        "attachPolicy: null",
        "roleOnly: true",
    ):
        wrong = _wrong(_iam(f"- metadata: {{name: app}}\n  {field}\n"))
        assert wrong.startswith("f.yaml:7:5: default/app has no policy"), field
    text = "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts:\n- metadata: {name: app}\n"
    assert len(parse(text, "f.yaml")[0].bindings) == 1


def test_a_role_that_is_used_may_have_policies_that_are_off() -> None:
    entry = "- metadata: {name: app}\n  attachRoleARN: arn:aws:iam::111122223333:role/x\n"
    more = "  wellKnownPolicies: {autoScaler: false}\n  attachPolicyARNs:\n"
    assert _read(_iam(entry + more)).bindings[0].attach_role_arn
    assert "contradicts it" in _wrong(_iam(f"{entry}  wellKnownPolicies: {{autoScaler: true}}\n"))


def test_templates_that_nobody_has_rendered() -> None:
    for text, place, words in (
        ("iam: {}\n---\nmetadata: {name: '${CLUSTER}'}\n", "", "no apiVersion"),
        (_iam(ENTRY.replace("app", "'${NAME}'")), "7:22", "'${NAME}' is a placeholder without a value"),
        (_iam(ENTRY.replace("app", "'{{ .Values.name }}'")), "7:22", "'{{ .Values.name }}' is a placeholder"),
        (_iam(ENTRY.replace("app", "{{ name }}")), "7:22", "'{{ name }}' is a placeholder"),
        (_iam(ENTRY.replace("aws:policy", "$ACCOUNT:policy")), "8:24", "'$ACCOUNT' is a placeholder"),
        (_iam(ENTRY + "  tags: {owner: <your name>}\n"), "9:19", "'<your name>' is a placeholder"),
        (_iam(ENTRY.replace("app", "${NAME}")), "7:23", "line 7 has a template's placeholder"),
        ("nodeGroups:\n{% for x in y %}\n- {{ x }}\n", "5:2", "line 5 has a template's placeholder"),
    ):
        wrong = _wrong(text)
        assert words in wrong
        assert f"f.yaml:{place}" in wrong


ELSEWHERE = """
addons:
- name: vpc-cni
  attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy]
  permissionsBoundary: arn:aws:iam::111122223333:policy/b
- name: aws-ebs-csi-driver
  wellKnownPolicies: {ebsCSIController: true, efsCSIController: false}
- name: coredns
- name: adot
  attachPolicy: {Statement: [{Effect: Allow, Action: [xray:Put*, logs:Put*], Resource: "*"}]}
- name: old
  serviceAccountRoleARN: arn:aws:iam::111122223333:role/old
- name: efs
  useDefaultPodIdentityAssociations: true
- name: fsx
  podIdentityAssociations:
  - {namespace: kube-system, serviceAccountName: fsx, roleARN: arn:aws:iam::111122223333:role/fsx}
addonsConfig:
  autoApplyPodIdentityAssociations: true
iam:
  withOIDC: true
  podIdentityAssociations:
  - namespace: a
    serviceAccountName: b
    permissionPolicyARNs: [arn:aws:iam::aws:policy/X]
karpenter: {version: v1, withSpotInterruptionQueue: true}
managedNodeGroups:
- name: workers
  iam: {withAddonPolicies: {autoScaler: true, ebs: false}, attachPolicyARNs: [arn:aws:iam::aws:policy/Y]}
- name: plain
capabilities:
- {name: ack, type: ACK, attachPolicyARNs: [arn:aws:iam::aws:policy/Z]}
iamIdentityMappings:
- {arn: arn:aws:iam::111122223333:role/admin, groups: [system:masters]}
"""


NAMED = """addons vpc-cni: attachPolicyARNs arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy
addons aws-ebs-csi-driver: wellKnownPolicies ebsCSIController
addons adot: attachPolicy
addons old: serviceAccountRoleARN arn:aws:iam::111122223333:role/old
addons efs: useDefaultPodIdentityAssociations
addons fsx: podIdentityAssociations
addonsConfig: autoApplyPodIdentityAssociations
karpenter: version v1; withSpotInterruptionQueue
managedNodeGroups workers iam: attachPolicyARNs arn:aws:iam::aws:policy/Y; withAddonPolicies autoScaler
capabilities ack: attachPolicyARNs arn:aws:iam::aws:policy/Z
iamIdentityMappings: arn arn:aws:iam::111122223333:role/admin; groups system:masters"""


def test_what_is_bound_elsewhere_is_named_with_what_it_grants() -> None:
    marker = "not managed by irsa: "
    found = [line for line in _read(ELSEWHERE).notices if marker in line]
    assert [line.partition(marker)[2] for line in found] == NAMED.splitlines()
    assert found[0].startswith("f.yaml:6: ")


def test_what_irsa_does_not_manage_may_have_any_form() -> None:
    for text in (
        "addons: x",
        "addons: [x, [y], {name: [z]}]",
        "addons: [{attachPolicy: {Statement: [x]}, wellKnownPolicies: []}]",
        "karpenter: []\nnodeGroups: {a: b}",
        "x: &a {name: a, attachPolicyARNs: [x]}\naddons: [{<<: *a}, {<<: [*a, *a], name: b}]",
    ):
        assert _read(f"{text}\n").bindings == (), text
