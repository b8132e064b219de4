"""The published JSON Schema and the parser take the same configurations, and refuse the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.service_accounts import EKSCTL, OURS
from irsa_cli.core.policies import wellknown
from irsa_cli.core.values.errors import InvalidInput
from tests.docs.console import ROOT
from tests.support.thoroughness import examples

SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "docs" / "reference" / "irsa-v1.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
ENTRY = SCHEMA["definitions"]["serviceAccount"]["properties"]
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
ROLE = "arn:aws-cn:iam::111122223333:role/a/b"
ALLOW = {"Effect": "Allow", "Action": "s3:*", "Resource": ["*"]}


def _parser_takes(document: Any) -> bool:
    try:
        parse(json.dumps(document), "f.json", lambda path: json.dumps({"Statement": ALLOW}))
    except InvalidInput:
        return False
    return True


def _agree(document: Any) -> bool:
    taken = VALIDATOR.is_valid(document)
    assert _parser_takes(document) is taken, list(VALIDATOR.iter_errors(document))
    return taken


def _bindings(**entry: Any) -> dict[str, Any]:
    # A pattern has to match the name, which the schema can't say, unless there is no ServiceAccount.
    alone = {"roleOnly": True} if "subjectPattern" in entry else {}
    whole = {"metadata": {"name": "app"}, **alone, **entry}
    return {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": [whole]}


DOCUMENTS: tuple[Any, ...] = (
    {"Version": "2012-10-17", "Statement": [ALLOW]},
    {"Statement": ALLOW, "Id": "x"},
    {"Statement": [{**ALLOW, "Sid": "S", "Condition": {"Bool": {"aws:SecureTransport": [True, "x", 1]}}}]},
    {"Statement": {"Effect": "Deny", "NotAction": ["s3:*"], "NotResource": "*"}},
    {},
    {"Statement": []},
    {"Statement": [ALLOW, 1]},
    {"Statement": [ALLOW], "statement": 1},
    {"Version": "2013-10-17", "Statement": [ALLOW]},
    {"Statement": {**ALLOW, "Effect": "allow"}},
    {"Statement": {**ALLOW, "NotAction": "x"}},
    {"Statement": {**ALLOW, "Principal": "*"}},
    {"Statement": {**ALLOW, "Action": []}},
    {"Statement": {**ALLOW, "Action": ["s3:*", ""]}},
    {"Statement": {**ALLOW, "Action": 1}},
    {"Statement": {**ALLOW, "Condition": []}},
    {"Statement": {**ALLOW, "Condition": {"Null": None}}},
    {"Statement": {**ALLOW, "Sid": None}},
    {"Statement": {**ALLOW, "Sid": "a b"}},
    {"Statement": {**ALLOW, "Sid": ""}},
    {"Statement": {**ALLOW, "Action": "GetObject"}},
    {"Statement": {**ALLOW, "Action": ["*", "s3:*"]}},
    {"Statement": {**ALLOW, "Resource": "bucket"}},
    {"Statement": {**ALLOW, "Resource": ["arn:*:s3:::b/${aws:username}", "*"]}},
    {"Statement": {**ALLOW, "Condition": {"StringEqual": {"aws:x": "y"}}}},
    {"Statement": {**ALLOW, "Condition": {"StringEquals": {"x": "y"}}}},
    {"Statement": {**ALLOW, "Condition": {"StringEquals": {"aws:x": {}}}}},
    {"Statement": {"Effect": "Allow", "Action": "s3:*"}},
    [],
    "x",
)
ANYTHING: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    3600,
    43201,
    1.5,
    "",
    "x",
    "a b",
    [],
    ["x"],
    [1],
    {},
    {"x": "y"},
)
VALUES: dict[str, tuple[Any, ...]] = {
    "metadata": (
        {"name": "a"},
        {"name": "a.b-c", "namespace": "ns", "labels": {"a/b": "", "c": "D_e"}, "annotations": {"x": "y z"}},
        {"name": "a", "annotations": {"eks.amazonaws.com/token-expiration": "86400"}},
        {"name": "a", "annotations": {"eks.amazonaws.com/token-expiration": "86401"}},
        {"name": "a", "annotations": {"eks.amazonaws.com/sts-regional-endpoints": "true"}},
        {"name": "a", "annotations": {"eks.amazonaws.com/role-arn": ROLE}},
        {"name": "a", "annotations": {"irsa/x": "y"}},
        {"name": "a", "annotations": {"a": 1}},
        {"name": "a", "labels": {"a": "b "}},
        {"name": "a", "labels": {"a/b/c": "b"}},
        {"name": "a", "namespace": "a.b"},
        {"name": "A"},
        {"namespace": "a"},
        {"name": "a", "Name": "b"},
    ),
    "attachPolicyARNs": ([POLICY], [POLICY, ROLE], [POLICY + "/"], [POLICY] * 2),
    "wellKnownPolicies": (
        {"externalDNS": True, "certManager": False, "velero": False},
        {"velero": True},
        {"velero": {}},
        {"velero": {"buckets": "abc"}},
        {"velero": {"buckets": ["abc", "d.e"]}},
        {"velero": {"buckets": []}},
        {"velero": {"buckets": ["A"]}},
        {"karpenter": {"nodeRole": ["a"]}},
        {"karpenter": {"nodeRole": ["a", "b"]}},
        {"karpenter": {}},
        {"vpcCNI": {"x": "y"}},
        {"externalDNS": "yes"},
        {"externaldns": True},
    ),
    "attachPolicy": DOCUMENTS,
    "inlinePolicies": (
        *({"p": item} for item in DOCUMENTS),
        {"p": {"file": "x"}},
        {"p": {"file": 1}},
        {"a b": DOCUMENTS[0]},
    ),
    "attachRoleARN": (ROLE, ROLE + "/", POLICY),
    "permissionsBoundary": (POLICY, ROLE),
    "roleName": ("a+=,.@-_B9", "a/b", "a" * 64, "a" * 65),
    "rolePath": ("/", "/a/", "/a/b/", "a/", "/a", "//", "/a b/"),
    "description": ("Été\n", "\u20ac", "x" * 1000, "x" * 1001),
    "maxSessionDuration": (43200, 3599, "3600"),
    "tags": (
        {"a": "b", "c d": "", "é": "ü"},
        {"aws:x": "y"},
        {"IRSA/x": "y"},
        {"a": 1},
        {"": "x"},
        {"a": "b!"},
    ),
    "subjectPattern": ("a*", "?pp", "A*"),
    "subjects": (
        [{"name": "x"}, {"namespace": "team-*", "name": "*"}],
        [{"name": "a..b"}],
        [{"name": "a..*"}],
        [{"namespace": "-", "name": "x"}],
        [{"namespace": "-*", "name": "x"}],
        [{"namespace": "a"}],
    ),
    "clusters": (
        [{"name": "blue"}, {"name": "b", "region": "eu-west-1"}, {"issuer": "https://a.b/c"}],
        [{"name": "blue", "issuer": "https://a.b"}],
        [{"issuer": "https://a.b:1"}],
        [{"issuer": "https://a.b", "region": "eu-west-1"}],
        [{"name": "b", "region": "eu"}],
        [{}],
    ),
    "trustConditions": (
        {"StringEquals": {"aws:SourceVpc": ["vpc-1"]}, "Null": {"x:y": "true"}},
        {"ForAnyValue:StringLikeIfExists": {"x:y": "y"}},
        {"StringEquals": {"x": "y"}},
        {"StringEquals": {}},
        {"StringEquals": {"x:y": []}},
        {"StringEquals": {"x:y": True}},
        {"StringEquals": {"x:Aud": "y"}},
        {"Stringequals": {"x:y": "y"}},
    ),
    "audience": ("a b", "sts.amazonaws.com", "x" * 256),
    "tokenExpiration": (600, 86400, 599),
    "roleOnly": (),
    "stsRegionalEndpoints": (),
    "podIdentity": (
        True,
        {},
        {"disableSessionTags": True, "createServiceAccount": False},
        {"sessionPolicy": DOCUMENTS[0], "disableSessionTags": True},
        {"sessionPolicy": DOCUMENTS[0], "disableSessionTags": False},
        {"sessionPolicy": DOCUMENTS[0]},
        {"sessionPolicy": {"file": "x"}, "disableSessionTags": True},
        {"sessionPolicy": {}},
        {"sessionPolicy": "x"},
        {"createServiceAccount": "true"},
        {"tags": {}},
    ),
    "also": ("pod-identity", "irsa"),
    "roleAccount": ("111122223333", "11112222333", "1111222233334"),
    "roleAssumeRole": (ROLE, POLICY),
    "roleProfile": ("a b", "a" * 129, "a[b", "a\tb"),
    "targetRole": (ROLE, POLICY),
    "externalID": ("12", "1", "a" * 1225, "a-b:c/d@e,f=g+h.i", "a b"),
    "targetTagSession": (),
    "targetAssumeRole": (ROLE, POLICY),
    "targetProfile": ("a b", "a" * 129, "a]b"),
    "awsConfigMap": ("a.b", "A", "a" * 254),
    "status": (),
}


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert set(ENTRY) == {*EKSCTL, *OURS} == set(VALUES)
    assert set(ENTRY["wellKnownPolicies"]["properties"]) == set(wellknown.names())


@pytest.mark.parametrize("field", VALUES)
def test_one_field(field: str) -> None:
    answers = [_agree(_bindings(**{field: value})) for value in (*VALUES[field], *ANYTHING)]
    assert True in answers
    assert False in answers or field == "status"


def test_the_top() -> None:
    base = _bindings()
    for document, taken in (
        (base, True),
        ({**base, "kind": "bindings"}, False),
        ({**base, "apiVersion": "v1"}, False),
        ({"apiVersion": "irsa/v1", "kind": "Bindings"}, True),
        ({**base, "withOIDC": True}, True),
        ({**base, "withOIDC": "true"}, False),
        ({**base, "permissionsBoundary": POLICY}, True),
        ({**base, "permissionsBoundary": ROLE}, False),
        ({**base, "permissionsBoundary": None}, False),
        ({**base, "metadata": {}}, True),
        ({**base, "metadata": {"name": "a_B-1", "region": "us-gov-west-1", "tags": {"a": "b"}}}, True),
        ({**base, "metadata": {"name": "a.b"}}, False),
        ({**base, "metadata": {"version": "1.33"}}, False),
        ({**base, "iam": {}}, False),
        ({**base, "serviceAccounts": {}}, False),
        ({**base, "serviceAccounts": [{}]}, False),
    ):
        assert _agree(document) is taken


# What the schema can't say is kept out: contradictions of annotation and field, patterns that miss the name,
# and two policies of one name.
COMBINED = sorted(set(VALUES) - {"metadata", "subjectPattern", "audience", "tokenExpiration"})


@settings(deadline=None)
@given(st.data())
def test_any_fields_together(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(COMBINED), unique=True, max_size=6))
    entry = {field: data.draw(st.sampled_from(VALUES[field] or ANYTHING)) for field in chosen}
    _agree(_bindings(**entry))


def _in(entry: Callable[[str], dict[str, Any]]) -> Callable[[str], Any]:
    return lambda text: _bindings(**entry(text))


TEXTS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "name": (_in(lambda text: {"metadata": {"name": text}}), ENTRY["metadata"]["properties"]["name"]),
    "namespace": (
        _in(lambda text: {"metadata": {"name": "a", "namespace": text}}),
        ENTRY["metadata"]["properties"]["namespace"],
    ),
    "roleName": (_in(lambda text: {"roleName": text}), ENTRY["roleName"]),
    "rolePath": (_in(lambda text: {"rolePath": text}), ENTRY["rolePath"]),
    "audience": (_in(lambda text: {"audience": text}), ENTRY["audience"]),
    "policy": (_in(lambda text: {"attachPolicyARNs": [text]}), SCHEMA["definitions"]["policyARN"]),
    "role": (_in(lambda text: {"attachRoleARN": text}), SCHEMA["definitions"]["roleARN"]),
    "label": (
        _in(lambda text: {"metadata": {"name": "a", "labels": {text: text.rpartition("/")[2]}}}),
        ENTRY["metadata"]["properties"]["labels"]["propertyNames"],
    ),
    "tag": (_in(lambda text: {"tags": {text: text}}), SCHEMA["definitions"]["tags"]["propertyNames"]),
    "subject": (
        _in(lambda text: {"subjects": [{"name": text, "namespace": text}]}),
        ENTRY["subjects"]["items"]["properties"]["namespace"],
    ),
    "issuer": (
        _in(lambda text: {"clusters": [{"issuer": text}]}),
        ENTRY["clusters"]["items"]["anyOf"][1]["properties"]["issuer"],
    ),
    "operator": (
        _in(lambda text: {"trustConditions": {text: {"a:b": "b"}}}),
        ENTRY["trustConditions"]["propertyNames"],
    ),
}
ASCII = st.characters(min_codepoint=0, max_codepoint=127)


@pytest.mark.parametrize("field", TEXTS)
@settings(deadline=None, max_examples=examples(60))
@given(data=st.data())
def test_texts(field: str, data: st.DataObject) -> None:
    """Texts that the schema's own pattern makes, and texts beside them."""
    make, rule = TEXTS[field]
    text = data.draw(st.from_regex(rule["pattern"], alphabet=ASCII), label="text")
    if data.draw(st.booleans(), label="changed"):
        place = data.draw(st.integers(0, len(text)), label="place")
        text = text[:place] + data.draw(ASCII, label="character") + text[place:]
    # To Python's `$` a line may end after it; to JavaScript's, and the parser, it may not.
    _agree(make(text.rstrip("\n")))
