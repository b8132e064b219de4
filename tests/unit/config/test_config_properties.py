"""Whatever is written as YAML or JSON is read as it was meant, and no text makes the parser fall over."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import BindingEntry, OtherCluster
from irsa_cli.core.values.errors import InvalidInput
from tests.support.documents import Json
from tests.unit.config.test_config import BINDINGS, CLUSTER_CONFIG

# PyYAML writes y and n without quotes, which the parser refuses: others take them for booleans.
name = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(lambda text: text not in "yn")
# What YAML might take for something else is among them.
value = st.sampled_from(["on", "No", "0123", "42", "true", "2012-10-17", "=", "12:30", "é", "a b"]) | name
policy = st.builds("arn:aws:iam::{:012d}:policy/{}".format, st.integers(0, 10**12 - 1), name)
strings = st.dictionaries(name, value, max_size=3)
plain_value = value.filter(lambda text: "$" not in text)
action = st.builds("{}:{}".format, st.sampled_from(["s3", "sqs"]), st.sampled_from(["*", "Get*", "List"]))
key = st.builds("aws:PrincipalTag/{}".format, name)
document = st.fixed_dictionaries(
    {
        "Version": st.just("2012-10-17"),
        "Statement": st.lists(
            st.fixed_dictionaries(
                {
                    "Effect": st.sampled_from(["Allow", "Deny"]),
                    "Action": action | st.lists(action, min_size=1),
                },
                optional={
                    "Condition": st.dictionaries(
                        st.sampled_from(["StringLike", "Bool"]),
                        st.dictionaries(key, plain_value | st.booleans()),
                    )
                },
            ).map(lambda statement: {**statement, "Resource": "*"}),
            min_size=1,
            max_size=3,
        ),
    }
)
entry = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": name}, optional={"namespace": name, "annotations": strings})},
    optional={
        "attachPolicyARNs": st.lists(policy, unique=True, max_size=20),
        "attachPolicy": document,
        "inlinePolicies": st.dictionaries(name, document, max_size=2),
        "permissionsBoundary": policy,
        "roleName": value.filter(lambda text: text.isascii() and set(": ").isdisjoint(text)),
        "description": value,
        "maxSessionDuration": st.integers(3600, 43200),
        "tags": strings,
        "roleOnly": st.booleans(),
        "subjects": st.lists(st.fixed_dictionaries({"namespace": name, "name": name | st.just("*")})),
        "clusters": st.lists(st.fixed_dictionaries({"name": name})),
        "trustConditions": st.dictionaries(
            st.just("StringLike"), st.dictionaries(key, plain_value, min_size=1), max_size=1
        ),
        "stsRegionalEndpoints": st.booleans(),
        "tokenExpiration": st.integers(600, 86400),
    },
)


def _written(document: Json, form: str) -> str:
    if form.startswith("json"):
        return json.dumps(
            document, indent={"json": None, "json-tabs": "\t"}[form], ensure_ascii=form == "json"
        )
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=form == "flow", allow_unicode=True)


def _meant(entry: Json) -> BindingEntry:
    metadata = entry["metadata"]
    inline = dict(entry.get("inlinePolicies", {}))
    if "attachPolicy" in entry:
        inline["attachPolicy"] = entry["attachPolicy"]
    alone = entry.get("roleOnly", False)
    return BindingEntry(
        metadata.get("namespace", "default"),
        metadata["name"],
        annotations={} if alone else metadata.get("annotations", {}),
        policies=tuple(entry.get("attachPolicyARNs", ())),
        inline=inline,
        permissions_boundary=entry.get("permissionsBoundary", ""),
        role_name=entry.get("roleName", ""),
        role_only=alone,
        description=entry.get("description"),
        max_session_duration=entry.get("maxSessionDuration"),
        tags=entry.get("tags", {}),
        subjects=tuple(
            dict.fromkeys(
                "system:serviceaccount:{namespace}:{name}".format(**item)
                for item in entry.get("subjects", ())
            )
        ),
        clusters=tuple(dict.fromkeys(OtherCluster(**item) for item in entry.get("clusters", ()))),
        conditions=entry.get("trustConditions", {}),
        sts_regional_endpoints=entry.get("stsRegionalEndpoints"),
        token_expiration=entry.get("tokenExpiration"),
    )


@settings(deadline=None)
@given(entry, st.sampled_from(["json", "json-tabs", "block", "flow"]))
def test_what_is_written_is_read(written: Json, form: str) -> None:
    document = {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": [written]}
    ((found,),) = [config.bindings for config in parse(_written(document, form), "f.yaml")]
    meant = _meant(written)
    assert {**vars(found), "where": ""} == vars(meant)


def _parses_or_says_where(text: str) -> None:
    try:
        parse(text, "f.yaml")
    except InvalidInput as error:
        lines = error.details or (str(error),)
        assert all(line.startswith("f.yaml") or "f.yaml:" in line for line in lines)


@settings(deadline=None)
@given(st.text() | st.text("{}[]:,-?&*!|>'\"%@`#\n\t ab1", max_size=40))
def test_any_text(text: str) -> None:
    _parses_or_says_where(text)


@settings(deadline=None)
@given(st.sampled_from([CLUSTER_CONFIG, BINDINGS]), st.data())
def test_any_change_of_a_good_file(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    _parses_or_says_where(text[:start] + data.draw(st.text(max_size=4)) + text[end:])
