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
    attributes = reader.said(fields, ACCESS)
    account = attributes.get("account", "")
    role = attributes.get("assume_role", "")
    of_role = _account_of(role)
    if account and of_role not in ("", account):
        reader.problem(fields["assumeRole"], f"this role is in account {of_role}: account says {account}")
    return account or of_role, role


def with_defaults(own: Mapping[str, Any], defaults: Mapping[str, Any], *, chains: bool) -> dict[str, Any]:
    """The fields of an entry with the document's defaults; `chains`: it may have a target.

    An entry with its own account or target does not use the document's access to another.
    """
    usable = dict(defaults)
    if _role_account(own) not in ("", _role_account(defaults)):
        usable = {key: value for key, value in usable.items() if not key.startswith("role_")}
    has_own_target = "target_role" in own and own["target_role"] != defaults.get("target_role")
    if not chains or has_own_target:
        usable = {key: value for key, value in usable.items() if key not in OF_A_TARGET}
    return {**usable, **own}


def _role_account(attributes: Mapping[str, Any]) -> str:
    return attributes.get("role_account") or _account_of(attributes.get("role_assume_role"))


def _account_of(role: Any) -> str:
    if not role:
        return ""
    return str(role).split(":")[4]


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
    texts: dict[str, str] = {}
    by_annotation: dict[str, Any] = {}
    if annotations is not None:
        texts, by_annotation = _annotations(reader, annotations)
    by_field = reader.said(fields, _WEBHOOK_FIELDS)
    for annotation, attribute in _WEBHOOK.items():
        is_twice = attribute in by_annotation and attribute in by_field
        if annotations is not None and is_twice and by_annotation[attribute] != by_field[attribute]:
            reader.problem(annotations, f"the annotation {annotation} contradicts the field for it")
    settings = {**by_annotation, **by_field}
    known = {attribute: value for attribute, value in settings.items() if value is not None}
    return {"annotations": texts, **known}


def _annotations(reader: Reader, node: Node) -> tuple[dict[str, str], dict[str, Any]]:
    """The annotations that are nobody's business here, and what the webhook's say."""
    texts: dict[str, str] = {}
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
            texts[name] = text
    reader.checked(node, names.service_account_annotations, texts)
    return texts, settings


def namespace_pattern(text: str) -> str:
    """Check a namespace that may have the wildcards `*` and `?`."""
    if _has_wildcard(text):
        return names.namespace_pattern(text)
    return names.namespace(text)


def name_pattern(text: str) -> str:
    """Check a ServiceAccount's name that may have the wildcards `*` and `?`."""
    if _has_wildcard(text):
        return names.subject_pattern(text)
    return names.service_account(text)


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def subjects(reader: Reader, node: Node, namespace: str) -> tuple[str, ...]:
    """Further ServiceAccounts that the role trusts; `namespace` is the entry's."""
    in_order: dict[str, None] = {}
    for entry in reader.items(node, "subjects (namespace and name)"):
        fields = reader.fields(entry, ("namespace", "name"), "subjects", {})
        if "name" not in fields:
            if isinstance(entry, MappingNode):
                reader.problem(entry, 'this subject has no name ("*" is any ServiceAccount of the namespace)')
            continue
        name = reader.text(fields["name"], name_pattern)
        own_namespace: str | None = namespace
        if "namespace" in fields:
            own_namespace = reader.text(fields["namespace"], namespace_pattern)
        if name and own_namespace:
            in_order[names.subject(own_namespace, name)] = None
    return tuple(in_order)


def clusters(reader: Reader, node: Node) -> tuple[OtherCluster, ...]:
    """Further clusters whose ServiceAccounts the role trusts."""
    in_order: dict[OtherCluster, None] = {}
    for entry in reader.items(node, "clusters (name and region, or issuer)"):
        fields = reader.fields(entry, ("name", "region", "issuer"), "clusters", {})
        if ("name" in fields) == ("issuer" in fields):
            if isinstance(entry, MappingNode):
                reader.problem(entry, "give a cluster's name or its issuer, not both")
        elif "issuer" in fields and "region" in fields:
            reader.problem(fields["region"], "an issuer has no region")
        rules = {"name": names.cluster, "region": names.region, "issuer": check_issuer}
        values = {name: reader.text(fields[name], rules[name]) or "" for name in fields}
        in_order[OtherCluster(**values)] = None
    return tuple(in_order)


def conditions(reader: Reader, node: Node) -> dict[str, dict[str, Any]]:
    """Conditions that each statement of the trust policy has besides audience and subject."""
    block: dict[str, dict[str, Any]] = {}
    for operator, (key, value) in reader.pairs(node).items():
        if operator_of(operator) is None:
            text = f"IAM has no condition operator '{operator}'"
            hint = did_you_mean(operator, COMPARISONS)
            reader.problem(key, f"{text}: {hint}" if hint else text)
        block[operator] = {name: _values(reader, *pair) for name, pair in reader.pairs(value).items()}
        if not block[operator] and isinstance(value, MappingNode):
            reader.problem(value, f"{operator} has no keys")
    return block


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
    word = placeholder_in_policy(text) if "$" in text else ""
    if word:
        raise InvalidInput(f"'{word}' {UNFILLED}")
    return text


class PolicyReader:
    """Reads the fields of one entry that are about policies. `ours`: irsa's own kind, which has more."""

    def __init__(self, reader: Reader, read: Callable[[str], str], *, ours: bool) -> None:
        self._reader = reader
        self._read = read
        self._ours = ours

    def all(self, fields: Fields) -> dict[str, Any]:
        """The attributes of a `BindingEntry` that these fields make."""
        attributes: dict[str, Any] = {}
        if "attachPolicyARNs" in fields:
            attributes["policies"] = self._reader.texts(fields["attachPolicyARNs"], arn.check_policy)
            if len(attributes["policies"]) > policy.MANAGED_LIMIT:
                self._reader.problem(
                    fields["attachPolicyARNs"], f"IAM takes {policy.MANAGED_LIMIT} policies per role"
                )
        if "wellKnownPolicies" in fields:
            attributes["well_known"] = self._well_known(fields["wellKnownPolicies"])
        attributes["inline"] = self._inline(fields)
        return attributes

    def _inline(self, fields: Fields) -> dict[str, Document]:
        documents: dict[str, Document] = {}
        last = None
        if "attachPolicy" in fields:
            last = fields["attachPolicy"]
            self._add(documents, names.ATTACH_POLICY, last, self._document(last))
        if "inlinePolicies" in fields:
            last = fields["inlinePolicies"]
            for name, (key, value) in self._reader.pairs(last).items():
                self._reader.checked(key, names.inline_policy, name)
                self._add(documents, name, key, self.document_or_file(value))
        size = sum(map(policy.size, documents.values()))
        if last is not None and size > policy.INLINE_LIMIT:
            self._reader.problem(
                last, f"the inline policies have {size} characters, IAM takes {policy.INLINE_LIMIT} together"
            )
        return documents

    def _add(self, documents: dict[str, Document], name: str, node: Node, document: Document | None) -> None:
        if name in documents:
            self._reader.problem(node, f"two inline policies would be named {name}")
        if document is not None:
            documents[name] = document

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
        if len(self._reader.problems) > before:
            return None
        return document

    def _well_known(self, node: Node) -> tuple[WellKnown, ...]:
        known = wellknown.names() if self._ours else wellknown.EKSCTL
        uses: list[WellKnown] = []
        for name, (key, value) in self._reader.pairs(node).items():
            if name not in known:
                hint = did_you_mean(name, known) or "irsa policies list shows them"
                if name in wellknown.names():
                    hint = "only 'apiVersion: irsa/v1, kind: Bindings' has it"
                self._reader.problem(key, f"unknown well-known policy '{name}': {hint}")
                continue
            use = self._reader.checked(value, wellknown_uses.check, self._use(name, value))
            if use is not None:
                uses.append(use)
        return tuple(uses)

    def _use(self, name: str, node: Node) -> WellKnown | None:
        """The use of a policy as it is written; None if the file switches it off."""
        if self._ours and not isinstance(node, ScalarNode):
            return WellKnown(name, self._parameters(name, node))
        return WellKnown(name) if self._reader.boolean(node) else None

    def _parameters(self, name: str, node: Node) -> dict[str, tuple[str, ...]]:
        known = wellknown.get(name).parameters
        parameters: dict[str, tuple[str, ...]] = {}
        for key, value in self._reader.fields(node, tuple(known), name, {}).items():
            if isinstance(value, ScalarNode):
                text = self._reader.text(value)
                parameters[key] = () if text is None else (text,)
            else:
                parameters[key] = self._reader.texts(value)
        return parameters


_ACCOUNTS = ("irsa/v1", "Accounts")


def accounts(text: str, source: str) -> tuple[str, ...]:
    """The roles to assume in the accounts of a file of `irsa audit --accounts`.

    Raises `InvalidInput` with all problems.
    """
    reader = Reader(source)
    roles: dict[str, str] = {}
    for node in compose(text, source):
        fields = reader.fields(node, ("apiVersion", "kind", "accounts"), "Accounts", {})
        kind = tuple(reader.text(fields[key]) for key in ("apiVersion", "kind") if key in fields)
        if kind != _ACCOUNTS:
            reader.problem(node, f"expected {' '.join(_ACCOUNTS)}")
        if "accounts" not in fields:
            continue
        for entry in reader.items(fields["accounts"], "accounts"):
            account, role = access(reader, reader.fields(entry, ("account", "assumeRole"), "accounts", {}))
            if not role:
                reader.problem(entry, "expected assumeRole")
            elif account in roles:
                reader.problem(entry, f"account {account} is there twice")
            roles[account] = role
    reader.finish()
    if not roles:
        raise InvalidInput(f"{source} names no account")
    return tuple(roles.values())
