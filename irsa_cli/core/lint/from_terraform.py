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
    unknown = {str(it.get("address")): _part(it, "change", "after_unknown") for it in changes}
    for item in resources:
        if item.type == "aws_iam_role":
            yield from _role(placed, item, roles, gaps)
        elif item.type in ACCOUNTS:
            yield from _account(placed, item, unknown.get(item.address, {}), gaps)
        elif item.type == ASSOCIATION:
            named = {key: value for key, value in item.values.items() if value}
            values = {**references.get(_INDEX.sub("", item.address), {}), **named}
            where = placed.at(*item.path, subject=item.address)
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
        for index, item in enumerate(listed(module.get("resources"))):
            values = item.get("values") if isinstance(item, dict) else None
            if isinstance(values, dict) and item.get("mode", "managed") == "managed":
                where = (*path, "resources", index, "values")
                yield _Resource(str(item.get("address", "")), str(item.get("type", "")), values, where)
        below = enumerate(listed(module.get("child_modules")))
        todo += [(item, (*path, "child_modules", index)) for index, item in below]


_INDEX = re.compile(r"\[[^]]*\]")
_REFERRING = ("role", "policy", "policy_arn", "role_arn")


def _references(value: Mapping[str, Any], gaps: Gaps) -> dict[str, dict[str, str]]:
    """The references of arguments as gaps, by addresses without indexes."""
    todo = [(_part(value, "configuration", "root_module"), "")]
    found: dict[str, dict[str, str]] = {}
    while todo:
        module, prefix = todo.pop()
        for item in dicts(module.get("resources")):
            for name in _REFERRING:
                named = _part(item, "expressions", name).get("references")
                for reference in listed(named)[:1]:
                    gap = gaps.gap(prefix + _label(str(reference)))
                    found.setdefault(f"{prefix}{item.get('address')}", {})[name] = gap
        calls = _part(module, "module_calls")
        todo += [(_part(calls, name, "module"), f"{prefix}module.{name}.") for name in calls]
    return found


def _part(value: Any, *path: str) -> Mapping[str, Any]:
    """A part of an object, empty if missing."""
    found = part_of(value, path)
    return found if isinstance(found, dict) else {}


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
    for item in resources:
        known = {name: each for name, each in item.values.items() if each is not None}
        values = {**references.get(_INDEX.sub("", item.address), {}), **known}
        document = _policy(values.get("policy"), gaps)
        document = roles.policies.get(document, document) if isinstance(document, str) else document
        if item.type == "aws_iam_policy":
            arn = values.get("arn") or gaps.gap(_label(f"{item.address}.arn"))
            roles.policies[str(arn)] = document
        elif item.type.startswith("aws_iam_"):
            for name in (values.get("role"), *listed(values.get("roles"))):
                if isinstance(values.get("policy_arn"), str):
                    roles.attached.setdefault(str(name), []).append(values["policy_arn"])
                elif item.type == "aws_iam_role_policy":
                    named = gaps.shown(str(values.get("name") or item.address))
                    roles.inline.setdefault(str(name), {})[named] = document
    return roles


def _policy(value: Any, gaps: Gaps) -> Any:
    """An IAM policy from a text, an object, or the arguments of a data source."""
    if isinstance(value, dict):
        return _document(value, {}, gaps) if "statement" in value else value
    return value if is_gap(value) else as_json(value)


def _role(placed: Placed, item: _Resource, roles: _Roles, gaps: Gaps) -> Iterator[Found]:
    found = placed.at(*item.path, "assume_role_policy", subject=item.address)
    value = item.values.get("assume_role_policy")
    if value is None:
        place = placed.at(*item.path[:-1], subject=item.address).place()
        yield Unjudged(place, f"the trust policy is {_WHOLE}, so it was not checked", Severity.CRITICAL)
        return
    name = str(item.values.get("name") or gaps.gap(_label(f"{item.address}.name")))
    arns = [*map(str, listed(item.values.get("managed_policy_arns"))), *roles.attached.get(name, ())]
    inline = dicts(item.values.get("inline_policy"))
    policies = {arn: roles.policies[arn] for arn in arns if arn in roles.policies}
    policies |= {gaps.shown(str(it.get("name"))): _policy(it.get("policy"), gaps) for it in inline}
    policies |= roles.inline.get(name, {})
    much = power(arns, policies, str(item.values.get("permissions_boundary") or ""))
    document, inside = _policy(value, gaps), found.inside()
    if document is None and has_gap(value):
        document = inside.value if isinstance(inside.value, dict) else gaps.gap("the policy")
    refined = partial(_in_data, found) if isinstance(value, dict) and document is not value else None
    known_as = tuple(filter(None, (item.values.get("arn"), name, gaps.gap(_label(f"{item.address}.arn")))))
    yield LintedTrust(inside, document, gaps, much, refined=refined, known_as=known_as)


def _account(placed: Placed, item: _Resource, later: Mapping[str, Any], gaps: Gaps) -> Iterator[Found]:
    for index, metadata in enumerate(dicts(item.values.get("metadata"))):
        annotations = metadata.get("annotations")
        where = placed.at(*item.path, "metadata", index, subject=item.address)
        name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
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
        after, later = change.get("after"), change.get("after_unknown")
        if isinstance(after, dict) and isinstance(later, dict):
            document = _document(after, later, gaps)
            if any("Principal" in statement for statement in dicts(document["Statement"])):
                path = ("resource_changes", index, "change", "after")
                there = placed.at(*path, subject=str(item.get("address")))
                yield LintedTrust(there, document, gaps, refined=partial(_in_data, there))


def _in_data(placed: Placed, risk: Risk) -> Risk:
    """The risk at its place in a data source, whose fields have other names."""
    index = risk.path[1] if len(risk.path) > 1 else 0
    more = ("condition",) if "Condition" in risk.path else ()
    return replace(risk, place=placed.place(("statement", index, *more)))


_OTHERS = ("source_policy_documents", "override_policy_documents", "source_json", "override_json")


def _document(after: Mapping[str, Any], later: Mapping[str, Any], gaps: Gaps) -> Document:
    statements = _merged(after.get("statement"), later.get("statement"), gaps, "statement")
    items = [_statement(item, gaps) if isinstance(item, dict) else item for item in as_list(statements or [])]
    for other in (other for name in _OTHERS for other in as_list(after.get(name) or [])):
        found = _policy(other, gaps)
        items += as_list(found.get("Statement", [])) if isinstance(found, dict) else [gaps.gap("a statement")]
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
        return [_merged(item, rest[place], gaps, name) for place, item in enumerate(value)]
    return value


_PLAIN = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
    "sid": "Sid",
}


def _statement(item: Mapping[str, Any], gaps: Gaps) -> Document:
    found: Document = {"Effect": item.get("effect") or "Allow"}
    found |= {key: item[name] for name, key in _PLAIN.items() if item.get(name)}
    for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        blocks = item.get(name)
        if not isinstance(blocks, list):
            if blocks or key == "Principal":
                found[key] = blocks or gaps.gap(f"{name} {_WHOLE}")
        elif blocks:
            named: dict[str, list[Any]] = {}
            for each in dicts(blocks):
                named.setdefault(str(each.get("type")), []).extend(as_list(each.get("identifiers")))
            found[key] = "*" if named.get("*") == ["*"] else named
    conditions = item.get("condition")
    if isinstance(conditions, str):
        found["Condition"] = conditions
    block: dict[str, Any] = {}
    for each in dicts(conditions):
        test, values = str(each.get("test")), each.get("values")
        block.setdefault(test, {})[_key(each.get("variable"), values, gaps)] = values
    if block:
        found["Condition"] = block
    return found


def _key(variable: Any, values: Any, gaps: Gaps) -> str:
    """The key of a condition; if its issuer is unknown, the values tell the claim."""
    if not is_gap(variable):
        return str(variable)
    named = [value for value in as_list(values) if isinstance(value, str)]
    if any(value.startswith(SERVICE_ACCOUNT) for value in named):
        return gaps.gap(f"issuer {_WHOLE}") + ":sub"
    return gaps.gap(f"issuer {_WHOLE}") + ":aud" if named == [DEFAULT_AUDIENCE] else str(variable)
