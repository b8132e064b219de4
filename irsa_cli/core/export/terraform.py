"""Roles as Terraform's resources, with the `import` blocks that put them into its state.

The resources describe each role as it is, so that a plan imports and changes nothing. irsa's tags are part of
that: they are set apart, as the lines to remove when irsa shall not own the role any more.

The arguments and the ids of imports are those of the AWS provider's documentation, `import` blocks those of
Terraform 1.5: https://developer.hashicorp.com/terraform/language/import
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from irsa_cli.core.marks.own_keys import is_own_tag
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.values.names import Namespaced

_INDENT = "  "
AWS_TAGS = "aws:"
"""The beginning of tags that AWS sets, and nobody else can."""
Lines = list[str]


@dataclass(frozen=True)
class ExportedRole(Namespaced):
    """The role of a ServiceAccount, read with all its settings and the documents of its inline policies."""

    namespace: str
    name: str
    role: Role

    @property
    def label(self) -> str:
        """Its name in Terraform; no two ServiceAccounts share one."""
        label = f"{self.namespace}_{self.name.replace('.', '_')}"
        return f"_{label}" if label[0].isdigit() else label


def terraform(roles: Sequence[ExportedRole], providers: Mapping[str, ProviderState] | None = None) -> str:
    """The configuration of the roles, and of OIDC providers by their ARNs."""
    blocks = [
        block for arn, provider in sorted((providers or {}).items()) for block in _provider(arn, provider)
    ]
    addresses: dict[str, str] = {}
    for exported in sorted(roles, key=lambda role: (role.namespace, role.name)):
        address = f"aws_iam_role.{exported.label}"
        first = addresses.setdefault(exported.role.arn, address)
        if first == address:
            blocks += _role(exported)
        else:
            blocks.append([f"# {exported.full_name} has the role of {first}"])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _provider(arn: str, provider: ProviderState) -> Iterator[Lines]:
    label = re.sub(r"[^A-Za-z0-9]+", "_", arn.partition("/")[2])
    address = f"aws_iam_openid_connect_provider.{label}"
    fields = {"url": [_text(provider.url)], "client_id_list": [_list(sorted(provider.audiences))]}
    if provider.thumbprints:
        fields["thumbprint_list"] = [_list(provider.thumbprints)]
    if provider.tags:
        fields["tags"] = _tags(provider.tags)
    yield _import(address, arn)
    yield _resource(address, fields)


def _role(exported: ExportedRole) -> Iterator[Lines]:
    """The blocks of a role, its attachments and its inline policies."""
    role = exported.role
    label = exported.label
    address = f"aws_iam_role.{label}"
    fields = {"name": [_text(role.name)], "path": [_text(role.path)]}
    if role.state.description:
        fields["description"] = [_text(role.state.description)]
    if role.max_session_duration is not None:
        fields["max_session_duration"] = [str(role.max_session_duration)]
    if role.boundary:
        fields["permissions_boundary"] = [_text(role.boundary)]
    fields["assume_role_policy"] = _encoded(role.trust)
    tags = {key: text for key, text in role.tags.items() if not key.startswith(AWS_TAGS)}
    if tags:
        fields["tags"] = _tags(tags)
    yield [f"# {exported.full_name}", *_import(address, role.name)]
    yield _resource(address, fields)
    parts = {"role": [f"{address}.name"]}
    if role.attached:
        address = f"aws_iam_role_policy_attachment.{label}"
        arns = sorted(role.attached)
        for arn in arns:
            yield _import(f"{address}[{_text(arn)}]", f"{role.name}/{arn}")
        yield _resource(
            address, {"for_each": [f"toset({_list(arns)})"], **parts, "policy_arn": ["each.value"]}
        )
    if role.inline:
        address = f"aws_iam_role_policy.{label}"
        documents = {name: _encoded(role.inline[name]) for name in sorted(role.inline)}
        for name in documents:
            yield _import(f"{address}[{_text(name)}]", f"{role.name}:{name}")
        own = {"name": ["each.key"], "policy": ["each.value"], "for_each": _object(documents)}
        yield _resource(address, {**parts, **own})


def statement_block(statement: Document) -> str:
    """A statement of a trust policy as a block of the data source aws_iam_policy_document."""
    keys = {"Action": "actions", "NotAction": "not_actions"}
    lines = [f"sid = {_text(str(statement['Sid']))}"] if statement.get("Sid") else []
    lines.append(f"effect = {_text(str(statement['Effect']))}")
    lines += [f"{name} = {_list(_texts(statement[key]))}" for key, name in keys.items() if key in statement]
    for kind, names in statement["Principal"].items():
        values = _list(_texts(names))
        lines += ["principals {", *_indented([f"type = {_text(kind)}", f"identifiers = {values}"]), "}"]
    for operator, tests in statement.get("Condition", {}).items():
        for key, values in tests.items():
            fields = [f"test = {_text(operator)}", f"variable = {_text(key)}"]
            fields.append(f"values = {_list(_texts(values))}")
            lines += ["condition {", *_indented(fields), "}"]
    return "\n".join(["statement {", *_indented(lines), "}"])


def _texts(value: object) -> list[str]:
    return [str(text) for text in as_list(value)]


def _import(address: str, id_: str) -> Lines:
    return ["import {", f"{_INDENT}to = {address}", f"{_INDENT}id = {_text(id_)}", "}"]


def _resource(address: str, fields: Mapping[str, Lines]) -> Lines:
    """A resource: values in one line first, as `terraform fmt` aligns them, then the others."""
    kind, _, label = address.partition(".")
    lines = [
        f'resource "{kind}" "{label}" {{',
        *_aligned({key: it[0] for key, it in fields.items() if len(it) == 1}),
    ]
    for key, value in fields.items():
        if len(value) > 1:
            lines += ["", f"{_INDENT}{key} = {value[0]}", *_indented(value[1:])]
    return [*lines, "}"]


def _tags(tags: Mapping[str, str]) -> Lines:
    """The tags of the user, then irsa's."""
    own = {_text(key): _text(tags[key]) for key in sorted(tags) if is_own_tag(key)}
    lines = _aligned({_text(key): _text(tags[key]) for key in sorted(tags) if not is_own_tag(key)})
    if own:
        lines += [
            f"{_INDENT}# irsa's marks: without them, irsa does not own the role any more.",
            *_aligned(own),
        ]
    return ["{", *lines, "}"]


def _encoded(document: Document) -> Lines:
    """A policy as its author would write it: `jsonencode` gives the same JSON."""
    lines = _expression(document)
    return [f"jsonencode({lines[0]}", *lines[1:-1], f"{lines[-1]})"]


def _expression(value: object) -> Lines:
    """A value of JSON as Terraform's expression."""
    if isinstance(value, dict) and value:
        return _object({str(key): _expression(inner) for key, inner in value.items()})
    if isinstance(value, list) and value and not all(isinstance(inner, str) for inner in value):
        lines = ["["]
        for inner in value:
            *first, last = _indented(_expression(inner))
            lines += [*first, f"{last},"]
        return [*lines, "]"]
    if isinstance(value, list):
        return [_list(value)]
    return [_text(value) if isinstance(value, str) else json.dumps(value)]


def _object(fields: Mapping[str, Lines]) -> Lines:
    """An object; keys of neighbouring values in one line are aligned, as `terraform fmt` does."""
    lines = ["{"]
    short = dict[str, str]()
    for key, value in fields.items():
        if len(value) == 1:
            short[_text(key)] = value[0]
            continue
        lines += [*_aligned(short), f"{_INDENT}{_text(key)} = {value[0]}", *_indented(value[1:])]
        short = {}
    return [*lines, *_aligned(short), "}"]


def _aligned(fields: Mapping[str, str]) -> Lines:
    width = max(map(len, fields), default=0)
    return [f"{_INDENT}{key:<{width}} = {text}" for key, text in fields.items()]


def _indented(lines: Lines) -> Lines:
    return [f"{_INDENT}{line}" for line in lines]


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _text(text: str) -> str:
    """A text in quotes: a policy variable such as `${aws:username}` is no template of Terraform."""
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    plain = plain.replace("\\b", "\\u0008").replace("\\f", "\\u000c").replace("\x7f", "\\u007f")
    return f'"{plain.replace("${", "$${").replace("%{", "%%{")}"'
