"""The annotations of ServiceAccounts in existing files: in manifests, and in the values of a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import compose, rendered, text_of
from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.in_place import Edit, Path, nodes_of, with_entries
from irsa_cli.core.values.errors import InvalidInput, Refused

ANNOTATIONS = ("metadata", "annotations")
_TEMPLATE = "it is a template ({{ }})"
_AMBIGUOUS = "two ServiceAccounts are meant by one name: add the namespaces to their metadata"


@dataclass(frozen=True)
class UpdatedFile:
    """A file with the annotations; `absent` are the ServiceAccounts that it does not have.

    `others` are further ServiceAccounts of the file with a role; the namespace is '' if the file has none.
    """

    text: str
    absent: tuple[ExportedAccount, ...] = ()
    others: tuple[ExportedAccount, ...] = ()


@dataclass(frozen=True)
class _Manifest:
    """A ServiceAccount of a file; its namespace is '' if a tool adds it."""

    document: int
    path: Path
    namespace: str
    name: str
    node: Node

    @property
    def place(self) -> tuple[int, Path]:
        return self.document, self.path

    @property
    def account(self) -> ExportedAccount:
        """The ServiceAccount in this file."""
        annotations = _fields(_fields(_fields(self.node).get("metadata")).get("annotations"))
        texts = {key: _text(value) for key, value in annotations.items()}
        return ExportedAccount(self.namespace, self.name, texts)

    def edit(self, account: ExportedAccount) -> Edit:
        """The annotations of the account, in this manifest."""
        return Edit(self.document, (*self.path, *ANNOTATIONS), account.annotations)

    def is_of(self, account: ExportedAccount) -> bool:
        return self.name == account.name and self.namespace in ("", account.namespace)


def in_manifests(text: str, source: str, accounts: Sequence[ExportedAccount]) -> UpdatedFile:
    """Annotate the ServiceAccounts of a file; those without a namespace are found by their name.

    Raises `Refused` if two accounts, or two manifests, are meant by the same name, or for a template.
    """
    manifests = [*_manifests(text, source, accounts)]
    edits: dict[tuple[int, Path], Edit] = {}
    absent: list[ExportedAccount] = []
    for account in accounts:
        manifest = _manifest_of(account, manifests, source)
        if manifest is None:
            absent.append(account)
        elif manifest.place in edits:
            raise _refusal(source, _AMBIGUOUS, manifest.edit(account))
        else:
            edits[manifest.place] = manifest.edit(account)
    changed = with_entries(text, source, [*edits.values()])
    others = [manifest.account for manifest in manifests if manifest.place not in edits]
    return UpdatedFile(changed, tuple(absent), tuple(account for account in others if account.role_arn))


def _manifest_of(account: ExportedAccount, manifests: Sequence[_Manifest], source: str) -> _Manifest | None:
    """The manifest of an account, None if there is none; raises `Refused` for two, or for a template."""
    matching = [manifest for manifest in manifests if manifest.is_of(account)]
    if len(matching) > 1:
        raise _refusal(source, _AMBIGUOUS, matching[1].edit(account))
    for manifest in matching or manifests:
        if _is_template(manifest.node):
            raise _refusal(source, _TEMPLATE, manifest.edit(account))
    return matching[0] if matching else None


def in_values(text: str, source: str, key: str, account: ExportedAccount) -> UpdatedFile:
    """Annotate the ServiceAccount of a chart's values; `key` is the path to its settings, with dots."""
    edit = Edit(0, (*key.split("."), "annotations"), account.annotations)
    try:
        return UpdatedFile(with_entries(text, source, [edit]))
    except InvalidInput:
        if "{{" in text:
            raise _refusal(source, _TEMPLATE, edit) from None
        raise


def _refusal(source: str, reason: str, edit: Edit) -> Refused:
    return Refused(f"{source} is not changed", reason=reason, details=edit.by_hand())


def _manifests(text: str, source: str, accounts: Sequence[ExportedAccount]) -> Iterator[_Manifest]:
    """The ServiceAccounts of a file, also those in lists."""
    try:
        documents = compose(text, source)
    except InvalidInput:
        if "{{" in text and accounts:
            raise _refusal(source, _TEMPLATE, Edit(0, ANNOTATIONS, accounts[0].annotations)) from None
        raise
    for index, document in enumerate(documents):
        fields = _fields(document)
        items = fields.get("items")
        if not isinstance(items, SequenceNode) or not _text(fields.get("kind")).endswith("List"):
            yield from _manifest(index, (), document, _text(fields.get("kind")))
            continue
        kind = _text(fields.get("kind")).removesuffix("List")
        for position, item in enumerate(items.value):
            yield from _manifest(index, ("items", position), item, kind)


def _manifest(document: int, path: Path, node: Node, kind: str) -> Iterator[_Manifest]:
    """The ServiceAccount that a node is; `kind` is the one of the API's lists, whose objects have none."""
    fields = _fields(node)
    metadata = _fields(fields.get("metadata"))
    if _text(fields.get("kind"), kind) == "ServiceAccount" and _text(fields.get("apiVersion"), "v1") == "v1":
        yield _Manifest(document, path, _text(metadata.get("namespace")), _text(metadata.get("name")), node)


def _fields(node: Node | None) -> Mapping[str, Node]:
    if not isinstance(node, MappingNode):
        return {}
    return {text_of(key): value for key, value in node.value if isinstance(key, ScalarNode)}


def _text(node: Node | None, default: str = "") -> str:
    return text_of(node) if isinstance(node, ScalarNode) else default


def _is_template(document: Node) -> bool:
    """Whether `{{ }}` is in one of its values, or is one."""
    return any(rendered(node) or "{{" in _text(node) for node in nodes_of(document))
