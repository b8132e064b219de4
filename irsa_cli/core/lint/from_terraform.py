"""The roles in the output of `terraform show -json` (or `tofu`) for a plan or a state.

Values that are known only after apply are reported.
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, zip_longest
from typing import Any

from irsa_cli.core.lint.found import (
    Found,
    Gaps,
    LintedDeletion,
    LintedTrust,
    Path,
    Placed,
    Unjudged,
    as_dict,
    association_of,
    has_gap,
    is_gap,
    part_of,
)
from irsa_cli.core.lint.from_aws import as_json, dicts, listed
from irsa_cli.core.lint.plan_changes import UNCHANGED, PlanChanges, audiences_of
from irsa_cli.core.lint.terraform_accounts import KINDS, LATER, accounts_of
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

ASSOCIATION = "aws_eks_pod_identity_association"
_ASSOCIATION_KEYS = ("namespace", "service_account", "role_arn", "disable_session_tags")
_DATA = "aws_iam_policy_document"


def is_terraform(value: Mapping[str, Any]) -> bool:
    """Whether a document is a plan or a state of Terraform's; an empty state has only its version."""
    if value.keys() == {"format_version"}:
        return True
    roots = (value.get("planned_values"), value.get("values"))
    modules = any(isinstance(root, dict) and "root_module" in root for root in roots)
    return modules or ("format_version" in value and "terraform_version" in value)


@dataclass
class _Roles:
    """The policies of roles by role name; `policies` are documents by their references.

    `changed` has the roles and policies that get other permissions by the plan.
    """

    attached: dict[str, list[str]] = field(default_factory=dict)
    inline: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    audiences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The audiences of OIDC providers by their ARNs."""


@dataclass(frozen=True)
class _Resource:
    """A planned resource; `path` leads to its values."""

    address: str
    type: str
    values: Mapping[str, Any]
    path: Path


def of_terraform(placed: Placed) -> Iterator[Found]:
    return of_plan(placed, placed.value, Gaps())


def of_plan(placed: Placed, value: Mapping[str, Any], gaps: Gaps) -> Iterator[Found]:
    """The trust policies and ServiceAccounts of a plan's value, with its gaps."""
    resources = list(_resources(value))
    references = _references(value, gaps)
    changes = PlanChanges(value)
    roles = _attached(value, resources, references, gaps, changes)
    for resource in resources:
        own = replace(placed, change=changes.word(resource.address))
        if resource.type == "aws_iam_role":
            yield from _role(own, resource, roles, gaps, changes)
            continue
        referred = references.get(_INDEX.sub("", resource.address), {})
        where = own.at(*resource.path, subject=resource.address)
        if resource.type in KINDS:
            unknown = changes.unknown(resource.address)
            role = referred.get("annotated", "")
            yield from accounts_of(resource.type, resource.values, unknown, where, gaps, role)
        elif resource.type == ASSOCIATION:
            known = {key: value for key, value in resource.values.items() if value}
            yield association_of(where, {**referred, **known}, _ASSOCIATION_KEYS, gaps)
    yield from _deferred(placed, value, gaps)
    yield from _deleted(placed, changes)
    yield from changes.incomplete(placed)


def _deleted(placed: Placed, changes: PlanChanges) -> Iterator[LintedDeletion]:
    for index, address, values in changes.deleted("aws_iam_role"):
        if isinstance(values.get("arn"), str):
            where = replace(placed, change="deleted").at("resource_changes", index, subject=address)
            yield LintedDeletion(where, values["arn"])


def _resources(value: Mapping[str, Any]) -> Iterator[_Resource]:
    root = "planned_values" if isinstance(value.get("planned_values"), dict) else "values"
    modules: list[tuple[Any, tuple[str | int, ...]]] = [
        (_part(value, root, "root_module"), (root, "root_module"))
    ]
    while modules:
        module, path = modules.pop()
        for index, resource in enumerate(map(as_dict, listed(module.get("resources")))):
            values = resource.get("values")
            if isinstance(values, dict) and resource.get("mode", "managed") == "managed":
                address = str(resource.get("address", ""))
                kind = str(resource.get("type", ""))
                yield _Resource(address, kind, values, (*path, "resources", index, "values"))
        for index, child in enumerate(listed(module.get("child_modules"))):
            if isinstance(child, dict):
                modules.append((child, (*path, "child_modules", index)))


_INDEX = re.compile(r"\[[^]]*\]")
_REFERRING = ("role", "policy", "policy_arn", "role_arn")


def _references(value: Mapping[str, Any], gaps: Gaps) -> dict[str, dict[str, str]]:
    """The references of arguments as gaps, by addresses without indexes."""
    modules = [(_part(value, "configuration", "root_module"), "")]
    references: dict[str, dict[str, str]] = {}
    while modules:
        module, prefix = modules.pop()
        for resource in dicts(module.get("resources")):
            for name in _REFERRING:
                targets = _part(resource, "expressions", name).get("references")
                for reference in listed(targets)[:1]:
                    gap = gaps.gap(prefix + _label(str(reference)))
                    references.setdefault(f"{prefix}{resource.get('address')}", {})[name] = gap
            role = _annotated_role(resource)
            if role:
                gap = gaps.gap(prefix + _label(role))
                references.setdefault(f"{prefix}{resource.get('address')}", {})["annotated"] = gap
        calls = _part(module, "module_calls")
        modules += [(_part(calls, name, "module"), f"{prefix}module.{name}.") for name in calls]
    return references


_ROLE_ARN = re.compile(r"aws_iam_role\.[^.]+\.arn")


def _annotated_role(resource: Mapping[str, Any]) -> str:
    """The role whose ARN a resource refers to in its annotations; '' for none or several."""
    if resource.get("type") not in KINDS:
        return ""
    expressions = as_dict(resource.get("expressions"))
    places = [*dicts(expressions.get("metadata")), expressions]
    roles: dict[str, None] = {}
    for place in places:
        for name in ("annotations", "manifest"):
            references = map(str, listed(_part(place, name).get("references")))
            roles.update(dict.fromkeys(filter(_ROLE_ARN.search, references)))
    return min(roles) if len(roles) == 1 else ""


def _part(value: Any, *path: str) -> Mapping[str, Any]:
    """A part of an object, empty if missing."""
    return as_dict(part_of(value, path))


def _label(reference: str) -> str:
    """A reference without indexes; a role's id is its name."""
    label = _INDEX.sub("", reference)
    if re.search(r"\baws_iam_role\.[^.]+\.id$", label):
        return f"{label.removesuffix('id')}name"
    return label


def _deferred_documents(value: Mapping[str, Any], gaps: Gaps) -> dict[str, Any]:
    """The policies of data sources that are read only during apply, by their references."""
    policies: dict[str, Any] = {}
    for change in dicts(value.get("resource_changes")):
        after = _part(change, "change", "after")
        if change.get("type") == _DATA and after:
            policies[gaps.gap(_label(f"{change.get('address')}.json"))] = _document(after, {}, gaps)
    return policies


def _attached(
    value: Mapping[str, Any],
    resources: list[_Resource],
    references: Mapping[str, Mapping[str, str]],
    gaps: Gaps,
    changes: PlanChanges,
) -> _Roles:
    roles = _Roles(policies=_deferred_documents(value, gaps))
    for resource in resources:
        known = {name: value for name, value in resource.values.items() if value is not None}
        values = {**references.get(_INDEX.sub("", resource.address), {}), **known}
        document = _policy(values.get("policy"), gaps)
        if isinstance(document, str):
            document = roles.policies.get(document, document)
        roles.audiences |= audiences_of(resource.type, values)
        names: set[str] = set()
        if resource.type == "aws_iam_policy":
            arn = str(values.get("arn") or gaps.gap(_label(f"{resource.address}.arn")))
            roles.policies[arn] = document
            names = {arn}
        elif resource.type.startswith("aws_iam_"):
            names = _attach(roles, resource, values, document, gaps)
        if changes.is_changed(resource.address):
            roles.changed |= names
    return roles


def _attach(
    roles: _Roles, resource: _Resource, values: Mapping[str, Any], document: Any, gaps: Gaps
) -> set[str]:
    """Add the policy that a resource attaches, or puts inline, to its roles; returns them."""
    names = set(map(str, filter(None, (values.get("role"), *listed(values.get("roles"))))))
    for role in names:
        if isinstance(values.get("policy_arn"), str):
            roles.attached.setdefault(role, []).append(values["policy_arn"])
        elif resource.type == "aws_iam_role_policy":
            name = gaps.shown(str(values.get("name") or resource.address))
            roles.inline.setdefault(role, {})[name] = document
    return names


def _policy(value: Any, gaps: Gaps) -> Any:
    """An IAM policy from a text, an object, or the arguments of a data source."""
    if isinstance(value, dict) and "statement" in value:
        return _document(value, {}, gaps)
    if isinstance(value, dict) or is_gap(value):
        return value
    return as_json(value)


def _role(
    placed: Placed, resource: _Resource, roles: _Roles, gaps: Gaps, changes: PlanChanges
) -> Iterator[Found]:
    policy = placed.at(*resource.path, "assume_role_policy", subject=resource.address)
    value = resource.values.get("assume_role_policy")
    if value is None:
        place = placed.at(*resource.path[:-1], subject=resource.address).place()
        yield Unjudged(place, f"the trust policy is {LATER}, so it was not checked", Severity.CRITICAL)
        return
    name = str(resource.values.get("name") or gaps.gap(_label(f"{resource.address}.name")))
    arns = [*map(str, listed(resource.values.get("managed_policy_arns"))), *roles.attached.get(name, ())]
    if policy.change == UNCHANGED and not roles.changed.isdisjoint((name, *arns)):
        policy = replace(policy, change="updated")
    inline = dicts(resource.values.get("inline_policy"))
    policies = {arn: roles.policies[arn] for arn in arns if arn in roles.policies}
    policies |= {gaps.shown(str(block.get("name"))): _policy(block.get("policy"), gaps) for block in inline}
    policies |= roles.inline.get(name, {})
    much = power(arns, policies, str(resource.values.get("permissions_boundary") or ""))
    document = _policy(value, gaps)
    inside = policy.inside()
    if document is None and has_gap(value):
        document = inside.value if isinstance(inside.value, dict) else gaps.gap("the policy")
    is_data = isinstance(value, dict) and document is not value
    refined = partial(_in_data, policy) if is_data else None
    arn = resource.values.get("arn")
    reference = gaps.gap(_label(f"{resource.address}.arn"))
    known_as = tuple(filter(None, (arn, name, reference)))
    yield LintedTrust(
        inside,
        document,
        gaps,
        much,
        refined=refined,
        known_as=known_as,
        path=_path_of(resource.values),
        audiences=roles.audiences,
        gone=changes.deleted_providers,
    )


def _path_of(values: Mapping[str, Any]) -> str | None:
    """The path of a role, None if it is not known."""
    path = values.get("path") or "/"
    return path if isinstance(path, str) and not has_gap(path) else None


def _deferred(placed: Placed, value: Mapping[str, Any], gaps: Gaps) -> Iterator[LintedTrust]:
    """The known parts of policies that are created after apply (`data.aws_iam_policy_document`)."""
    for index, source in enumerate(map(as_dict, listed(value.get("resource_changes")))):
        after = part_of(source, ("change", "after"))
        later = part_of(source, ("change", "after_unknown"))
        if source.get("type") != _DATA or not isinstance(after, dict) or not isinstance(later, dict):
            continue
        document = _document(after, later, gaps)
        if any("Principal" in statement for statement in dicts(document["Statement"])):
            path = ("resource_changes", index, "change", "after")
            data = placed.at(*path, subject=str(source.get("address")))
            yield LintedTrust(data, document, gaps, refined=partial(_in_data, data))


def _in_data(placed: Placed, risk: Risk) -> Risk:
    """The risk at its place in a data source, whose fields have other names."""
    index = risk.path[1] if len(risk.path) > 1 else 0
    more = ("condition",) if "Condition" in risk.path else ()
    return replace(risk, place=placed.place(("statement", index, *more)))


_OTHERS = ("source_policy_documents", "override_policy_documents", "source_json", "override_json")


def _document(after: Mapping[str, Any], later: Mapping[str, Any], gaps: Gaps) -> Document:
    statements = _merged(after.get("statement"), later.get("statement"), gaps, "statement")
    merged = [
        _statement(statement, gaps) if isinstance(statement, dict) else statement
        for statement in as_list(statements or [])
    ]
    for source in chain.from_iterable(as_list(after.get(name) or []) for name in _OTHERS):
        document = _policy(source, gaps)
        if isinstance(document, dict):
            merged += as_list(document.get("Statement", []))
        else:
            merged.append(gaps.gap("a statement"))
    return {"Version": "2012-10-17", "Statement": merged}


def _merged(value: Any, later: Any, gaps: Gaps, name: str) -> Any:
    """The value with gaps for parts known only after apply."""
    if later is True:
        return gaps.gap(f"{name} {LATER}")
    if isinstance(value, dict) and isinstance(later, dict):
        keys = dict.fromkeys([*value, *later])
        return {key: _merged(value.get(key), later.get(key), gaps, key) for key in keys}
    if isinstance(value, list) and isinstance(later, list):
        pairs = zip_longest(value, later[: len(value)])
        return [_merged(element, later_element, gaps, name) for element, later_element in pairs]
    return value


_PLAIN = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
    "sid": "Sid",
}


def _statement(arguments: Mapping[str, Any], gaps: Gaps) -> Document:
    statement: Document = {"Effect": arguments.get("effect") or "Allow"}
    statement |= {key: arguments[name] for name, key in _PLAIN.items() if arguments.get(name)}
    for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        blocks = arguments.get(name)
        if isinstance(blocks, list):
            if blocks:
                statement[key] = _principals(blocks)
        elif blocks or key == "Principal":
            statement[key] = blocks or gaps.gap(f"{name} {LATER}")
    conditions = arguments.get("condition")
    block = conditions if isinstance(conditions, str) else _condition(conditions, gaps)
    if block or isinstance(conditions, str):
        statement["Condition"] = block
    return statement


def _principals(blocks: list[Any]) -> Any:
    principals: dict[str, list[Any]] = {}
    for block in dicts(blocks):
        principals.setdefault(str(block.get("type")), []).extend(as_list(block.get("identifiers")))
    return "*" if principals.get("*") == ["*"] else principals


def _condition(blocks: Any, gaps: Gaps) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    for block in dicts(blocks):
        values = block.get("values")
        key = _key(block.get("variable"), values, gaps)
        condition.setdefault(str(block.get("test")), {})[key] = values
    return condition


def _key(variable: Any, values: Any, gaps: Gaps) -> str:
    """The key of a condition; if its issuer is unknown, the values tell the claim."""
    if not is_gap(variable):
        return str(variable)
    texts = [value for value in as_list(values) if isinstance(value, str)]
    if any(value.startswith(SERVICE_ACCOUNT) for value in texts):
        return gaps.gap(f"issuer {LATER}") + ":sub"
    if texts == [DEFAULT_AUDIENCE]:
        return gaps.gap(f"issuer {LATER}") + ":aud"
    return str(variable)
