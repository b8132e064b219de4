"""Configuration files: what they mean, and where what is wrong with them stands."""

from __future__ import annotations

import pytest

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import BindingEntry, OtherCluster
from irsa_cli.core.policies.policy import WellKnown
from irsa_cli.core.values.errors import InvalidInput

ROLE = "arn:aws:iam::111122223333:role/x"
USED = f"    attachRoleARN: {ROLE}\n"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: prod, region: eu-west-1}\n"
OWN = "apiVersion: irsa/v1\nkind: Bindings\nmetadata: {name: prod, region: eu-west-1}\n"


def _one(text: str) -> BindingEntry:
    (config,) = parse(text, "f.yaml")
    (binding,) = config.bindings
    return binding


def _entry(field: str) -> BindingEntry:
    """The entry with this field."""
    return _one(f"{OWN}serviceAccounts:\n- metadata: {{name: app}}\n  {field}\n")


def _wrong(text: str) -> list[str]:
    """What is wrong, one line for each problem."""
    with pytest.raises(InvalidInput) as caught:
        parse(text, "f.yaml")
    return list(caught.value.details) or [str(caught.value)]


CLUSTER_CONFIG = """
# A cluster with everything, as eksctl's users have it.
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata:
  name: shop
  region: eu-central-1
  version: "1.33"
  tags: {team: web}
vpc: {cidr: 10.0.0.0/16}
iam:
  withOIDC: true
  serviceRoleARN: arn:aws:iam::111122223333:role/eks
  serviceAccounts:
  - metadata:
      name: orders
      namespace: shop
      labels: {tier: back}
      annotations:
        example.com/owner: someone
        eks.amazonaws.com/sts-regional-endpoints: "true"
        eks.amazonaws.com/token-expiration: "7200"
    attachPolicyARNs:
    - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
    - arn:aws:iam::111122223333:policy/teams/orders
    wellKnownPolicies: {certManager: true, externalDNS: true, imageBuilder: false}
    attachPolicy:
      Version: 2012-10-17
      Statement:
      - Effect: Allow
        Action: [sqs:SendMessage]
        Resource: '*'
    permissionsBoundary: arn:aws:iam::111122223333:policy/boundary
    roleName: orders-role
    tags: {team: orders, cost: "42"}
    subjectPattern: "order*"
    status: {roleARN: "arn:aws:iam::111122223333:role/x", stackName: x}
  - metadata: {name: scaler, namespace: kube-system, labels: {a: b}}
    wellKnownPolicies: {autoScaler: true}
    roleOnly: true
  - metadata: {name: old}
    attachRoleARN: arn:aws:iam::111122223333:role/old/app
nodeGroups: []
managedNodeGroups: []
"""


def test_a_cluster_config() -> None:
    (config,) = parse(CLUSTER_CONFIG, "shop.yaml")
    assert (config.cluster, config.region, config.with_oidc) == ("shop", "eu-central-1", True)
    assert config.notices == (
        "shop.yaml:3: not read by irsa: vpc, nodeGroups, managedNodeGroups",
        "shop.yaml:12: not read by irsa: iam.serviceRoleARN",
        "shop.yaml:12: not managed by irsa: iam: serviceRoleARN arn:aws:iam::111122223333:role/eks",
        "shop.yaml:38: roleOnly: the labels and annotations of kube-system/scaler are not set",
    )
    orders, scaler, old = config.bindings
    assert orders == BindingEntry(
        namespace="shop",
        name="orders",
        where="shop.yaml:15",
        cluster="shop",
        region="eu-central-1",
        labels={"tier": "back"},
        annotations={"example.com/owner": "someone"},
        policies=(READ_ONLY, "arn:aws:iam::111122223333:policy/teams/orders"),
        well_known=(WellKnown("certManager"), WellKnown("externalDNS")),
        inline={
            "attachPolicy": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "*"}],
            }
        },
        permissions_boundary="arn:aws:iam::111122223333:policy/boundary",
        role_name="orders-role",
        tags={"team": "orders", "cost": "42"},
        subject_pattern="order*",
        sts_regional_endpoints=True,
        token_expiration=7200,
    )
    assert scaler.role_only
    assert scaler.well_known == (WellKnown("autoScaler"),)
    assert (scaler.labels, scaler.tags) == ({}, {"team": "web"})
    assert str(old) == "default/old"
    assert old.attach_role_arn == "arn:aws:iam::111122223333:role/old/app"
    assert old.tags == {}


BINDINGS = """
apiVersion: irsa/v1
kind: Bindings
metadata: {name: shop, region: eu-central-1}
withOIDC: true
serviceAccounts:
- metadata: {name: orders, namespace: shop}
  inlinePolicies:
    queue: {Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
    bucket: {file: policies/bucket.json}
  wellKnownPolicies:
    externalDNS: {hostedZones: [Z0123456789, Z9876543210]}
  rolePath: /apps/
  description: Reads orders
  maxSessionDuration: 7200
  audience: my-audience
  stsRegionalEndpoints: false
  tokenExpiration: 3600
  subjects:
  - {name: "worker-*"}
  - {namespace: batch, name: worker}
  - {namespace: batch, name: worker}
  clusters:
  - {name: shop-blue, region: eu-west-1}
  - {issuer: https://oidc.example.com/id/A}
  trustConditions:
    StringEquals: {aws:SourceVpc: [vpc-1, vpc-2]}
"""


def test_bindings() -> None:
    allow = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
    (config,) = parse(BINDINGS, "f.yaml", {"policies/bucket.json": allow}.__getitem__)
    (orders,) = config.bindings
    assert config.with_oidc
    assert sorted(orders.inline) == ["bucket", "queue"]
    zones = ("Z0123456789", "Z9876543210")
    assert orders == BindingEntry(
        namespace="shop",
        name="orders",
        where="f.yaml:7",
        cluster="shop",
        region="eu-central-1",
        inline=orders.inline,
        well_known=(WellKnown("externalDNS", {"hostedZones": zones}),),
        role_path="/apps/",
        description="Reads orders",
        max_session_duration=7200,
        audience="my-audience",
        sts_regional_endpoints=False,
        token_expiration=3600,
        subjects=("system:serviceaccount:shop:worker-*", "system:serviceaccount:batch:worker"),
        clusters=(
            OtherCluster("shop-blue", "eu-west-1"),
            OtherCluster(issuer="https://oidc.example.com/id/A"),
        ),
        conditions={"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}},
    )


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            f"{HEAD}iam:\n  withOidc: true\n",
            "5:3",
            "unknown field 'withOidc' in iam: did you mean 'withOIDC'?",
        ),
        (f"{HEAD}iam:\n  serviceAccount: []\n", "5:3", "did you mean 'serviceAccounts'?"),
        (
            f"{HEAD}iam:\n  serviceAccounts:\n  - metadata: {{name: a}}\n    attachPolicyArns: []\n{USED}",
            "7:5",
            "unknown field 'attachPolicyArns' in serviceAccounts: did you mean 'attachPolicyARNs'?",
        ),
        (
            f"{HEAD}iam:\n  serviceAccounts:\n  - metadata: {{name: a}}\n    rolePath: /x/\n{USED}",
            "7:5",
            "only 'apiVersion: irsa/v1, kind: Bindings' has it",
        ),
        (f"{HEAD}serviceAccounts: []\n", "4:1", "it belongs under iam"),
        (f"{HEAD}IAM: {{}}\n", "4:1", "did you mean 'iam'?"),
        (HEAD.replace("region", "regoin"), "3:24", "did you mean 'region'?"),
        (f"{OWN}iam: {{}}\n", "4:1", "serviceAccounts is a top-level field here"),
        (f"{HEAD}iam: {{}}\niam: {{}}\n", "5:1", "'iam' is given twice (first in line 4)"),
        (f"{OWN}serviceAccounts:\n- metadata: {{namespace: a}}\n", "5:13", "no metadata.name"),
        (f"{OWN}serviceAccounts: {{}}\n", "4:18", "expected a list of ServiceAccounts, not a mapping"),
        (f"{OWN}serviceAccounts:\n", "4:17", "this is empty"),
        (f"{OWN}withOIDC: 1\n", "4:11", "expected true or false, not '1'"),
        ("apiVersion: v1\nkind: ServiceAccount\n", "2:7", "v1 ServiceAccount is not read here"),
        ("kind: Bindings\n", "1:1", "no apiVersion"),
        ("- 1\n", "1:1", "expected a mapping"),
        ("a: [\n", "2:1", "this is not YAML"),
        ("a:\n\t- b\n", "2:1", "there is a tab"),
        ("a: \u00fc\U0001f600\nb: @\n", "2:4", "found character '@'"),
        ("a: &x [*x]\n", "1:4", "an alias contains itself"),
        (HEAD + "---\n" + HEAD.replace("prod", "09"), "7:18", "09 is a number in YAML"),
    ],
)
def test_what_is_wrong_and_where(text: str, place: str, words: str) -> None:
    (problem,) = _wrong(text)
    assert problem.startswith(f"f.yaml:{place}: ")
    assert words in problem


def test_a_proposed_line_has_only_what_its_flags_take() -> None:
    hostile = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: --allow-wide-trust
  namespace: a; rm -rf x
  annotations: {eks.amazonaws.com/role-arn: --force}
"""
    (problem,) = _wrong(hostile)
    assert problem.endswith("(use irsa create-sa NAME -n default --attach-role-arn ROLE-ARN)")


NO_STRINGS = "on y N true 0123456 089 12 1e3 1.5 1_000 0x1f 1:30"
STRINGS = "2012-10-17 1.2.3 123456789012-x = yess"


def test_what_is_no_string_in_yaml_has_to_be_quoted() -> None:
    for value in NO_STRINGS.split():
        entry = f"- metadata: {{name: a}}\n  tags:\n    account: {value}\n"
        (problem,) = _wrong(f"{OWN}serviceAccounts:\n{entry}")
        assert problem.startswith("f.yaml:7:14: "), value
        assert f'quote it ("{value}")' in problem, value
        assert _entry(f'tags: {{account: "{value}"}}').tags == {"account": value}
    for value in STRINGS.split():
        assert _entry(f"tags: {{a: {value}}}").tags == {"a": value}


def test_all_problems_are_told_at_once() -> None:
    found = _wrong(
        f"{OWN}serviceAccounts:\n- metadata: {{name: A}}\n- metadata: {{name: b, x: 1}}\n  roleOnly: maybe\n"
    )
    assert [line.partition(": ")[0] for line in found] == ["f.yaml:5:20", "f.yaml:6:23", "f.yaml:7:13"]


WRONG = {
    "attachPolicyARNs: [foo]": "'foo' is not an ARN",
    "attachPolicyARNs: arn": "expected a list of strings, not 'arn'",
    "permissionsBoundary: arn:aws:iam::1:role/x": "is not an ARN",
    "roleName: a/b": "not a valid role name",
    "rolePath: x": "not a valid role path",
    "maxSessionDuration: 60": "not a valid session duration",
    "maxSessionDuration: 07200": "expected a whole number in decimal digits",
    'maxSessionDuration: "7200"': "expected a whole number in decimal digits",
    "tokenExpiration: 1": "not a valid token expiration",
    "tags: {aws:x: z}": "reserved",
    "tags: {a: b, A: c}": "the same key in IAM",
    "subjectPattern: b*": "does not match app",
    "subjects: [{namespace: a}]": "no name",
    "subjects: [{namespace: A, name: b}]": "not a valid namespace",
    "clusters: [{}]": "name or its issuer",
    "clusters: [{issuer: https://a.b, region: eu-west-1}]": "an issuer has no region",
    "clusters: [{issuer: http://a.b}]": "is not an https URL",
    "trustConditions: {stringEquals: {a: b}}": "did you mean 'StringEquals'?",
    "trustConditions: {StringEquals: {x:sub: b}}": "irsa sets x:sub itself",
    "trustConditions: {StringEquals: {}}": "has no keys",
    "trustConditions: {Bool: {aws:SecureTransport: true}}": "quote it",
    "attachPolicy: {Statement: []}": "it has no Statement",
    "attachPolicy: {Statement: [{Effect: allow}]}": "Effect must be Allow or Deny",
    "attachPolicy: []": "a policy is a mapping",
    "attachPolicy: {Statement: {Effect: Allow}, Statement: 1}": "'Statement' is given twice",
    "attachPolicy: {Id: 0777, Statement: []}": "quote it",
    "inlinePolicies: {a b: {file: x}}": "not a valid policy name",
    "inlinePolicies: {a: {file: x}}": "can't be read here",
    "wellKnownPolicies: {certmanager: true}": "did you mean 'certManager'?",
    "wellKnownPolicies: {certManager: {zones: [a]}}": "unknown field 'zones'",
    "wellKnownPolicies: {certManager: {hostedZones: [a]}}": "not valid for hostedZones",
    "metadata: {name: b}": "'metadata' is given twice",
    "unknown: !!python/object x": "unknown field",
    "roleName: !Ref x": "a value with the tag !Ref",
}


def test_wrong_fields() -> None:
    for fields, words in WRONG.items():
        found = _wrong(f"{OWN}serviceAccounts:\n- metadata: {{name: app}}\n  {fields}\n")
        assert words in "\n".join(found)
        assert all(line.startswith("f.yaml:6:") for line in found), fields


def test_an_existing_role_is_used_as_it_is() -> None:
    lines = f"{OWN}serviceAccounts:\n- metadata: {{name: app}}\n  attachRoleARN: {ROLE}\n"
    for field in (
        "roleName: x",
        "tags: {a: b}",
        "roleOnly: true",
        "description: x",
        "attachPolicyARNs: [a]",
    ):
        assert "contradicts it (default/app)" in "\n".join(_wrong(f"{lines}  {field}\n")), field
    assert not _one(lines + "  roleOnly: false\n  attachPolicyARNs: []\n").role_only


def test_wrong_annotations() -> None:
    for annotation, words in {
        "eks.amazonaws.com/role-arn: x": "for an existing role: attachRoleARN",
        "eks.amazonaws.com/other: x": "is set by irsa",
        'eks.amazonaws.com/sts-regional-endpoints: "maybe"': 'expected "true" or "false"',
        'eks.amazonaws.com/token-expiration: "1h"': "expected seconds",
        'eks.amazonaws.com/token-expiration: "1"': "not a valid token expiration",
        "a/b/c: x": "not a valid",
    }.items():
        entry = f"  - metadata:\n      name: app\n      annotations:\n        {annotation}\n{USED}"
        (problem,) = _wrong(f"{HEAD}iam:\n  serviceAccounts:\n{entry}")
        assert words in problem
        assert problem.startswith("f.yaml:9:"), annotation


def test_annotation_and_field_may_not_contradict() -> None:
    head = (
        f"{OWN}serviceAccounts:\n- metadata: {{name: a, annotations: {{eks.amazonaws.com/audience: one}}}}\n"
    )
    assert _one(f"{head}  audience: one\n").audience == "one"
    assert "contradicts the field" in _wrong(f"{head}  audience: two\n")[0]


def test_json_with_tabs_and_surrogates() -> None:
    entry = '{"metadata":{"name":"%s"},"tags":{"\\ud835\\udc9c":"x"}}'
    text = f'{{"apiVersion":"irsa/v1",\n\t"kind":"Bindings",\n\t"serviceAccounts":\n\t[{entry}]}}'
    assert _one(text % "a").tags == {"\U0001d49c": "x"}
    assert _wrong(text % "A")[0].startswith("f.yaml:4:")


MERGED = """apiVersion: irsa/v1
kind: Bindings
serviceAccounts:
- &base
  metadata: {name: one}
  tags: &tags {a: b, c: d}
  roleOnly: true
- <<: *base
  metadata: {name: two}
  tags: {<<: [*tags, {e: f}], a: z}
"""


def test_anchors_and_merges() -> None:
    ((one, two),) = [config.bindings for config in parse(MERGED, "f.yaml")]
    assert (one.name, one.tags, one.role_only) == ("one", {"a": "b", "c": "d"}, True)
    assert (two.name, two.tags, two.role_only) == ("two", {"a": "z", "c": "d", "e": "f"}, True)


def test_aliases_that_explode_are_refused() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 20)}]" for n in range(1, 12)]
    assert "too large" in _wrong("\n".join(lines))[0]
