"""The roles in the output of `terraform show -json` (or `tofu`) for a plan or a state.

Values that are known only after apply are reported.
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from irsa_cli.core.lint.found import (
    Found,
    Gaps,
    LintedAccount,
    LintedTrust,
    Path,
    Placed,
    Unjudged,
    association_of,
    has_gap,
    is_gap,
    part_of,
)
from irsa_cli.core.lint.from_aws import as_json, dicts, listed
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

ACCOUNTS = ("kubernetes_service_account", "kubernetes_service_account_v1")
ASSOCIATION = "aws_eks_pod_identity_association"
_ASSOCIATION_KEYS = ("namespace", "service_account", "role_arn", "disable_session_tags")
_WHOLE = "known after apply"


def is_terraform(value: Mapping[str, Any]) -> bool:
    """Whether a document is a plan or a state of Terraform's."""
    roots = (value.get("planned_values"), value.get("values"))
    modules = any(isinstance(root, dict) and "root_module" in root for root in roots)
    return modules or ("format_version" in value and "terraform_version" in value)


@dataclass
class _Roles:
    """The policies of roles by role name; `policies` are documents by their references."""

    attached: dict[str, list[str]] = field(default_factory=dict)
    inline: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)


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
    roles = _attached(value, resources, references, gaps)
    # The values of each resource that are known only after apply, by address.
    changes = dicts(value.get("resource_changes"))
    unknown = {str(change.get("address")): _part(change, "change", "after_unknown") for change in changes}
    for resource in resources:
        if resource.type == "aws_iam_role":
            yield from _role(placed, resource, roles, gaps)
        elif resource.type in ACCOUNTS:
            yield from _account(placed, resource, unknown.get(resource.address, {}), gaps)
        elif resource.type == ASSOCIATION:
            known = {key: value for key, value in resource.values.items() if value}
            values = {**references.get(_INDEX.sub("", resource.address), {}), **known}
            where = placed.at(*resource.path, subject=resource.address)
            yield association_of(where, values, _ASSOCIATION_KEYS, gaps)
    yield from _deferred(placed, value, gaps)


def _resources(value: Mapping[str, Any]) -> Iterator[_Resource]:
    root = "planned_values" if isinstance(value.get("planned_values"), dict) else "values"
    holder = value.get(root)
    todo: list[tuple[Any, tuple[str | int, ...]]] = (
        [(holder.get("root_module"), (root, "root_module"))] if isinstance(holder, dict) else []
    )
    while todo:
        module, path = todo.pop()
        if not isinstance(module, dict):
            continue
        for index, resource in enumerate(listed(module.get("resources"))):
            values = resource.get("values") if isinstance(resource, dict) else None
            if isinstance(values, dict) and resource.get("mode", "managed") == "managed":
                where = (*path, "resources", index, "values")
                yield _Resource(
                    str(resource.get("address", "")), str(resource.get("type", "")), values, where
                )
        below = enumerate(listed(module.get("child_modules")))
        todo += [(child, (*path, "child_modules", index)) for index, child in below]


_INDEX = re.compile(r"\[[^]]*\]")
_REFERRING = ("role", "policy", "policy_arn", "role_arn")


def _references(value: Mapping[str, Any], gaps: Gaps) -> dict[str, dict[str, str]]:
    """The references of arguments as gaps, by addresses without indexes."""
    todo = [(_part(value, "configuration", "root_module"), "")]
    references: dict[str, dict[str, str]] = {}
    while todo:
        module, prefix = todo.pop()
        for resource in dicts(module.get("resources")):
            for name in _REFERRING:
                targets = _part(resource, "expressions", name).get("references")
                for reference in listed(targets)[:1]:
                    gap = gaps.gap(prefix + _label(str(reference)))
                    references.setdefault(f"{prefix}{resource.get('address')}", {})[name] = gap
        calls = _part(module, "module_calls")
        todo += [(_part(calls, name, "module"), f"{prefix}module.{name}.") for name in calls]
    return references


def _part(value: Any, *path: str) -> Mapping[str, Any]:
    """A part of an object, empty if missing."""
    part = part_of(value, path)
    return part if isinstance(part, dict) else {}


def _label(reference: str) -> str:
    """A reference without indexes; a role's id is its name."""
    label = _INDEX.sub("", reference)
    return f"{label[:-2]}name" if re.search(r"\baws_iam_role\.[^.]+\.id$", label) else label


def _attached(
    value: Mapping[str, Any],
    resources: list[_Resource],
    references: Mapping[str, Mapping[str, str]],
    gaps: Gaps,
) -> _Roles:
    roles = _Roles()
    for change in dicts(value.get("resource_changes")):
        if change.get("type") == "aws_iam_policy_document" and (after := _part(change, "change", "after")):
            roles.policies[gaps.gap(_label(f"{change.get('address')}.json"))] = _document(after, {}, gaps)
    for resource in resources:
        known = {name: each for name, each in resource.values.items() if each is not None}
        values = {**references.get(_INDEX.sub("", resource.address), {}), **known}
        document = _policy(values.get("policy"), gaps)
        document = roles.policies.get(document, document) if isinstance(document, str) else document
        if resource.type == "aws_iam_policy":
            arn = values.get("arn") or gaps.gap(_label(f"{resource.address}.arn"))
            roles.policies[str(arn)] = document
        elif resource.type.startswith("aws_iam_"):
            for name in (values.get("role"), *listed(values.get("roles"))):
                if isinstance(values.get("policy_arn"), str):
                    roles.attached.setdefault(str(name), []).append(values["policy_arn"])
                elif resource.type == "aws_iam_role_policy":
                    named = gaps.shown(str(values.get("name") or resource.address))
                    roles.inline.setdefault(str(name), {})[named] = document
    return roles


def _policy(value: Any, gaps: Gaps) -> Any:
    """An IAM policy from a text, an object, or the arguments of a data source."""
    if isinstance(value, dict):
        return _document(value, {}, gaps) if "statement" in value else value
    return value if is_gap(value) else as_json(value)


def _role(placed: Placed, resource: _Resource, roles: _Roles, gaps: Gaps) -> Iterator[Found]:
    policy = placed.at(*resource.path, "assume_role_policy", subject=resource.address)
    value = resource.values.get("assume_role_policy")
    if value is None:
        place = placed.at(*resource.path[:-1], subject=resource.address).place()
        yield Unjudged(place, f"the trust policy is {_WHOLE}, so it was not checked", Severity.CRITICAL)
        return
    name = str(resource.values.get("name") or gaps.gap(_label(f"{resource.address}.name")))
    arns = [*map(str, listed(resource.values.get("managed_policy_arns"))), *roles.attached.get(name, ())]
    inline = dicts(resource.values.get("inline_policy"))
    policies = {arn: roles.policies[arn] for arn in arns if arn in roles.policies}
    policies |= {gaps.shown(str(block.get("name"))): _policy(block.get("policy"), gaps) for block in inline}
    policies |= roles.inline.get(name, {})
    much = power(arns, policies, str(resource.values.get("permissions_boundary") or ""))
    document = _policy(value, gaps)
    inside = policy.inside()
    if document is None and has_gap(value):
        document = inside.value if isinstance(inside.value, dict) else gaps.gap("the policy")
    refined = partial(_in_data, policy) if isinstance(value, dict) and document is not value else None
    known_as = tuple(
        filter(None, (resource.values.get("arn"), name, gaps.gap(_label(f"{resource.address}.arn"))))
    )
    yield LintedTrust(inside, document, gaps, much, refined=refined, known_as=known_as)


def _account(placed: Placed, resource: _Resource, later: Mapping[str, Any], gaps: Gaps) -> Iterator[Found]:
    for index, metadata in enumerate(dicts(resource.values.get("metadata"))):
        annotations = metadata.get("annotations")
        where = placed.at(*resource.path, "metadata", index, subject=resource.address)
        name = str(metadata.get("name") or "")
        namespace = str(metadata.get("namespace") or "")
        if isinstance(annotations, dict) and ROLE_ARN_ANNOTATION in annotations:
            role = annotations[ROLE_ARN_ANNOTATION]
            known = role if role is not None else gaps.gap(_WHOLE)
            path = ("annotations", ROLE_ARN_ANNOTATION)
            yield LintedAccount(where, namespace, name, known, gaps, path, ("name",))
        elif annotations is None and later.get("metadata"):
            text = f"the annotations of ServiceAccount {namespace}/{name} are {_WHOLE}"
            yield Unjudged(where.place(), text, Severity.MEDIUM)


def _deferred(placed: Placed, value: Mapping[str, Any], gaps: Gaps) -> Iterator[LintedTrust]:
    """The known parts of policies that are created after apply (`data.aws_iam_policy_document`)."""
    for index, item in enumerate(listed(value.get("resource_changes"))):
        change = item.get("change") if isinstance(item, dict) else None
        if not isinstance(change, dict) or item.get("type") != "aws_iam_policy_document":
            continue
        after = change.get("after")
        later = change.get("after_unknown")
        if isinstance(after, dict) and isinstance(later, dict):
            document = _document(after, later, gaps)
            if any("Principal" in statement for statement in dicts(document["Statement"])):
                path = ("resource_changes", index, "change", "after")
                data = placed.at(*path, subject=str(item.get("address")))
                yield LintedTrust(data, document, gaps, refined=partial(_in_data, data))


def _in_data(placed: Placed, risk: Risk) -> Risk:
    """The risk at its place in a data source, whose fields have other names."""
    index = risk.path[1] if len(risk.path) > 1 else 0
    more = ("condition",) if "Condition" in risk.path else ()
    return replace(risk, place=placed.place(("statement", index, *more)))


_OTHERS = ("source_policy_documents", "override_policy_documents", "source_json", "override_json")


def _document(after: Mapping[str, Any], later: Mapping[str, Any], gaps: Gaps) -> Document:
    statements = _merged(after.get("statement"), later.get("statement"), gaps, "statement")
    items = [
        _statement(statement, gaps) if isinstance(statement, dict) else statement
        for statement in as_list(statements or [])
    ]
    for other in (other for name in _OTHERS for other in as_list(after.get(name) or [])):
        document = _policy(other, gaps)
        items += (
            as_list(document.get("Statement", []))
            if isinstance(document, dict)
            else [gaps.gap("a statement")]
        )
    return {"Version": "2012-10-17", "Statement": items}


def _merged(value: Any, later: Any, gaps: Gaps, name: str) -> Any:
    """The value with gaps for parts known only after apply."""
    if later is True:
        return gaps.gap(f"{name} {_WHOLE}")
    if isinstance(value, dict) and isinstance(later, dict):
        every = dict.fromkeys([*value, *later])
        return {key: _merged(value.get(key), later.get(key), gaps, key) for key in every}
    if isinstance(value, list) and isinstance(later, list):
        rest = [*later, *[None] * (len(value) - len(later))]
        return [_merged(part, rest[place], gaps, name) for place, part in enumerate(value)]
    return value


_PLAIN = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
    "sid": "Sid",
}


def _statement(item: Mapping[str, Any], gaps: Gaps) -> Document:
    statement: Document = {"Effect": item.get("effect") or "Allow"}
    statement |= {key: item[name] for name, key in _PLAIN.items() if item.get(name)}
    for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        blocks = item.get(name)
        if not isinstance(blocks, list):
            if blocks or key == "Principal":
                statement[key] = blocks or gaps.gap(f"{name} {_WHOLE}")
        elif blocks:
            principals: dict[str, list[Any]] = {}
            for each in dicts(blocks):
                principals.setdefault(str(each.get("type")), []).extend(as_list(each.get("identifiers")))
            statement[key] = "*" if principals.get("*") == ["*"] else principals
    conditions = item.get("condition")
    if isinstance(conditions, str):
        statement["Condition"] = conditions
    block: dict[str, Any] = {}
    for each in dicts(conditions):
        test = str(each.get("test"))
        values = each.get("values")
        block.setdefault(test, {})[_key(each.get("variable"), values, gaps)] = values
    if block:
        statement["Condition"] = block
    return statement


def _key(variable: Any, values: Any, gaps: Gaps) -> str:
    """The key of a condition; if its issuer is unknown, the values tell the claim."""
    if not is_gap(variable):
        return str(variable)
    texts = [value for value in as_list(values) if isinstance(value, str)]
    if any(value.startswith(SERVICE_ACCOUNT) for value in texts):
        return gaps.gap(f"issuer {_WHOLE}") + ":sub"
    return gaps.gap(f"issuer {_WHOLE}") + ":aud" if texts == [DEFAULT_AUDIENCE] else str(variable)
