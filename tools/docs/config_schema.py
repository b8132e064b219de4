"""Write docs/reference/irsa-v1.schema.json; with `--check`, fail when it is stale.

The JSON Schema of irsa's own kind of configuration file, for editors. The rules are the parser's
(`irsa_cli.core.config`), said again in the words of JSON Schema; tests hold the two against each other. What
it can't say, only the parser checks: sizes, names that are there twice, fields that contradict each other,
ARNs in policies down to the last part, places of a template that nobody has filled in.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.config.entry_fields import OF_DOCUMENTS  # noqa: E402
from irsa_cli.core.config.service_accounts import CONTRADICTING, OF_A_NEW_ROLE  # noqa: E402
from irsa_cli.core.policies import wellknown, wellknown_uses  # noqa: E402 - it may not be installed
from irsa_cli.core.policies.operators import COMPARISONS  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "irsa-v1.schema.json"
Schema = dict[str, Any]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS = rf"{_LABEL}(\.{_LABEL})*"
_NAME = "[A-Za-z0-9_+=,.@-]"
_PATH = r"([\x21-\x2e\x30-\x7e]+/)*"
_QUALIFIED = "(?=[^/]{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = rf"((?=[^/]{{1,253}}/){_DNS}/)?{_QUALIFIED}"
# Python's \w takes letters of all scripts; here, everything beyond ASCII passes.
_TAG = r"[^\x00-\x1f!\"#$%&'()*,;<>?\[\\\]^`{|}~\x7f-\x9f]*"
_RESERVED = "[aA][wW][sS]:|[iI][rR][sS][aA]/"
_WILD_NAMESPACE = r"(?=[^*?]*[*?])[a-z0-9*?-]{1,63}"
_WILD_NAME = r"(?=[^*?]*[*?])[a-z0-9.*?-]{1,253}"
_SECONDS = "[6-9][0-9]{2}|[1-9][0-9]{3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400"


def text(pattern: str, most: int | None = None, description: str = "") -> Schema:
    """A string that the pattern describes as a whole."""
    found: Schema = {"type": "string", "pattern": f"^({pattern})$"}
    if most is not None:
        found["maxLength"] = most
    return {"description": description, **found} if description else found


def fields(properties: Schema, *required: str, **more: Any) -> Schema:
    """An object that has no other fields than these."""
    found = {"type": "object", "additionalProperties": False, "properties": properties, **more}
    return {**found, "required": list(required)} if required else found


def pairs(keys: Schema, values: Schema, **more: Any) -> Schema:
    """An object with any keys of this form."""
    return {"type": "object", "propertyNames": keys, "additionalProperties": values, **more}


def ref(name: str, description: str = "") -> Schema:
    """What `definitions` has under this name."""
    found = {"$ref": f"#/definitions/{name}"}
    return {"description": description, "allOf": [found]} if description else found


def listed(items: Schema, description: str = "", **more: Any) -> Schema:
    """A list; limits that are None are none."""
    limits = {key: value for key, value in more.items() if value is not None}
    found = {"type": "array", "items": items, **limits}
    return {"description": description, **found} if description else found


ARN = {
    "policyARN": text(rf"arn:aws(-[a-z]+)*:iam::([0-9]{{12}}|aws):policy/{_PATH}{_NAME}{{1,128}}"),
    "roleARN": text(rf"arn:aws(-[a-z]+)*:iam::[0-9]{{12}}:role/{_PATH}{_NAME}{{1,64}}"),
}
CLUSTER = {
    "name": text(r"[0-9A-Za-z][A-Za-z0-9_-]*", 100, "Name of the EKS cluster"),
    "region": text("[a-z]+(-[a-z]+)+-[0-9]+", 32, "Region of the cluster"),
}
ACCESS = {
    "account": text("[0-9]{12}", None, "Account of the cluster"),
    "assumeRole": ref("roleARN", "Role to assume for the cluster"),
}
ISSUER = r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(/[\x21\x22\x24-\x3e\x40-\x7e]*)?"
OPERATOR = f"Null|((ForAnyValue|ForAllValues):)?({'|'.join(COMPARISONS)})(IfExists)?"


def schema() -> Schema:
    """The whole schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "irsa: ServiceAccounts of an EKS cluster and their IAM roles",
        **fields(
            {
                "apiVersion": {"const": "irsa/v1"},
                "kind": {"const": "Bindings"},
                "metadata": fields({**CLUSTER, **ACCESS, "tags": ref("tags", "Tags of all roles")}),
                "withOIDC": {"type": "boolean", "description": "Also create the cluster's OIDC provider"},
                "permissionsBoundary": ref("policyARN", "Permissions boundary of roles whose entry has none"),
                "serviceAccounts": listed(ref("serviceAccount")),
                **{name: accounts()[name] for name in OF_DOCUMENTS},
            },
            "apiVersion",
            "kind",
        ),
        "definitions": definitions(),
    }


def definitions() -> Schema:
    """The definitions that the schema refers to."""
    text_value = {"type": "string", "minLength": 1}
    return {
        **ARN,
        "tags": pairs(
            text(f"(?!{_RESERVED}){_TAG}", 128) | {"minLength": 1}, text(_TAG, 256), maxProperties=45
        ),
        "serviceAccount": service_account(),
        "document": document(),
        "statement": statement(),
        "texts": {"anyOf": [text_value, {"type": "array", "minItems": 1, "items": text_value}]},
        "value": {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {"type": "array", "items": ref("value")},
                {"type": "object", "additionalProperties": ref("value")},
            ]
        },
    }


def service_account() -> Schema:
    """One entry."""
    properties = {
        "metadata": metadata(),
        **policies(),
        "attachRoleARN": ref("roleARN", "Use an existing role instead of creating one"),
        "permissionsBoundary": ref("policyARN", "Permissions boundary of the role"),
        "roleName": text(f"{_NAME}+", 64, "Name of the role"),
        "rolePath": text(f"/{_PATH}", 512, "Path of the role"),
        "roleOnly": {"type": "boolean", "description": "Create the role only, not the ServiceAccount"},
        "description": text(r"[\t\n\r\x20-\x7e\xa1-\xff]*", 1000, "Description of the role"),
        "maxSessionDuration": _seconds(3600, 43200, "Longest session of the role, in seconds"),
        "tags": ref("tags", "Tags of the role"),
        **trust(),
        "audience": text(r"[\x21-\x7e]+", 255, "Audience of the pods' tokens"),
        "stsRegionalEndpoints": {
            "type": "boolean",
            "description": "Use the regional STS endpoint in pods",
        },
        "tokenExpiration": _seconds(600, 86400, "Lifetime of the pods' tokens, in seconds"),
        **accounts(),
        **pod_identity(),
        "status": {"description": "Written by eksctl; ignored"},
    }
    off = {"anyOf": [{"enum": [False, []]}, {"type": "object", "additionalProperties": {"const": False}}]}
    of_a_new_role = [name for name in OF_A_NEW_ROLE if name != "targetRole"]
    alone = {"required": ["podIdentity"], "properties": {"podIdentity": {"not": {"const": False}}}}
    contradicting = [
        ({"required": ["attachRoleARN"]}, of_a_new_role),
        ({"required": ["attachRoleARN"], "not": alone}, ["targetRole"]),
        ({"required": ["also"]}, CONTRADICTING["also"]),
        ({"not": {"required": ["also"]}, **alone}, CONTRADICTING["podIdentity"]),
    ]
    rules = [
        {"if": given, "then": {"properties": dict.fromkeys(names, off)}} for given, names in contradicting
    ]
    return {**fields(properties, "metadata"), "allOf": rules}


def pod_identity() -> Schema:
    """The fields about EKS Pod Identity."""
    settings = {
        "sessionPolicy": {
            "description": "Policy that limits the role's permissions",
            "anyOf": [ref("document"), by_file()],
        },
        "disableSessionTags": {"type": "boolean", "description": "Add no session tags"},
        "createServiceAccount": {
            "type": "boolean",
            "description": "Create the ServiceAccount if it is missing",
        },
    }
    limited = {"required": ["sessionPolicy"]}
    untagged = {"required": ["disableSessionTags"], "properties": {"disableSessionTags": {"const": True}}}
    return {
        "podIdentity": {
            "description": "Use EKS Pod Identity instead of the annotation",
            "anyOf": [{"type": "boolean"}, {**fields(settings), "if": limited, "then": untagged}],
        },
        "also": {
            "description": "Use EKS Pod Identity in addition to the annotation",
            "const": "pod-identity",
        },
    }


def by_file() -> Schema:
    """A policy document in a file."""
    return fields({"file": {"type": "string", "description": "Path, from this file's folder"}}, "file")


def accounts() -> Schema:
    """The fields that are about other accounts."""
    profile = r"[^\x00-\x1f\x7f\[\]]+"
    return {
        "roleAccount": text("[0-9]{12}", None, "Account of the role and the OIDC provider"),
        "roleAssumeRole": ref("roleARN", "Role to assume in the role's account"),
        "roleProfile": text(profile, 128, "Profile of the AWS configuration for the role's account"),
        "targetRole": ref("roleARN", "Another role that the role can assume, usually in another account"),
        "externalID": text(r"[\w+=,.@:/-]{2,}", 1224, "External ID that the target role requires"),
        "targetTagSession": {
            "type": "boolean",
            "description": "Allow the role to tag sessions of the target role",
        },
        "targetAssumeRole": ref("roleARN", "Role to assume in the target's account"),
        "targetProfile": text(profile, 128, "Profile of the AWS configuration for the target's account"),
        "awsConfigMap": text(_DNS, 253, "ConfigMap with the AWS configuration for SDKs"),
    }


def _seconds(least: int, most: int, description: str) -> Schema:
    return {"description": description, "type": "integer", "minimum": least, "maximum": most}


def metadata() -> Schema:
    """The ServiceAccount itself."""
    webhook = {
        "eks.amazonaws.com/audience": text(r"[\x21-\x7e]+", 255),
        "eks.amazonaws.com/sts-regional-endpoints": {"enum": ["true", "false"]},
        "eks.amazonaws.com/token-expiration": text(_SECONDS),
    }
    others = text(rf"(?!eks\.amazonaws\.com/|irsa/){_KEY}")
    annotations = {
        "type": "object",
        "propertyNames": {"anyOf": [{"enum": list(webhook)}, others]},
        "properties": webhook,
        "additionalProperties": {"type": "string"},
    }
    return fields(
        {
            "name": text(_DNS, 253, "Name of the ServiceAccount"),
            "namespace": text(_LABEL, 63, "Its namespace (default: default)"),
            "labels": pairs(text(_KEY), text(f"|{_QUALIFIED}"), description="Its labels"),
            "annotations": {"description": "Its annotations", **annotations},
        },
        "name",
    )


def policies() -> Schema:
    """The fields that are about the role's policies."""
    return {
        "attachPolicyARNs": listed(ref("policyARN"), "Managed policies", maxItems=20),
        "wellKnownPolicies": {
            "description": "Policies by name: irsa policies list",
            **fields({name: well_known(name) for name in wellknown.names()}),
        },
        "attachPolicy": ref("document", "An inline policy"),
        "inlinePolicies": {
            "description": "Inline policies by their names",
            **pairs(text(f"{_NAME}+", 128), {"anyOf": [ref("document"), by_file()]}),
        },
    }


def well_known(name: str) -> Schema:
    """A policy of the catalogue: on or off, or its parameters."""
    policy = wellknown.get(name)
    needed = [item for item in policy.required if item not in wellknown_uses.FILLED]
    parameters = {}
    for item in policy.parameters.values():
        one = text(item.pattern)
        several = listed(one, minItems=1, maxItems=None if item.many else 1)
        parameters[item.name] = {"description": item.description, "anyOf": [one, several]}
    on = {"type": "boolean"} if not needed else {"const": False}
    return {"description": policy.title, "anyOf": [on, fields(parameters, *needed)]}


def trust() -> Schema:
    """The fields that are about the role's trust policy."""
    subject = fields(
        {
            "namespace": text(f"(?=.{{1,63}}$){_LABEL}|{_WILD_NAMESPACE}"),
            "name": text(f"(?=.{{1,253}}$){_DNS}|{_WILD_NAME}"),
        },
        "name",
    )
    by_name, by_issuer = fields(CLUSTER, "name"), fields({"issuer": text(ISSUER, 255)}, "issuer")
    values = {"anyOf": [{"type": "string"}, listed({"type": "string"}, minItems=1)]}
    key = {"pattern": ":", "not": {"pattern": ":([sS][uU][bB]|[aA][uU][dD])$"}}
    return {
        "subjectPattern": text("[a-z0-9.*?-]*", 253, "Pattern of ServiceAccount names that the role trusts"),
        "subjects": listed(subject, "Other ServiceAccounts that the role trusts"),
        "clusters": listed(
            {"anyOf": [by_name, by_issuer]}, "Other clusters whose ServiceAccounts the role trusts"
        ),
        "trustConditions": {
            "description": "Trust policy conditions in addition to audience and subject",
            **pairs(text(OPERATOR), pairs(key, values, minProperties=1)),
        },
    }


def document() -> Schema:
    """A permissions policy."""
    statements = {"anyOf": [ref("statement"), {"type": "array", "minItems": 1, "items": ref("statement")}]}
    properties = {
        "Version": {"enum": ["2012-10-17", "2008-10-17"]},
        "Id": {"type": "string"},
        "Statement": statements,
    }
    return fields(properties, "Statement")


def one_or_more(items: Schema) -> Schema:
    """One, or a list of them."""
    return {"anyOf": [items, listed(items, minItems=1)]}


def statement() -> Schema:
    """One statement of a permissions policy."""
    action = text(r"\*|(\*|[A-Za-z0-9.-]+):[^:]*")
    resource = text(r"\*+|arn:[a-z*?-]+:[^:].*")
    single = {"type": ["string", "number", "boolean"]}
    values = {"anyOf": [single, listed(single)]}
    properties = {
        "Sid": text("[A-Za-z0-9]*"),
        "Effect": {"enum": ["Allow", "Deny"]},
        **dict.fromkeys(("Action", "NotAction"), one_or_more(action)),
        **dict.fromkeys(("Resource", "NotResource"), one_or_more(resource)),
        "Condition": pairs(text(OPERATOR), pairs({"pattern": ":"}, values)),
    }
    either = [{"oneOf": [{"required": [one]}, {"required": [f"Not{one}"]}]} for one in ("Action", "Resource")]
    return fields(properties, "Effect", allOf=either)


def main(arguments: list[str]) -> int:
    """Write the schema, or compare it; returns the exit code."""
    desired = json.dumps(schema(), indent=2) + "\n"
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == desired:
            return 0
        print(
            "docs/reference/irsa-v1.schema.json is stale: python tools/docs/config_schema.py", file=sys.stderr
        )
        return 1
    if arguments:
        print("usage: python tools/docs/config_schema.py [--check]", file=sys.stderr)
        return 2
    PAGE.write_text(desired, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
