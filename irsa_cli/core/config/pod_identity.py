"""The fields of irsa's own entries about EKS Pod Identity: instead of the annotation, or next to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml import MappingNode

from irsa_cli.core.config.nodes import is_off
from irsa_cli.core.config.policies import PolicyReader
from irsa_cli.core.config.reader import Fields, Reader, flag_fields
from irsa_cli.core.values.errors import InvalidInput

_WITH_TOKENS = (
    *("roleOnly", "subjectPattern", "externalID", "targetTagSession", "awsConfigMap", "roleAccount"),
    *("roleAssumeRole", "roleProfile"),
)
_OF_IRSA = ("subjects", "clusters", "trustConditions", "audience", "stsRegionalEndpoints", "tokenExpiration")
CONTRADICTING = {
    "podIdentity": (*_WITH_TOKENS, *_OF_IRSA),
    "also": (*_WITH_TOKENS, "attachRoleARN", "targetRole", "targetAssumeRole", "targetProfile"),
}
"""Fields that contradict EKS Pod Identity instead of the annotation, and next to it."""
NEEDS_NO_TAGS = "EKS accepts a session policy only with disableSessionTags: true"
_SETTINGS = flag_fields("createServiceAccount", "disableSessionTags")


def settings(reader: Reader, fields: Fields, read: Callable[[str], str]) -> dict[str, Any]:
    """The attributes of a `Binding` by `podIdentity` and `also` of irsa's own entries."""
    node = fields.get("podIdentity")
    has_settings = isinstance(node, MappingNode)
    given = node is not None and (has_settings or bool(reader.boolean(node)))
    also = "also" in fields and reader.text(fields["also"], _also) is not None
    if not (given or also):
        return {}
    which = "also" if also else "podIdentity"
    for name in CONTRADICTING[which]:
        if name in fields and not is_off(fields[name]):
            reader.problem(
                fields[name], f"{name} contradicts {which}: it does not work with EKS Pod Identity"
            )
    found: dict[str, Any] = {"pod_identity": True, "web_identity": also}
    if node is not None and has_settings:
        known = ("sessionPolicy", *_SETTINGS)
        own = reader.fields(node, known, "podIdentity", {})
        found |= reader.said(own, _SETTINGS)
        if "sessionPolicy" in own:
            policies = PolicyReader(reader, read, ours=True)
            found["session_policy"] = policies.document_or_file(own["sessionPolicy"]) or {}
            if found["session_policy"] and not found.get("disable_session_tags"):
                reader.problem(own["sessionPolicy"], NEEDS_NO_TAGS)
    return found


def _also(text: str) -> str:
    if text != "pod-identity":
        raise InvalidInput(f"'{text}' is not a valid value", reason="expected pod-identity")
    return text
