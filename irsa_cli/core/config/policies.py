"""The policies of one entry: ARNs, well-known ones, documents written out or in files, and their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.policies import policy, wellknown
from irsa_cli.core.policies.grammar import Way, check_identity_policy, problems
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.wellknown import WellKnown
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import did_you_mean


def read_policy(text: str, source: str) -> Document:
    """A permissions policy written in JSON; raises `InvalidInput` with everything that IAM would refuse."""
    try:
        composed = compose(text, source)
    except InvalidInput:
        composed = []  # Not even YAML: the JSON parser has the better words.
    reader = Reader(source)
    if len(composed) == 1 and policy.is_json(text):
        _note_duplicates(reader, composed[0])
        reader.finish()
    document = policy.parse(text, source)
    if len(composed) != 1:
        return check_identity_policy(document, source)
    note_problems(reader, composed[0], document)
    reader.finish()
    return document


def note_problems(reader: Reader, node: Node, document: Document) -> None:
    """Note what IAM would refuse in the document that this node holds, unless its place is noted already."""
    for problem in problems(document):
        place = _node_at(reader, node, problem.way, at_key=problem.at_key)
        if not reader.has_problem(place):
            reader.problem(place, problem.text)


def _node_at(reader: Reader, node: Node, way: Way, *, at_key: bool) -> Node:
    """The part of the document that a way leads to, or what is nearest to it."""
    for number, step in enumerate(way, 1):
        if isinstance(step, int) and isinstance(node, SequenceNode) and step < len(node.value):
            node = node.value[step]
        elif (
            isinstance(step, str) and isinstance(node, MappingNode) and step in (pairs := reader.pairs(node))
        ):
            key, value = pairs[step]
            node = key if at_key and number == len(way) else value
        else:
            break
    return node


def _note_duplicates(reader: Reader, node: Node) -> None:
    if isinstance(node, MappingNode):
        for _, value in reader.pairs(node).values():
            _note_duplicates(reader, value)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            _note_duplicates(reader, item)


class PolicyReader:
    """Reads the fields of one entry that are about policies. `ours`: irsa's own kind, which has more."""

    def __init__(self, reader: Reader, read: Callable[[str], str], *, ours: bool) -> None:
        self._reader = reader
        self._read = read
        self._ours = ours

    def all(self, fields: Fields) -> dict[str, Any]:
        """The attributes of a `Binding` that these fields make."""
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
            found.append(self._reader.checked(value, wellknown.check, use))
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
