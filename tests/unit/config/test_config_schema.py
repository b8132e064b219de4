"""The published JSON Schema and the parser take the same configurations, and refuse the same."""

from __future__ import annotations

import json
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
from tests.support.documents import Json, doc
from tests.support.thoroughness import examples

SCHEMA: Json = json.loads((ROOT / "docs" / "reference" / "irsa-v1.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
ENTRY = SCHEMA["definitions"]["serviceAccount"]["properties"]
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
ROLE = "arn:aws-cn:iam::111122223333:role/a/b"
STATEMENT = '"Effect": "Allow", "Action": "s3:*", "Resource": ["*"]'


def _parser_takes(document: Any) -> bool:
    try:
        parse(json.dumps(document), "f.json", lambda path: f'{{"Statement": {{{STATEMENT}}}}}')
    except InvalidInput:
        return False
    return True


def _agree(document: Any) -> bool:
    taken = VALIDATOR.is_valid(document)
    assert _parser_takes(document) is taken, list(VALIDATOR.iter_errors(document))
    return taken


def _bindings(**entry: Any) -> Json:
    # A pattern has to match the name, which the schema can't say, unless there is no ServiceAccount.
    alone = {"roleOnly": True} if "subjectPattern" in entry else {}
    whole = {"metadata": {"name": "app"}, **alone, **entry}
    return {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": [whole]}


DOCUMENTS = """{"Version": "2012-10-17", "Statement": [{<S>}]}
{"Statement": {<S>}, "Id": "x"}
{"Statement": [{<S>, "Sid": "S", "Condition": {"Bool": {"aws:SecureTransport": [true, "x", 1]}}}]}
{"Statement": {"Effect": "Deny", "NotAction": ["s3:*"], "NotResource": "*"}}
{}
{"Statement": []}
{"Statement": [{<S>}, 1]}
{"Statement": [{<S>}], "statement": 1}
{"Version": "2013-10-17", "Statement": [{<S>}]}
{"Statement": {"Effect": "allow", "Action": "s3:*", "Resource": ["*"]}}
{"Statement": {<S>, "NotAction": "x"}}
{"Statement": {<S>, "Principal": "*"}}
{"Statement": {"Effect": "Allow", "Action": [], "Resource": ["*"]}}
{"Statement": {"Effect": "Allow", "Action": ["s3:*", ""], "Resource": ["*"]}}
{"Statement": {"Effect": "Allow", "Action": 1, "Resource": ["*"]}}
{"Statement": {<S>, "Condition": []}}
{"Statement": {<S>, "Condition": {"Null": null}}}
{"Statement": {<S>, "Sid": null}}
{"Statement": {<S>, "Sid": "a b"}}
{"Statement": {<S>, "Sid": ""}}
{"Statement": {"Effect": "Allow", "Action": "GetObject", "Resource": ["*"]}}
{"Statement": {"Effect": "Allow", "Action": ["*", "s3:*"], "Resource": ["*"]}}
{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "bucket"}}
{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:*:s3:::b/${aws:username}", "*"]}}
{"Statement": {<S>, "Condition": {"StringEqual": {"aws:x": "y"}}}}
{"Statement": {<S>, "Condition": {"StringEquals": {"x": "y"}}}}
{"Statement": {<S>, "Condition": {"StringEquals": {"aws:x": {}}}}}
{"Statement": {"Effect": "Allow", "Action": "s3:*"}}
[]
"x\""""
ANYTHING = '[null, true, false, 0, 3600, 43201, 1.5, "", "x", "a b", [], ["x"], [1], {}, {"x": "y"}]'
FIELDS = {
    "metadata": """{"name": "a"}
        {"name": "a.b-c", "namespace": "ns", "labels": {"a/b": "", "c": "D_e"}, "annotations": {"x": "y z"}}
        {"name": "a", "annotations": {"eks.amazonaws.com/token-expiration": "86400"}}
        {"name": "a", "annotations": {"eks.amazonaws.com/token-expiration": "86401"}}
        {"name": "a", "annotations": {"eks.amazonaws.com/sts-regional-endpoints": "true"}}
        {"name": "a", "annotations": {"eks.amazonaws.com/role-arn": "<ROLE>"}}
        {"name": "a", "annotations": {"irsa/x": "y"}}
        {"name": "a", "annotations": {"a": 1}}
        {"name": "a", "labels": {"a": "b "}}
        {"name": "a", "labels": {"a/b/c": "b"}}
        {"name": "a", "namespace": "a.b"}
        {"name": "A"}
        {"namespace": "a"}
        {"name": "a", "Name": "b"}""",
    "attachPolicyARNs": '["<POLICY>"]\n ["<POLICY>", "<ROLE>"]\n ["<POLICY>/"]\n ["<POLICY>", "<POLICY>"]',
    "wellKnownPolicies": """{"externalDNS": true, "certManager": false, "velero": false}
        {"velero": true}
        {"velero": {}}
        {"velero": {"buckets": "abc"}}
        {"velero": {"buckets": ["abc", "d.e"]}}
        {"velero": {"buckets": []}}
        {"velero": {"buckets": ["A"]}}
        {"karpenter": {"nodeRole": ["a"]}}
        {"karpenter": {"nodeRole": ["a", "b"]}}
        {"karpenter": {}}
        {"vpcCNI": {"x": "y"}}
        {"externalDNS": "yes"}
        {"externaldns": true}""",
    "attachPolicy": DOCUMENTS,
    "inlinePolicies": "\n".join(f'{{"p": {line}}}' for line in DOCUMENTS.splitlines())
    + """
        {"p": {"file": "x"}}
        {"p": {"file": 1}}
        {"a b": {"Statement": {<S>}}}""",
    "attachRoleARN": '"<ROLE>"\n "<ROLE>/"\n "<POLICY>"',
    "permissionsBoundary": '"<POLICY>"\n "<ROLE>"',
    "roleName": '"a+=,.@-_B9"\n "a/b"',
    "rolePath": '"/"\n "/a/"\n "/a/b/"\n "a/"\n "/a"\n "//"\n "/a b/"',
    "description": r'"Été\n"' '\n "\u20ac"',
    "maxSessionDuration": '43200\n 3599\n "3600"',
    "tags": """{"a": "b", "c d": "", "é": "ü"}
        {"aws:x": "y"}
        {"IRSA/x": "y"}
        {"a": 1}
        {"": "x"}
        {"a": "b!"}""",
    "subjectPattern": '"a*"\n "?pp"\n "A*"',
    "subjects": """[{"name": "x"}, {"namespace": "team-*", "name": "*"}]
        [{"name": "a..b"}]
        [{"name": "a..*"}]
        [{"namespace": "-", "name": "x"}]
        [{"namespace": "-*", "name": "x"}]
        [{"namespace": "a"}]""",
    "clusters": """[{"name": "blue"}, {"name": "b", "region": "eu-west-1"}, {"issuer": "https://a.b/c"}]
        [{"name": "blue", "issuer": "https://a.b"}]
        [{"issuer": "https://a.b:1"}]
        [{"issuer": "https://a.b", "region": "eu-west-1"}]
        [{"name": "b", "region": "eu"}]
        [{}]""",
    "trustConditions": """{"StringEquals": {"aws:SourceVpc": ["vpc-1"]}, "Null": {"x:y": "true"}}
        {"ForAnyValue:StringLikeIfExists": {"x:y": "y"}}
        {"StringEquals": {"x": "y"}}
        {"StringEquals": {}}
        {"StringEquals": {"x:y": []}}
        {"StringEquals": {"x:y": true}}
        {"StringEquals": {"x:Aud": "y"}}
        {"Stringequals": {"x:y": "y"}}""",
    "audience": '"a b"\n "sts.amazonaws.com"',
    "tokenExpiration": "600\n 86400\n 599",
    "roleOnly": "",
    "stsRegionalEndpoints": "",
    "podIdentity": """true
        {}
        {"disableSessionTags": true, "createServiceAccount": false}
        {"sessionPolicy": {"Statement": {<S>}}, "disableSessionTags": true}
        {"sessionPolicy": {"Statement": {<S>}}, "disableSessionTags": false}
        {"sessionPolicy": {"Statement": {<S>}}}
        {"sessionPolicy": {"file": "x"}, "disableSessionTags": true}
        {"sessionPolicy": {}}
        {"sessionPolicy": "x"}
        {"createServiceAccount": "true"}
        {"tags": {}}""",
    "also": '"pod-identity"\n "irsa"',
    "roleAccount": '"111122223333"\n "11112222333"\n "1111222233334"',
    "roleAssumeRole": '"<ROLE>"\n "<POLICY>"',
    "roleProfile": '"a b"\n "a[b"\n "a\\tb"',
    "targetRole": '"<ROLE>"\n "<POLICY>"',
    "externalID": '"12"\n "1"\n "a-b:c/d@e,f=g+h.i"\n "a b"',
    "targetTagSession": "",
    "targetAssumeRole": '"<ROLE>"\n "<POLICY>"',
    "targetProfile": '"a b"\n "a]b"',
    "awsConfigMap": '"a.b"\n "A"',
    "status": "",
}
"""Values of each field of an entry, JSON, one a line; and texts of these lengths."""
LONG = {
    "roleName": "64 65",
    "description": "1000 1001",
    "audience": "256",
    "roleProfile": "129",
    "externalID": "1225",
    "targetProfile": "129",
    "awsConfigMap": "254",
}


def _values(field: str) -> list[Any]:
    lines = [line for line in FIELDS[field].splitlines() if line.strip()]
    long = ["x" * int(length) for length in LONG.get(field, "").split()]
    return [*(doc(line.replace("<S>", STATEMENT), ROLE=ROLE, POLICY=POLICY) for line in lines), *long]


VALUES = {field: _values(field) for field in FIELDS}


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert set(ENTRY) == {*EKSCTL, *OURS} == set(VALUES)
    assert set(ENTRY["wellKnownPolicies"]["properties"]) == set(wellknown.names())


@pytest.mark.parametrize("field", VALUES)
def test_one_field(field: str) -> None:
    answers = [_agree(_bindings(**{field: value})) for value in (*VALUES[field], *json.loads(ANYTHING))]
    assert True in answers
    assert False in answers or field == "status"


TOP = {
    True: """{}
        {"withOIDC": true}
        {"permissionsBoundary": "<POLICY>"}
        {"metadata": {}}
        {"metadata": {"name": "a_B-1", "region": "us-gov-west-1", "tags": {"a": "b"}}}""",
    False: """{"kind": "bindings"}
        {"apiVersion": "v1"}
        {"withOIDC": "true"}
        {"permissionsBoundary": "<ROLE>"}
        {"permissionsBoundary": null}
        {"metadata": {"name": "a.b"}}
        {"metadata": {"version": "1.33"}}
        {"iam": {}}
        {"serviceAccounts": {}}
        {"serviceAccounts": [{}]}""",
}


def test_the_top() -> None:
    assert _agree({"apiVersion": "irsa/v1", "kind": "Bindings"})
    for taken, texts in TOP.items():
        for text in texts.splitlines():
            assert _agree({**_bindings(), **doc(text, POLICY=POLICY, ROLE=ROLE)}) is taken, text


# What the schema can't say is kept out: contradictions of annotation and field, patterns that miss the name,
# and two policies of one name.
COMBINED = sorted(set(VALUES) - {"metadata", "subjectPattern", "audience", "tokenExpiration"})


@settings(deadline=None)
@given(st.data())
def test_any_fields_together(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(COMBINED), unique=True, max_size=6))
    entry = {field: data.draw(st.sampled_from(VALUES[field] or json.loads(ANYTHING))) for field in chosen}
    _agree(_bindings(**entry))


NAMED = ENTRY["metadata"]["properties"]
TEXTS: dict[str, tuple[str, Any]] = {
    "name": ('{"metadata": {"name": "<any>"}}', NAMED["name"]),
    "namespace": ('{"metadata": {"name": "a", "namespace": "<any>"}}', NAMED["namespace"]),
    "roleName": ('{"roleName": "<any>"}', ENTRY["roleName"]),
    "rolePath": ('{"rolePath": "<any>"}', ENTRY["rolePath"]),
    "audience": ('{"audience": "<any>"}', ENTRY["audience"]),
    "policy": ('{"attachPolicyARNs": ["<any>"]}', SCHEMA["definitions"]["policyARN"]),
    "role": ('{"attachRoleARN": "<any>"}', SCHEMA["definitions"]["roleARN"]),
    "label": ('{"metadata": {"name": "a", "labels": {"<any>": "<end>"}}}', NAMED["labels"]["propertyNames"]),
    "tag": ('{"tags": {"<any>": "<any>"}}', SCHEMA["definitions"]["tags"]["propertyNames"]),
    "subject": (
        '{"subjects": [{"name": "<any>", "namespace": "<any>"}]}',
        ENTRY["subjects"]["items"]["properties"]["namespace"],
    ),
    "issuer": (
        '{"clusters": [{"issuer": "<any>"}]}',
        ENTRY["clusters"]["items"]["anyOf"][1]["properties"]["issuer"],
    ),
    "operator": ('{"trustConditions": {"<any>": {"a:b": "b"}}}', ENTRY["trustConditions"]["propertyNames"]),
}
ASCII = st.characters(min_codepoint=0, max_codepoint=127)


@pytest.mark.parametrize("field", TEXTS)
@settings(deadline=None, max_examples=examples(60))
@given(data=st.data())
def test_texts(field: str, data: st.DataObject) -> None:
    """Texts that the schema's own pattern makes, and texts beside them."""
    entry, rule = TEXTS[field]
    text = data.draw(st.from_regex(rule["pattern"], alphabet=ASCII), label="text")
    if data.draw(st.booleans(), label="changed"):
        place = data.draw(st.integers(0, len(text)), label="place")
        text = text[:place] + data.draw(ASCII, label="character") + text[place:]
    # To Python's `$` a line may end after it; to JavaScript's, and the parser, it may not.
    text = json.dumps(text.rstrip("\n"))[1:-1]
    _agree(_bindings(**doc(entry, end=text.rpartition("/")[2], any=text)))
