"""The roles of what `terraform show -json` (or `tofu`) prints of a plan or a state.

What is known only after apply is said to be: nothing is called fine that was not seen.
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from irsa_cli.core.lint.found import Found, Gaps, LintedAccount, LintedTrust, Path, Placed, Unjudged, has_gap
from irsa_cli.core.lint.from_aws import as_json, dicts, listed
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.providers import SUBJECT
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

_ACCOUNTS = ("kubernetes_service_account", "kubernetes_service_account_v1")
_WHOLE = "known after apply"


def is_terraform(value: Mapping[str, Any]) -> bool:
    """Whether a document is a plan or a state of Terraform's."""
    roots = (value.get("planned_values"), value.get("values"))
    modules = any(isinstance(root, dict) and "root_module" in root for root in roots)
    return modules or ("format_version" in value and "terraform_version" in value)


@dataclass
class _Roles:
    attached: dict[str, list[str]] = field(default_factory=dict)
    inline: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Resource:
    """A resource as it will be; `path` leads to its values."""

    address: str
    type: str
    values: Mapping[str, Any]
    path: Path


def of_terraform(placed: Placed) -> Iterator[Found]:
    """The trust policies and ServiceAccounts in it."""
    resources = list(_resources(placed.value))
    roles = _attached(resources)
    unknown = _unknown(placed.value)
    for item in resources:
        if item.type == "aws_iam_role":
            yield from _role(placed, item, roles)
        elif item.type in _ACCOUNTS:
            yield from _account(placed, item, unknown.get(item.address, {}))
    yield from _deferred(placed)


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


def _unknown(value: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What of each resource is known only after apply, by its address."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in dicts(value.get("resource_changes")):
        change = item.get("change")
        later = change.get("after_unknown") if isinstance(change, dict) else None
        if isinstance(later, dict):
            found[str(item.get("address"))] = later
    return found


def _attached(resources: list[_Resource]) -> _Roles:
    roles = _Roles()
    for item in resources:
        name, values = item.values.get("role"), item.values
        if not isinstance(name, str):
            continue
        if item.type == "aws_iam_role_policy_attachment" and isinstance(values.get("policy_arn"), str):
            roles.attached.setdefault(name, []).append(values["policy_arn"])
        elif item.type == "aws_iam_role_policy":
            document = as_json(values.get("policy"))
            roles.inline.setdefault(name, {})[str(values.get("name") or item.address)] = document
    return roles


def _role(placed: Placed, item: _Resource, roles: _Roles) -> Iterator[Found]:
    found = placed.at(*item.path, subject=item.address)
    text = item.values.get("assume_role_policy")
    if text is None:
        place = placed.at(*item.path[:-1], subject=item.address).place()
        yield Unjudged(place, f"the trust policy is {_WHOLE}: it was not judged", Severity.CRITICAL)
        return
    name = str(item.values.get("name"))
    attached = [str(arn) for arn in listed(item.values.get("managed_policy_arns"))]
    inline = {
        str(each.get("name")): as_json(each.get("policy")) for each in dicts(item.values.get("inline_policy"))
    }
    much = power(
        [*attached, *roles.attached.get(name, ())],
        {**inline, **roles.inline.get(name, {})},
        str(item.values.get("permissions_boundary") or ""),
    )
    yield LintedTrust(found.at("assume_role_policy"), as_json(text), power=much)


def _account(placed: Placed, item: _Resource, later: Mapping[str, Any]) -> Iterator[Found]:
    for index, metadata in enumerate(dicts(item.values.get("metadata"))):
        annotations = metadata.get("annotations")
        where = placed.at(*item.path, "metadata", index, subject=item.address)
        name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
        if isinstance(annotations, dict) and ROLE_ARN_ANNOTATION in annotations:
            role, gaps = annotations[ROLE_ARN_ANNOTATION], Gaps()
            known = role if role is not None else gaps.gap(_WHOLE)
            path = ("annotations", ROLE_ARN_ANNOTATION)
            yield LintedAccount(where, namespace, name, known, gaps, path, ("name",))
        elif annotations is None and later.get("metadata"):
            text = f"the annotations of ServiceAccount {namespace}/{name} are {_WHOLE}"
            yield Unjudged(where.place(), text, Severity.MEDIUM)


def _deferred(placed: Placed) -> Iterator[LintedTrust]:
    """What is known of policies that are made only after apply (`data.aws_iam_policy_document`)."""
    for index, item in enumerate(listed(placed.value.get("resource_changes"))):
        change = item.get("change") if isinstance(item, dict) else None
        if not isinstance(change, dict) or item.get("type") != "aws_iam_policy_document":
            continue
        after, later = change.get("after"), change.get("after_unknown")
        if isinstance(after, dict) and isinstance(later, dict):
            gaps = Gaps()
            document = _document(after, later, gaps)
            if any("Principal" in statement for statement in document["Statement"]):
                path = ("resource_changes", index, "change", "after")
                there = placed.at(*path, subject=str(item.get("address")))
                yield LintedTrust(there, document, gaps, refined=partial(_in_data, there))


def _in_data(placed: Placed, risk: Risk) -> Risk:
    """The risk where the statement is in a data source, whose fields have other names."""
    index = risk.path[1] if len(risk.path) > 1 else 0
    more = ("condition",) if "Condition" in risk.path else ()
    return replace(risk, place=placed.place(("statement", index, *more)))


def _document(after: Mapping[str, Any], later: Mapping[str, Any], gaps: Gaps) -> Document:
    statements = _merged(after.get("statement"), later.get("statement"), gaps, "statement")
    items = [_statement(item, gaps) for item in dicts(statements)]
    return {"Version": "2012-10-17", "Statement": items}


def _merged(value: Any, later: Any, gaps: Gaps, name: str) -> Any:
    """The value with gaps where it is known only after apply."""
    if later is True:
        return gaps.gap(f"{name} {_WHOLE}")
    if isinstance(value, dict) and isinstance(later, dict):
        every = dict.fromkeys([*value, *later])
        return {key: _merged(value.get(key), later.get(key), gaps, key) for key in every}
    if isinstance(value, list) and isinstance(later, list):
        rest = [*later, *[None] * (len(value) - len(later))]
        return [_merged(item, rest[place], gaps, name) for place, item in enumerate(value)]
    return value


def _statement(item: Mapping[str, Any], gaps: Gaps) -> Document:
    found: Document = {"Effect": item.get("effect") or "Allow", "Action": item.get("actions") or []}
    if item.get("sid"):
        found["Sid"] = item["sid"]
    principals = item.get("principals")
    if not isinstance(principals, list):
        found["Principal"] = principals or gaps.gap(f"principals {_WHOLE}")
    elif principals:
        named: dict[str, list[Any]] = {}
        for each in dicts(principals):
            named.setdefault(str(each.get("type")), []).extend(as_list(each.get("identifiers")))
        found["Principal"] = "*" if named.get("*") == ["*"] else named
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
    """The key of a condition; where its issuer is not known yet, by what it is compared with."""
    if not has_gap(variable):
        return str(variable)
    named = [value for value in as_list(values) if isinstance(value, str)]
    if any(value.startswith(SUBJECT) for value in named):
        return gaps.gap(f"issuer {_WHOLE}") + ":sub"
    return gaps.gap(f"issuer {_WHOLE}") + ":aud" if named == [DEFAULT_AUDIENCE] else str(variable)
