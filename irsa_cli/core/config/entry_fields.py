"""Fields of an entry by subject: policies, other accounts, pod settings, subjects of the trust policy.

https://github.com/aws/amazon-eks-pod-identity-webhook/blob/master/README.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yaml import MappingNode, Node, ScalarNode

from irsa_cli.core.config.model import BindingEntry, Config, OtherCluster
from irsa_cli.core.config.nodes import compose, text_of
from irsa_cli.core.config.policies import note_problems, read_policy
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, text_fields
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import NOTES
from irsa_cli.core.policies import policy, wellknown, wellknown_uses
from irsa_cli.core.policies.operators import COMPARISONS, operator_of
from irsa_cli.core.policies.policy import Document, WellKnown
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.arn import check_issuer
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import did_you_mean
from irsa_cli.core.values.placeholders import UNFILLED, placeholder_in_policy

ACCESS = text_fields(Config, "account", "assumeRole")
"""The account of a cluster, and the role to assume there."""
ACCOUNT_FIELDS: Table = {
    **text_fields(BindingEntry, "roleAccount", "roleAssumeRole", "roleProfile", "targetRole", "externalID"),
    **text_fields(BindingEntry, "targetAssumeRole", "targetProfile", "awsConfigMap"),
    **flag_fields("targetTagSession"),
}
"""Fields about other accounts."""
OF_DOCUMENTS = tuple(field for field in ACCOUNT_FIELDS if field != "awsConfigMap")
"""Those that a document may say for all its entries; a ConfigMap is for one of them."""
OF_A_CHAIN = tuple(field for field in ACCOUNT_FIELDS if not field.startswith("role"))
"""Fields about the target role."""
OF_A_TARGET = ("target_role", "external_id", "target_assume_role", "target_profile", "target_tag_session")
"""Attributes that another target makes meaningless."""


def access(reader: Reader, fields: Fields) -> tuple[str, str]:
    """The account and the role; the role's account must be the same."""
    said = reader.said(fields, ACCESS)
    account = said.get("account", "")
    role = said.get("assume_role", "")
    if account and _account_of(role) not in ("", account):
        reader.problem(
            fields["assumeRole"], f"this role is in account {_account_of(role)}: account says {account}"
        )
    return account or _account_of(role), role


def with_defaults(own: Mapping[str, Any], defaults: Mapping[str, Any], *, chains: bool) -> dict[str, Any]:
    """The fields of an entry with the document's defaults; `chains`: it may have a target.

    An entry with its own account or target does not use the document's access to another.
    """
    left = dict(defaults)
    role_account = own.get("role_account") or _account_of(own.get("role_assume_role"))
    if role_account and role_account != (
        defaults.get("role_account") or _account_of(defaults.get("role_assume_role"))
    ):
        left = {key: value for key, value in left.items() if not key.startswith("role_")}
    if not chains or own.get("target_role", defaults.get("target_role")) != defaults.get("target_role"):
        left = {key: value for key, value in left.items() if key not in OF_A_TARGET}
    return {**left, **own}


def _account_of(role: Any) -> str:
    return str(role).split(":")[4] if role else ""


_WEBHOOK = {
    states.AUDIENCE_ANNOTATION: "audience",
    states.STS_REGIONAL_ANNOTATION: "sts_regional_endpoints",
    states.TOKEN_EXPIRATION_ANNOTATION: "token_expiration",
}
_WEBHOOK_FIELDS: Table = {
    "audience": ("audience", lambda reader, node: reader.text(node, names.audience)),
    "stsRegionalEndpoints": ("sts_regional_endpoints", lambda reader, node: reader.boolean(node)),
    "tokenExpiration": (
        "token_expiration",
        lambda reader, node: reader.whole_number(node, names.token_expiration),
    ),
}


def pod_settings(reader: Reader, fields: Fields, annotations: Node | None) -> dict[str, Any]:
    """The attributes of a `BindingEntry` about pods: annotations and fields."""
    others, by_annotation = _annotations(reader, annotations) if annotations is not None else ({}, {})
    by_field = reader.said(fields, _WEBHOOK_FIELDS)
    for annotation, attribute in _WEBHOOK.items():
        values = {settings[attribute] for settings in (by_annotation, by_field) if attribute in settings}
        if len(values) > 1 and annotations is not None:
            reader.problem(annotations, f"the annotation {annotation} contradicts the field for it")
    settings = {**by_annotation, **by_field}
    known = {attribute: value for attribute, value in settings.items() if value is not None}
    return {"annotations": others, **known}


def _annotations(reader: Reader, node: Node) -> tuple[dict[str, str], dict[str, Any]]:
    """The annotations that are nobody's business here, and what the webhook's say."""
    others: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for key, value in reader.pairs(node).values():
        name = text_of(key)
        text = reader.text(value)
        if text is None:
            continue
        if name == states.ROLE_ARN_ANNOTATION:
            reader.problem(key, "irsa sets the role's ARN itself; for an existing role: attachRoleARN")
        elif name in _WEBHOOK:
            settings[_WEBHOOK[name]] = reader.checked(value, NOTES[name].rule, text)
        elif reader.checked(key, names.service_account_annotations, {name: text}) is not None:
            others[name] = text
    reader.checked(node, names.service_account_annotations, others)
    return others, settings


def namespace_pattern(text: str) -> str:
    """Check a namespace that may have the wildcards `*` and `?`."""
    return names.namespace_pattern(text) if {"*", "?"} & set(text) else names.namespace(text)


def name_pattern(text: str) -> str:
    """Check a ServiceAccount's name that may have the wildcards `*` and `?`."""
    return names.subject_pattern(text) if {"*", "?"} & set(text) else names.service_account(text)


def subjects(reader: Reader, node: Node, namespace: str) -> tuple[str, ...]:
    """Further ServiceAccounts that the role trusts; `namespace` is the entry's."""
    found = []
    for item in reader.items(node, "subjects (namespace and name)"):
        fields = reader.fields(item, ("namespace", "name"), "subjects", {})
        if "name" not in fields:
            if isinstance(item, MappingNode):
                reader.problem(item, 'this subject has no name ("*" is any ServiceAccount of the namespace)')
            continue
        name = reader.text(fields["name"], name_pattern)
        given = fields.get("namespace")
        there = namespace if given is None else reader.text(given, namespace_pattern)
        if name and there:
            found.append(names.subject(there, name))
    return tuple(dict.fromkeys(found))


def clusters(reader: Reader, node: Node) -> tuple[OtherCluster, ...]:
    """Further clusters whose ServiceAccounts the role trusts."""
    found = []
    for item in reader.items(node, "clusters (name and region, or issuer)"):
        fields = reader.fields(item, ("name", "region", "issuer"), "clusters", {})
        if ("name" in fields) == ("issuer" in fields):
            if isinstance(item, MappingNode):
                reader.problem(item, "give a cluster's name or its issuer, not both")
        elif "issuer" in fields and "region" in fields:
            reader.problem(fields["region"], "an issuer has no region")
        rules = {"name": names.cluster, "region": names.region, "issuer": check_issuer}
        values = {name: reader.text(fields[name], rules[name]) or "" for name in fields}
        found.append(OtherCluster(**values))
    return tuple(dict.fromkeys(found))


def conditions(reader: Reader, node: Node) -> dict[str, dict[str, Any]]:
    """Conditions that each statement of the trust policy has besides audience and subject."""
    found: dict[str, dict[str, Any]] = {}
    for operator, (key, value) in reader.pairs(node).items():
        if operator_of(operator) is None:
            hint = did_you_mean(operator, COMPARISONS)
            reader.problem(key, f"IAM has no condition operator '{operator}'{hint and ': ' + hint}")
        found[operator] = {name: _values(reader, *pair) for name, pair in reader.pairs(value).items()}
        if not found[operator] and isinstance(value, MappingNode):
            reader.problem(value, f"{operator} has no keys")
    return found


def _values(reader: Reader, key: ScalarNode, node: Node) -> str | list[str]:
    if key.value.lower().endswith((":sub", ":aud")):
        reader.problem(key, f"irsa sets {key.value} itself: use subjects, subjectPattern or audience")
    elif ":" not in key.value:
        reader.problem(key, f"the condition key '{key.value}' names no service: expected SERVICE:KEY")
    if isinstance(node, ScalarNode):
        return reader.text(node, _filled) or ""
    values = list(reader.texts(node, _filled))
    if not values and not node.value:
        reader.problem(node, f"{key.value} has no values")
    return values


def _filled(text: str) -> str:
    """A value of a condition, in which IAM's variables may stand, and no place that nobody has filled in."""
    if "$" in text and (found := placeholder_in_policy(text)):
        raise InvalidInput(f"'{found}' {UNFILLED}")
    return text


class PolicyReader:
    """Reads the fields of one entry that are about policies. `ours`: irsa's own kind, which has more."""

    def __init__(self, reader: Reader, read: Callable[[str], str], *, ours: bool) -> None:
        self._reader = reader
        self._read = read
        self._ours = ours

    def all(self, fields: Fields) -> dict[str, Any]:
        """The attributes of a `BindingEntry` that these fields make."""
        found: dict[str, Any] = {}
        if "attachPolicyARNs" in fields:
            found["policies"] = self._reader.texts(fields["attachPolicyARNs"], arn.check_policy)
            if len(found["policies"]) > policy.MANAGED_LIMIT:
                self._reader.problem(
                    fields["attachPolicyARNs"], f"IAM takes {policy.MANAGED_LIMIT} policies per role"
                )
        if "wellKnownPolicies" in fields:
            found["well_known"] = self._well_known(fields["wellKnownPolicies"])
        found["inline"] = self._inline(fields)
        return found

    def _inline(self, fields: Fields) -> dict[str, Document]:
        found: dict[str, Document] = {}
        last = None
        if "attachPolicy" in fields:
            last = fields["attachPolicy"]
            self._add(found, names.ATTACH_POLICY, last, self._document(last))
        if "inlinePolicies" in fields:
            last = fields["inlinePolicies"]
            for name, (key, value) in self._reader.pairs(last).items():
                self._reader.checked(key, names.inline_policy, name)
                self._add(found, name, key, self.document_or_file(value))
        size = sum(policy.size(document) for document in found.values())
        if last is not None and size > policy.INLINE_LIMIT:
            self._reader.problem(
                last, f"the inline policies have {size} characters, IAM takes {policy.INLINE_LIMIT} together"
            )
        return found

    def _add(self, found: dict[str, Document], name: str, node: Node, document: Document | None) -> None:
        if name in found:
            self._reader.problem(node, f"two inline policies would be named {name}")
        if document is not None:
            found[name] = document

    def document_or_file(self, node: Node) -> Document | None:
        """A policy document, written out or in the file that `file` names."""
        if not isinstance(node, MappingNode) or "file" not in self._reader.pairs(node):
            return self._document(node)
        fields = self._reader.fields(node, ("file",), "an inline policy by file", {})
        place = fields["file"]
        return self._reader.checked(
            place, lambda path: read_policy(self._read(path), path), self._reader.text(place)
        )

    def _document(self, node: Node) -> Document | None:
        before = len(self._reader.problems)
        document = self._reader.plain(node)
        if not isinstance(document, dict):
            self._reader.problem(node, "a policy is a mapping with Version and Statement")
            return None
        note_problems(self._reader, node, document)
        return document if len(self._reader.problems) == before else None

    def _well_known(self, node: Node) -> tuple[WellKnown, ...]:
        known = wellknown.names() if self._ours else wellknown.EKSCTL
        found = []
        for name, (key, value) in self._reader.pairs(node).items():
            if name not in known:
                hint = f": {did_you_mean(name, known) or 'irsa policies list shows them'}"
                if name in wellknown.names():
                    hint = ": only 'apiVersion: irsa/v1, kind: Bindings' has it"
                self._reader.problem(key, f"unknown well-known policy '{name}'{hint}")
                continue
            if isinstance(value, ScalarNode) or not self._ours:
                use = WellKnown(name) if self._reader.boolean(value) else None
            else:
                use = WellKnown(name, self._parameters(name, value))
            found.append(self._reader.checked(value, wellknown_uses.check, use))
        return tuple(item for item in found if item is not None)

    def _parameters(self, name: str, node: Node) -> dict[str, tuple[str, ...]]:
        known = wellknown.get(name).parameters
        found: dict[str, tuple[str, ...]] = {}
        for key, value in self._reader.fields(node, tuple(known), name, {}).items():
            if isinstance(value, ScalarNode):
                text = self._reader.text(value)
                found[key] = (text,) if text is not None else ()
            else:
                found[key] = self._reader.texts(value)
        return found


_ACCOUNTS = ("irsa/v1", "Accounts")


def accounts(text: str, source: str) -> tuple[str, ...]:
    """The roles to assume in the accounts of a file of `irsa audit --accounts`.

    Raises `InvalidInput` with all problems.
    """
    reader = Reader(source)
    found: dict[str, str] = {}
    for node in compose(text, source):
        fields = reader.fields(node, ("apiVersion", "kind", "accounts"), "Accounts", {})
        kind = tuple(reader.text(fields[key]) for key in ("apiVersion", "kind") if key in fields)
        if kind != _ACCOUNTS:
            reader.problem(node, f"expected {' '.join(_ACCOUNTS)}")
        for item in reader.items(fields["accounts"], "accounts") if "accounts" in fields else ():
            account, role = access(reader, reader.fields(item, ("account", "assumeRole"), "accounts", {}))
            if not role or account in found:
                reader.problem(item, f"account {account} is there twice" if role else "expected assumeRole")
            found[account] = role
    reader.finish()
    if not found:
        raise InvalidInput(f"{source} names no account")
    return tuple(found.values())
