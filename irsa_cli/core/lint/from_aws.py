"""Trust policies in AWS's formats: alone, in the output of `aws iam`, in CloudFormation templates.

CloudFormation's functions are evaluated from the template alone; unknown or oversized values are gaps.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from irsa_cli.core.lint.found import (
    Gaps,
    LintedAssociation,
    LintedTrust,
    Path,
    Placed,
    as_dict,
    as_text,
    association_of,
    has_gap,
)
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import statements
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.values.placeholders import placeholder

PROVIDER_HEAD = "arn:aws:iam::000000000000:oidc-provider/"
"""Prefix of a provider's ARN if only its issuer matters."""
_PROVIDERS = ("AWS::IAM::OIDCProvider", "Custom::AWSCDKOpenIdConnectProvider")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
CFN_JSON = "Custom::AWSCDKCfnJson"
"""The CDK's resource for keys that are not known yet: JSON in a text."""
_PSEUDO = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_NOTHING = object()
_VARIABLE = re.compile(r"\$\{(!?)([^{}]*)\}")
"""Names have no braces, so that matching stays fast with many unclosed `${`."""
_LONGEST = 65_536
"""The most characters of a text in a policy."""


class Template:
    """A CloudFormation template with resolved values."""

    def __init__(self, value: Mapping[str, Any], gaps: Gaps) -> None:
        self.resources: Mapping[str, Any] = as_dict(value.get("Resources"))
        self.gaps = gaps
        self._documents: dict[str, Any] = {}

    @cached_property
    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        """The policies that are separate resources, by their names in the template."""
        names = [name for name in self.resources if self.type_of(name) in _POLICIES]
        properties = {name: self.resolved(self.resources[name].get("Properties")) for name in names}
        return {name: values for name, values in properties.items() if isinstance(values, dict)}

    def type_of(self, name: str) -> str:
        """The type of a resource, '' for none."""
        return str(as_dict(self.resources.get(name)).get("Type", ""))

    def resolved(self, value: Any) -> Any:
        """The value without functions, with gaps for unknown values."""
        resolved = self._resolved(value)
        return None if resolved is _NOTHING else resolved

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [element for element in map(self._resolved, value) if element is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and isinstance(argument, str):
                return self._ref(argument)
            if name.startswith("Fn::"):
                result = self._function(name, argument)
                if result is not None:
                    return result
                return self.gaps.gap(f"{name} {json.dumps(argument, default=str)[:200]}")
        pairs = {name: self._resolved(element) for name, element in value.items()}
        return {name: element for name, element in pairs.items() if element is not _NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        """The value of a function, None if unknown."""
        if name == "Fn::Sub":
            return self._sub(argument)
        if name == "Fn::GetAtt":
            return self._get_att(argument)
        if name not in _OF_PAIRS or not isinstance(argument, list) or len(argument) != 2:
            return None
        return _OF_PAIRS[name](argument[0], self._resolved(argument[1]))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in _PSEUDO:
            return _PSEUDO[name]
        gap = self.gaps.gap(name)
        if self.type_of(name) in _PROVIDERS:
            return PROVIDER_HEAD + gap
        return gap

    def _get_att(self, argument: Any) -> Any:
        path = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(path, list) or not path or not all(isinstance(name, str) for name in path):
            return None
        name = path[0]
        attribute = ".".join(path[1:])
        if self.type_of(name) in _PROVIDERS and attribute == "Arn":
            return self._ref(name)
        if self.type_of(name) == CFN_JSON and attribute == "Value":
            return self._document(name)
        return self.gaps.gap(f"{name}.{attribute}")

    def _document(self, name: str) -> Any:
        """The value of a CDK resource that has JSON in a text; None if it is unknown."""
        if name not in self._documents:
            self._documents[name] = None  # In case it refers to itself.
            properties = as_dict(self.resources[name].get("Properties"))
            self._documents[name] = as_json(self.resolved(properties.get("Value")))
        return self._documents[name]

    def _sub(self, argument: Any) -> str | None:
        text = argument
        variables = {}
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
            text, variables = argument
        if not isinstance(text, str):
            return None
        own = {name: self._resolved(value) for name, value in variables.items()}
        resolved = []
        end = 0
        length = 0
        for variable in _VARIABLE.finditer(text):
            piece = text[end : variable.start()] + self._variable(variable, own)
            end = variable.end()
            length += len(piece)
            if length > _LONGEST:
                return None
            resolved.append(piece)
        return "".join([*resolved, text[end:]])

    def _variable(self, variable: re.Match[str], own: Mapping[str, Any]) -> str:
        literal = variable[1]
        name = variable[2].strip()
        if literal:
            return f"${{{name}}}"
        if name in own:
            value = own[name]
        elif "." in name:
            value = self._get_att(name)
        else:
            value = self._ref(name)
        return value if isinstance(value, str) else self.gaps.gap(name)


def _join(sign: Any, elements: Any) -> str | None:
    if not isinstance(sign, str) or not isinstance(elements, list):
        return None
    texts = [str(text) for text in elements if isinstance(text, str | int)]
    length = sum(map(len, texts)) + len(sign) * len(texts)
    if len(texts) < len(elements) or length > _LONGEST:
        return None
    return sign.join(texts)


def _split(sign: Any, text: Any) -> list[str] | None:
    if isinstance(sign, str) and sign and isinstance(text, str) and sign in text:
        return text.split(sign)
    return None


def _select(place: Any, elements: Any) -> Any:
    if not isinstance(elements, list):
        return None
    try:
        return elements[int(place)]
    except (ValueError, TypeError, IndexError):
        return None


_OF_PAIRS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
}
"""The functions of two arguments, the second one resolved."""


def as_json(text: Any) -> Any:
    """The JSON value in a text; None if it is invalid, or too large for a policy."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_DOCUMENT = "AssumeRolePolicyDocument"
_LISTS = ("RoleDetailList", "Roles")


def is_policy(value: Any) -> bool:
    """Whether a document is a trust policy: its statements have principals."""
    return any(statement.keys() & {"Principal", "NotPrincipal"} for statement in statements(value))


def is_roles(value: Mapping[str, Any]) -> bool:
    """Whether it is the output of aws iam get-role, list-roles or get-account-authorization-details."""
    if _DOCUMENT in as_dict(value.get("Role")):
        return True
    return any(isinstance(value.get(name), list) for name in _LISTS)


def of_policy(placed: Placed, document: Any = None) -> Iterator[LintedTrust]:
    """The policy alone, with gaps for its placeholders."""
    gaps = Gaps()
    yield LintedTrust(placed, _with_gaps(placed.value if document is None else document, gaps), gaps)


_ISSUER = re.compile(r"(?<=:oidc-provider/)[A-Z0-9_]+$|^[A-Z0-9_]+(?=:(?:sub|aud)$)")
"""A placeholder instead of an issuer; a real one has a dot in its host."""


def _with_gaps(value: Any, gaps: Gaps) -> Any:
    if isinstance(value, dict):
        return {_with_gaps(name, gaps): _with_gaps(element, gaps) for name, element in value.items()}
    if isinstance(value, list):
        return [_with_gaps(element, gaps) for element in value]
    if not isinstance(value, str):
        return value
    while word := placeholder(value):
        value = value.replace(word, gaps.gap(word))
    return _ISSUER.sub(lambda issuer: gaps.gap(issuer[0]), value)


def of_roles(placed: Placed) -> Iterator[LintedTrust]:
    value = placed.value
    roles: list[tuple[Path, Any]] = [(("Role",), value.get("Role"))]
    for name in _LISTS:
        roles += [((name, index), role) for index, role in enumerate(listed(value.get(name)))]
    for path, role in roles:
        if _DOCUMENT in as_dict(role):
            yield _of_role(placed, path, role)


def _of_role(placed: Placed, path: Path, role: Mapping[str, Any]) -> LintedTrust:
    names = tuple(str(role[name]) for name in ("Arn", "RoleName") if role.get(name))
    policy = placed.at(*path, _DOCUMENT, subject=names[0] if names else "")
    document = role[_DOCUMENT]
    if isinstance(document, str):
        document = as_json(unquote(document))
    attached = [str(attachment.get("PolicyArn")) for attachment in dicts(role.get("AttachedManagedPolicies"))]
    inline = _inline(role.get("RolePolicyList"))
    boundary = as_dict(role.get("PermissionsBoundary"))
    much = power(attached, inline, str(boundary.get("PermissionsBoundaryArn", "")))
    path_of_role = role.get("Path")
    known_path = path_of_role if isinstance(path_of_role, str) else None
    return LintedTrust(policy, document, power=much, known_as=names, path=known_path)


def _inline(policies: Any) -> dict[str, Any]:
    """The documents of a role's inline policies, by their names."""
    return {str(entry.get("PolicyName")): entry.get("PolicyDocument") for entry in dicts(policies)}


def listed(value: Any) -> list[Any]:
    """The elements of a list; nothing for other values."""
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    return [element for element in listed(value) if isinstance(element, dict)]


_ROLE = "AWS::IAM::Role"
_ASSOCIATION = "AWS::EKS::PodIdentityAssociation"
_ASSOCIATION_KEYS = ("Namespace", "ServiceAccount", "RoleArn", "DisableSessionTags")


def is_template(value: Mapping[str, Any]) -> bool:
    resources = value.get("Resources")
    if not isinstance(resources, dict):
        return False
    return "AWSTemplateFormatVersion" in value or any(
        isinstance(resource, dict) and "::" in str(resource.get("Type", ""))
        for resource in resources.values()
    )


def of_template(placed: Placed) -> Iterator[LintedTrust | LintedAssociation]:
    """The trust policies of its roles, and its EKS Pod Identity associations."""
    gaps = Gaps()
    template = Template(placed.value, gaps)
    for name, resource in template.resources.items():
        properties = as_dict(resource).get("Properties")
        if not isinstance(properties, dict):
            continue
        if template.type_of(name) == _ASSOCIATION:
            association = placed.at("Resources", name, "Properties", subject=name)
            yield association_of(association, template.resolved(properties), _ASSOCIATION_KEYS, gaps)
        if template.type_of(name) == _ROLE and _DOCUMENT in properties:
            yield _of_resource(placed, template, name, properties)


def _of_resource(placed: Placed, template: Template, name: str, properties: Mapping[str, Any]) -> LintedTrust:
    gaps = template.gaps
    document = template.resolved(properties[_DOCUMENT])
    policy = placed.at("Resources", name, "Properties", _DOCUMENT, subject=name)
    in_text = as_json(document)
    if in_text is not None:
        policy = policy.inside()
        document = in_text
    names = [gaps.gap(name), gaps.gap(f"{name}.Arn"), template.resolved(properties.get("RoleName"))]
    known_as = tuple(alias for alias in names if isinstance(alias, str))
    much = _power_of_resource(template, properties, known_as)
    path = template.resolved(properties.get("Path")) or "/"
    known_path = path if isinstance(path, str) and not has_gap(path) else None
    return LintedTrust(policy, document, gaps, much, known_as=known_as, path=known_path)


def _power_of_resource(template: Template, properties: Mapping[str, Any], names: tuple[str, ...]) -> str:
    arns = listed(template.resolved(properties.get("ManagedPolicyArns")))
    attached = [arn for arn in arns if isinstance(arn, str)]
    inline = _inline(template.resolved(properties.get("Policies")))
    for name, policy in template.policies.items():
        roles = (*as_list(policy.get("Roles") or []), policy.get("RoleName"))
        if template.gaps.gap(name) in attached or any(role in names for role in roles):
            inline[name] = policy.get("PolicyDocument")
    boundary = template.resolved(properties.get("PermissionsBoundary"))
    return power(attached, inline, as_text(boundary))
