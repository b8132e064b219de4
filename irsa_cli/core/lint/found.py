"""The objects in files that lint checks: trust policies and ServiceAccounts, each with its place.

A value that is unknown before deployment is a gap (`Gaps`): a placeholder word that can be part of a name, so
that the rest can be checked. Messages show its expression instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from yaml import MappingNode, Mark, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import BOOLEAN, MERGE, NULL, compose, json_number, text_of
from irsa_cli.core.trust.rules.providers import KnownCluster
from irsa_cli.core.trust.rules.rule import FilePlace, Risk, Severity
from irsa_cli.core.values.errors import InvalidInput, IrsaError

_GAP = re.compile(r"unknown-(\d+)-k7q2")
_LONGEST = 80


class Gaps:
    """The gaps of one document."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._names: list[str] = []

    def gap(self, expression: str, scope: str = "") -> str:
        """The placeholder for an expression, the same for the same expression of a scope (a module)."""
        key = (scope, expression)
        if key not in self._numbers:
            self._numbers[key] = len(self._names)
            self._names.append(expression)
        return f"unknown-{self._numbers[key]}-k7q2"

    def name(self, text: str) -> str:
        """The expression of the first gap in a text, '' for none."""
        gap = _GAP.search(text)
        if gap is None or int(gap[1]) >= len(self._names):
            return ""
        return self._names[int(gap[1])]

    def shown(self, text: str) -> str:
        """A text with expressions instead of gaps."""
        return _GAP.sub(self._expression, text) if self._names else text

    def _expression(self, gap: re.Match[str]) -> str:
        number = int(gap[1])
        if number >= len(self._names):
            return gap[0]
        name = self._names[number]
        if name[0] in "$<{" or name.isupper():
            return name  # A placeholder in its original form.
        if len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}..."
        return f"${{{name}}}"


def has_gap(value: Any) -> bool:
    return isinstance(value, str) and _GAP.search(value) is not None


def is_gap(value: Any) -> bool:
    """Whether a value is a single gap."""
    return isinstance(value, str) and _GAP.fullmatch(value) is not None


def is_known(value: Any) -> bool:
    """Whether a value has no gaps, wherever in it."""
    return _GAP.search(str(value)) is None


def part_of(value: Any, path: Iterable[str]) -> Any:
    """The part of an object that a path leads to; None if it is missing."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def as_dict(value: Any) -> dict[str, Any]:
    """An object; an empty one for other values."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str:
    """A text; an empty one for other values."""
    return value if isinstance(value, str) else ""


Path = Sequence[str | int]
_TAGGED = {"!Ref": "Ref", "!Condition": "Condition"}
"""CloudFormation's short forms without `Fn::`."""


_START = re.compile(r"^---(?=\s)", re.MULTILINE)
_MOST_PROBLEMS = 20
"""The most invalid documents of a file before reading stops."""


class Nodes:
    """Cached lookups in a file's nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs: dict[int, dict[str, tuple[Node, Node]]] = {}

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def pairs(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        """The pairs by key; the last one of a duplicate key counts, as in JSON."""
        if id(node) not in self._pairs:
            self._pairs[id(node)] = {}  # In case it is merged into itself.
            self._pairs[id(node)] = self._read(node)
        return self._pairs[id(node)]

    def _read(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        merged: dict[str, tuple[Node, Node]] = {}
        own: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if key.tag == MERGE:
                bases = value.value if isinstance(value, SequenceNode) else [value]
                for base in bases:
                    if isinstance(base, MappingNode):
                        merged = {**self.pairs(base), **merged}
            elif isinstance(key, ScalarNode):
                own[text_of(key)] = (key, value)
        return {**merged, **own}

    def step(self, node: Node, step: str | int) -> tuple[Node, Node] | None:
        """The key (or element) and value of a part of a node; a single value counts as a list."""
        if isinstance(step, str):
            if isinstance(node, MappingNode):
                return self.pairs(node).get(step)
            return None
        elements = node.value if isinstance(node, SequenceNode) else [node]
        if step >= len(elements):
            return None
        return elements[step], elements[step]

    def mark(self, node: Node, path: Path) -> Mark:
        where = node
        for step in path:
            pair = self.step(node, step)
            if pair is None:
                break
            key, value = pair
            # A single element has the mark of its key.
            if key is not node:
                where = key
            node = value
        return where.start_mark

    def value(self, node: Node, known: dict[int, Any]) -> Any:
        if id(node) not in known:
            plain = self._plain(node, known)
            if node.tag == "!GetAtt" and isinstance(plain, str):
                plain = plain.split(".", 1)
            if node.tag.startswith("!"):
                plain = {_TAGGED.get(node.tag, f"Fn::{node.tag[1:]}"): plain}
            known[id(node)] = plain
        return known[id(node)]

    def _plain(self, node: Node, known: dict[int, Any]) -> Any:
        if _is_expression(node):
            return self._written(node)
        if isinstance(node, MappingNode):
            return {name: self.value(value, known) for name, (_, value) in self.pairs(node).items()}
        if isinstance(node, SequenceNode):
            return [self.value(element, known) for element in node.value]
        if not isinstance(node, ScalarNode) or node.tag == NULL:
            return None
        if node.tag == BOOLEAN and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        number = json_number(node)
        return text_of(node) if number is None else number

    def _written(self, node: Node) -> str:
        """The source of a part of one line; that of a longer one is shortened to its braces."""
        start = node.start_mark
        end = node.end_mark
        if start.line != end.line or start.line >= len(self.lines):
            return "{{ }}"
        return self.lines[start.line][start.column : end.column]


def _is_expression(node: Node) -> bool:
    """Whether a value is `{{ … }}` without quotes, which YAML reads as a mapping in a mapping."""
    if not isinstance(node, MappingNode) or len(node.value) != 1 or not node.flow_style:
        return False
    key, value = node.value[0]
    return isinstance(key, MappingNode) and bool(key.flow_style) and value.tag == NULL


def documents(text: str, source: str) -> tuple[list[Placed], list[IrsaError]]:
    """The documents of a file, and the errors of invalid YAML or JSON."""
    try:
        nodes = Nodes(text)
        return [Placed(source, node, nodes) for node in compose(text, source)], []
    except InvalidInput as error:
        starts = [start.start() for start in _START.finditer(text)]
        if not starts:
            return [], [error]
    placed: list[Placed] = []
    problems: list[IrsaError] = []
    for start, end in pairwise([0, *starts, len(text)]):
        document = Nodes(text[start:end])
        line = text.count("\n", 0, start)
        try:
            nodes_of_document = list(compose(document.text, source))
        except InvalidInput:
            problems += _problems_from(line, document.text, source)
        else:
            placed += [Placed(source, node, document, offset=(line, 0)) for node in nodes_of_document]
        if len(problems) == _MOST_PROBLEMS:
            break
    return placed, problems


def _problems_from(line: int, text: str, source: str) -> Iterator[IrsaError]:
    """The error of an invalid document that begins at a line of its file."""
    try:
        compose("\n" * line + text, source)  # Empty lines before it correct the error's line.
    except InvalidInput as error:
        yield error


@dataclass(frozen=True)
class Placed:
    """A document or a part of one; `source` is its file, `subject` its name in messages.

    `change` is what a plan does to the subject, as in `FilePlace`.
    """

    source: str
    node: Node
    nodes: Nodes
    subject: str = ""
    offset: tuple[int, int] = (0, 0)
    """The start of the node's text, as line and column from 0."""
    change: str = ""

    @cached_property
    def value(self) -> Any:
        """The JSON value, with CloudFormation's short forms in full."""
        return self.nodes.value(self.node, {})

    def place(self, path: Path = ()) -> FilePlace:
        """The place of the part that a path leads to: its key or list element."""
        mark = self.nodes.mark(self.node, path)
        line = mark.line + self.offset[0]
        column = mark.column + self.offset[1]
        return FilePlace(self._source_of(mark), line + 1, column + 1, self.subject, self.change)

    def _source_of(self, mark: Mark) -> str:
        """The file of a mark; those from YAML have no name but <unicode string>."""
        return self.source if mark.name.startswith("<") else mark.name

    def at(self, *path: str | int, subject: str = "") -> Placed:
        """The part that a path leads to, or the nearest existing one."""
        node = self.node
        for step in path:
            pair = self.nodes.step(node, step)
            if pair is None:
                break
            node = pair[1]
        return replace(self, node=node, subject=subject or self.subject)

    def inside(self) -> Placed:
        """The document in a block of text (`|`) with its own places; otherwise the same part."""
        node = self.node
        if isinstance(node, MappingNode) and len(node.value) == 1:
            node = node.value[0][1]  # CloudFormation's Fn::Sub in full.
        if not isinstance(node, ScalarNode) or node.style != "|":
            return self
        try:
            (document,) = compose(node.value, self.source)
        except (InvalidInput, ValueError):
            return self
        first = node.start_mark.line + 1
        indent = 0
        if first < len(self.nodes.lines):
            written = self.nodes.lines[first]
            indent = len(written) - len(written.lstrip(" "))
        return replace(self, node=document, offset=(first, indent), source=self._source_of(node.start_mark))


@dataclass(frozen=True)
class LintedTrust:
    """A trust policy with its place and context.

    `power` has the role's powerful permissions. `refined` sets a risk's place and fix if the file does not
    contain the policy itself. `known_as` has the role's ARN, name and references, `path` its path if known.
    `audiences` are those of OIDC providers, `gone` the providers that a plan deletes, by ARN.
    """

    placed: Placed
    document: Any
    gaps: Gaps = field(default_factory=Gaps)
    power: str = ""
    account: str = ""
    clusters: Mapping[str, KnownCluster] = field(default_factory=dict)
    refined: Callable[[Risk], Risk] | None = None
    known_as: tuple[str, ...] = ()
    path: str | None = None
    audiences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LintedDeletion:
    """A role that a plan deletes, by its ARN."""

    placed: Placed
    role: str


@dataclass(frozen=True)
class LintedAccount:
    """A ServiceAccount of a manifest, with the paths of its annotation and name."""

    placed: Placed
    namespace: str
    name: str
    role: Any
    gaps: Gaps = field(default_factory=Gaps)
    path: tuple[str | int, ...] = ("metadata", "annotations", "eks.amazonaws.com/role-arn")
    name_path: tuple[str | int, ...] = ("metadata", "name")


@dataclass(frozen=True)
class LintedAssociation:
    """An EKS Pod Identity association; `path` leads to its role, `tagged`: its sessions have tags."""

    placed: Placed
    namespace: str
    name: str
    role: str
    gaps: Gaps = field(default_factory=Gaps)
    path: Path = ()
    tagged: bool = True


def association_of(
    placed: Placed, values: Mapping[str, Any], keys: Sequence[str], gaps: Gaps
) -> LintedAssociation:
    """The association of a resource; `keys`: of namespace, ServiceAccount, role, disabled session tags."""
    namespace, name, role = (str(values.get(key) or "") for key in keys[:3])
    tagged = values.get(keys[3]) in (None, False)
    return LintedAssociation(placed, namespace, name, role, gaps, (keys[2],), tagged)


@dataclass(frozen=True)
class LintedObject:
    """A Kubernetes object that other objects refer to: ServiceAccounts, workloads, RBAC."""

    placed: Placed
    kind: str
    namespace: str
    name: str
    value: Mapping[str, Any]

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}"


@dataclass(frozen=True)
class Unjudged:
    """A part that is known only after deployment; it can hide a risk up to severity `at_most`.

    `elsewhere` is what decides it, if that is not in the files and nothing in them points to a risk.
    """

    place: FilePlace
    text: str
    at_most: Severity
    elsewhere: str = ""

    def __str__(self) -> str:
        if self.place.subject:
            return f"{self.place}: {self.place.subject}: {self.text}"
        return f"{self.place}: {self.text}"


Found = LintedTrust | LintedAccount | LintedAssociation | LintedDeletion | LintedObject | Unjudged
