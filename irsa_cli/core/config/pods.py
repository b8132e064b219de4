"""What an entry says to the pod identity webhook: by fields of its own, or by the webhook's annotations.

https://github.com/aws/amazon-eks-pod-identity-webhook/blob/master/README.md
"""

from __future__ import annotations

from typing import Any

from yaml import Node

from irsa_cli.core.config.nodes import text_of
from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.plan.rules import RULES
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    ROLE_ARN_ANNOTATION,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
)
from irsa_cli.core.values import names

_WEBHOOK = {
    AUDIENCE_ANNOTATION: "audience",
    STS_REGIONAL_ANNOTATION: "sts_regional_endpoints",
    TOKEN_EXPIRATION_ANNOTATION: "token_expiration",
}


def pod_settings(reader: Reader, fields: Fields, annotations: Node | None) -> dict[str, Any]:
    """The attributes of a `Binding` that pods are told of: its `annotations`, and what has fields."""
    others, by_annotation = _annotations(reader, annotations) if annotations is not None else ({}, {})
    by_field = _by_field(reader, fields)
    for annotation, attribute in _WEBHOOK.items():
        values = {settings[attribute] for settings in (by_annotation, by_field) if attribute in settings}
        if len(values) > 1 and annotations is not None:
            reader.problem(annotations, f"the annotation {annotation} contradicts the field for it")
    settings = {**by_annotation, **by_field}
    return {
        "annotations": others,
        **{attribute: value for attribute, value in settings.items() if value is not None},
    }


def _by_field(reader: Reader, fields: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "audience" in fields:
        found["audience"] = reader.text(fields["audience"], names.audience)
    if "stsRegionalEndpoints" in fields:
        found["sts_regional_endpoints"] = reader.boolean(fields["stsRegionalEndpoints"])
    if "tokenExpiration" in fields:
        found["token_expiration"] = reader.whole_number(fields["tokenExpiration"], names.token_expiration)
    return found


def _annotations(reader: Reader, node: Node) -> tuple[dict[str, str], dict[str, Any]]:
    """The annotations that are nobody's business here, and what the webhook's say."""
    others: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for key, value in reader.pairs(node).values():
        name, text = text_of(key), reader.text(value)
        if text is None:
            continue
        if name == ROLE_ARN_ANNOTATION:
            reader.problem(key, "irsa sets the role's ARN itself; for a role that exists, say attachRoleARN")
        elif name in _WEBHOOK:
            settings[_WEBHOOK[name]] = reader.checked(value, RULES[_WEBHOOK[name]], text)
        elif reader.checked(key, names.service_account_annotations, {name: text}) is not None:
            others[name] = text
    reader.checked(node, names.service_account_annotations, others)
    return others, settings
