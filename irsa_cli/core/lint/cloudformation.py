"""The roles of a CloudFormation template, and so of what the CDK synthesizes.

What its functions give is `irsa_cli.core.lint.intrinsics`' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.core.lint.found import LintedTrust
from irsa_cli.core.lint.gaps import Gaps
from irsa_cli.core.lint.intrinsics import Template, as_json
from irsa_cli.core.lint.placed import Placed
from irsa_cli.core.lint.roles import dicts
from irsa_cli.core.trust.rules.power import power

_ROLE = "AWS::IAM::Role"
_DOCUMENT = "AssumeRolePolicyDocument"


def is_template(value: Mapping[str, Any]) -> bool:
    """Whether a document is a template: its resources have types of CloudFormation."""
    resources = value.get("Resources")
    if not isinstance(resources, dict):
        return False
    return "AWSTemplateFormatVersion" in value or any(
        isinstance(item, dict) and "::" in str(item.get("Type", "")) for item in resources.values()
    )


def of_template(placed: Placed) -> Iterator[LintedTrust]:
    """The trust policies of its roles."""
    gaps = Gaps()
    template = Template(placed.value, gaps)
    for name, item in template.resources.items():
        properties = item.get("Properties") if isinstance(item, dict) else None
        if template.type_of(name) != _ROLE or not isinstance(properties, dict) or _DOCUMENT not in properties:
            continue
        document = template.resolved(properties[_DOCUMENT])
        found = placed.at("Resources", name, "Properties", _DOCUMENT, subject=name)
        if (read := as_json(document)) is not None:
            found, document = found.inside(), read
        yield LintedTrust(found, document, gaps, _power(template, properties))


def _power(template: Template, properties: Mapping[str, Any]) -> str:
    attached = template.resolved(properties.get("ManagedPolicyArns"))
    attached = [item for item in attached if isinstance(item, str)] if isinstance(attached, list) else []
    inline = {
        str(item.get("PolicyName")): item.get("PolicyDocument")
        for item in dicts(template.resolved(properties.get("Policies")))
    }
    boundary = template.resolved(properties.get("PermissionsBoundary"))
    return power(attached, inline, boundary if isinstance(boundary, str) else "")
