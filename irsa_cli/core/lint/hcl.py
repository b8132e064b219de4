"""HCL, the language of Terraform files, as plain values with their file and place.

The files of a folder are one module and are evaluated together: locals, defaults of variables, references,
and common functions. Values that only a plan shows are gaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any

from yaml import MappingNode, Mark, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.budget import Budget, TooMuch
from irsa_cli.core.lint.found import Gaps, is_gap
from irsa_cli.core.lint.hcl_functions import Call
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.values.errors import InvalidInput, IrsaError

_LONGEST = 65_536
"""The most characters of a text, or values of an object or list, in a policy."""
_LARGEST_FILE = 1_000_000
"""The most characters of a file."""
_LONGEST_NUMBER = 200
"""The most digits of a number; Terraform calculates with about 150."""
Tree = Any
Names = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """A text of HCL: a file or an expression in a template; `first` is its first line, from 0."""

    name: str
    text: str
    first: int = 0

    def mark(self, tree: Tree) -> Mark:
        return Mark(self.name, 0, self.first + tree.meta.line - 1, tree.meta.column - 1, None, 0)

    def written(self, tree: Tree) -> str:
        """The source of a part in one line."""
        return " ".join(self.text[tree.meta.start_pos : tree.meta.end_pos].split())


@dataclass(frozen=True)
class Block:
    """A block; `labels` begin with its type, and attributes are evaluated on demand."""

    source: Source
    tree: Tree
    labels: tuple[str, ...]
    attributes: Mapping[str, Tree]
    blocks: tuple[Block, ...]


def _parse(source: Source) -> Block:
    """Parse a file into a block without labels; raise `InvalidInput` for invalid HCL."""
    from hcl2.api import parses_to_tree  # A slow import.
    from lark.exceptions import LarkError, UnexpectedInput

    if len(source.text) > _LARGEST_FILE:
        raise InvalidInput(f"{source.name} is too large", reason=f"more than {_LARGEST_FILE} characters")
    try:
        return _body(source, parses_to_tree(source.text), ())
    except UnexpectedInput as error:
        raise InvalidInput(f"{source.name}:{error.line}:{error.column}: invalid HCL") from None
    except RecursionError:
        raise InvalidInput(f"{source.name} can't be checked", reason="it is nested too deeply") from None
    except LarkError as error:
        raise InvalidInput(f"{source.name} is not valid HCL", reason=type(error).__name__) from None


def _body(source: Source, tree: Tree, labels: tuple[str, ...]) -> Block:
    items = _parts(next(part for part in _parts(tree) if part.data == "body"))
    attributes = {_word(_parts(part)[0]): _parts(part)[-1] for part in items if part.data == "attribute"}
    inner = ((part, tuple(map(_word, _parts(part)[:-1]))) for part in items if part.data == "block")
    return Block(source, tree, labels, attributes, tuple(_body(source, part, names) for part, names in inner))


def _parts(tree: Tree) -> list[Tree]:
    return [part for part in tree.children if hasattr(part, "data") and part.data != "new_line_or_comment"]


def _word(tree: Tree) -> str:
    return "".join(map(str, tree.scan_values(lambda _: True))).strip('"')


_OPENING = re.compile(r"(?<!\$)\$\{")
_LETTERS = 100
"""So many characters of a text cost as much as a value."""
_PIECES = re.compile(r'"(?:\\.|[^"\\])*"|[{}]')
_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\"}


@dataclass
class Module:
    """The files of a folder; `read` reads a referenced file, `marks` has places and sizes of values."""

    read: ReadFile
    gaps: Gaps = field(default_factory=Gaps)
    budget: Budget = field(default_factory=Budget)
    blocks: list[Block] = field(default_factory=list)
    marks: dict[int, tuple[Any, Mark, int]] = field(default_factory=dict)
    _named: dict[str, tuple[Source, Tree]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)
    _expressions: dict[Source, Block] = field(default_factory=dict)
    _by_labels: dict[tuple[str, ...], Block] = field(default_factory=dict)

    def add(self, text: str, name: str) -> None:
        """Add a file; raise `InvalidInput` for invalid HCL."""
        self.budget.add(text)
        for block in _parse(Source(name, text)).blocks:
            self.blocks.append(block)
            self._by_labels.setdefault(block.labels, block)
            kind = block.labels[0]
            values = block.attributes
            if kind == "locals":
                self._named.update({f"local.{key}": (block.source, value) for key, value in values.items()})
            elif kind == "variable" and "default" in values:
                self._named[f"var.{block.labels[-1]}"] = block.source, values["default"]

    def get(self, block: Block, name: str, names: Names | None = None) -> Any:
        """The value of an attribute, '' for none."""
        tree = block.attributes.get(name)
        return "" if tree is None else self.value(block.source, tree, names or {})

    def body(self, block: Block, names: Names | None = None, *, without: Sequence[str] = ()) -> Any:
        """A block in the form of `terraform show -json`, with gaps for dynamic parts."""
        values: dict[str, Any] = {}
        for inner in block.blocks:
            name = inner.labels[-1]
            content = next((part for part in inner.blocks if part.labels == ("content",)), inner)
            gap = self.gaps.gap(f'dynamic "{name}"')
            if inner.labels[0] != "dynamic":
                values.setdefault(name, []).append(self.body(content, names))
            elif name == "statement":
                values.setdefault(name, []).append({**self.body(content, names), "condition": gap})
            else:
                values[name] = gap
        values |= {name: self.get(block, name, names) for name in block.attributes if name not in without}
        return self.placed(values, block.source.mark(block.tree))

    def placed(self, value: Any, mark: Mark) -> Any:
        """Record a value's place; None if it is too large."""
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        size = 1 + sum(self.marks[id(part)][2] if id(part) in self.marks else 1 for part in parts)
        self.marks.setdefault(id(value), (value, mark, size))
        return value if size < _LONGEST else None

    def node(self, value: Any, mark: Mark) -> Node:
        """A value as nodes; parts without a place have the place of their use."""
        self.budget.spend(1)
        own = self.marks.get(id(value))
        mark = own[1] if own else mark
        if isinstance(value, dict):
            pairs = [(self.gaps.shown(key), self.node(part, mark)) for key, part in value.items()]
            return MappingNode(
                "", [(ScalarNode("", key, part.start_mark), part) for key, part in pairs], mark
            )
        if isinstance(value, list):
            return SequenceNode("", [self.node(part, mark) for part in value], mark)
        return ScalarNode("", value, mark, style="|" if own else "")

    def value(self, source: Source, tree: Tree, names: Names) -> Any:
        self.budget.spend(1)
        make = _FORMS.get(tree.data)
        value = make(self, source, tree, names) if make else None
        if isinstance(value, dict | list):
            value = self.placed(value, source.mark(tree))
        return self._gap(source, tree) if value is None else value

    def _gap(self, source: Source, tree: Tree) -> str:
        written = source.written(tree)
        self.budget.spend(len(written) // _LETTERS)
        return self.gaps.gap(written)

    def _joined(self, texts: Iterable[str]) -> str | None:
        """The texts in one; None if it is too long."""
        parts = [*texts]
        length = sum(map(len, parts))
        self.budget.spend(len(parts) + min(length, _LONGEST) // _LETTERS)
        return "".join(parts) if length <= _LONGEST else None

    def _term(self, source: Source, tree: Tree, names: Names) -> Any:
        parts = _parts(tree)
        return self.value(source, parts[0], names) if len(parts) == 1 else None

    def _literal(self, _: Source, tree: Tree, __: Names) -> Any:
        word = _word(tree)
        if len(word) > _LONGEST_NUMBER:
            raise TooMuch(f"a number has more than {_LONGEST_NUMBER} digits")
        literal = json.loads(word)
        return "" if literal is None else literal

    def _list(self, source: Source, tree: Tree, names: Names) -> list[Any]:
        return [self.value(source, part, names) for part in _parts(tree)]

    def _object(self, source: Source, tree: Tree, names: Names) -> dict[str, Any]:
        values = {}
        for key, value in map(_parts, _parts(tree)):
            written = source.written(key)
            name = written if re.fullmatch(r"[\w-]+", written) else self._text(source, _parts(key)[0], names)
            values[name] = self.value(source, value, names)
        return values

    def _text(self, source: Source, tree: Tree, names: Names) -> str:
        value = self.value(source, tree, names)
        if isinstance(value, bool):
            return str(value).lower()
        return self._gap(source, tree) if isinstance(value, dict | list) else str(value)

    def _string(self, source: Source, tree: Tree, names: Names) -> Any:
        parts = [part for piece in _parts(tree) for part in piece.children]
        if any(getattr(part, "data", "interpolation") != "interpolation" for part in parts):
            return None
        if len(parts) == 1 and hasattr(parts[0], "data"):
            return self.value(source, _parts(parts[0])[0], names)
        return self._joined(
            self._text(source, _parts(part)[0], names)
            if hasattr(part, "data")
            else re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), part.replace("$${", "${"))
            for part in parts
        )

    def _heredoc(self, source: Source, tree: Tree, names: Names) -> str | None:
        lines = str(tree.children[0]).splitlines(keepends=True)[1:-1]
        return self._template(Source(source.name, "".join(lines), source.mark(tree).line + 1), names)

    def _template(self, source: Source, names: Names) -> str | None:
        """A text with expressions; None if it has directives."""
        place = 0
        texts = []
        self.budget.spend(len(source.text) // _LETTERS)
        for opening in _OPENING.finditer(source.text):
            if opening.start() < place:
                continue  # Inside the previous one.
            end = _end_of(source.text, opening.end())
            inner = Source(source.name, f"x = {source.text[opening.end() : end]}", source.first)
            try:
                value = self._text(inner, self._expression(inner), names)
            except (InvalidInput, KeyError):
                return None
            texts += [source.text[place : opening.start()], value]
            place = end + 1
        text = None if "%{" in source.text else self._joined([*texts, source.text[place:]])
        return text and self.placed(text, Mark(source.name, 0, source.first - 1, 0, None, 0))

    def _expression(self, source: Source) -> Tree:
        """The expression of `x = …`, parsed once: a template of a `for_each` is read for each element."""
        if source not in self._expressions:
            self._expressions[source] = _parse(source)
        return self._expressions[source].attributes["x"]

    def _for(self, source: Source, tree: Tree, names: Names) -> list[Any] | None:
        intro, *parts = _parts(tree)
        *words, over = _parts(intro)
        elements = self.value(source, over, names)
        if is_gap(elements):  # Use one example element.
            elements = [self.gaps.gap(source.written(words[-1]))]
        if len(parts) != 1 or not isinstance(elements, dict | list):
            return None
        pairs = elements.items() if isinstance(elements, dict) else enumerate(elements)
        own = ({_word(words[0]): key, _word(words[-1]): element} for key, element in pairs)
        return [self.value(source, parts[0], {**names, **each}) for each in own]

    def _call(self, source: Source, tree: Tree, names: Names) -> Any:
        word, *rest = _parts(tree)
        arguments = self._list(source, rest[0], names) if len(rest) == 1 else [None]
        template = partial(self._file, source)
        return Call(_word(word), arguments, self.budget, self._joined, template).result

    def _file(self, source: Source, name: str, names: Names) -> str | None:
        head, _, rest = name.partition("/")
        path = rest if is_gap(head) else name  # Relative to path.module.
        try:
            text = self.read(path)
        except IrsaError:
            return None
        return self._template(Source(str(PurePath(source.name).parent / path), text), names)

    def _reference(self, source: Source, tree: Tree, names: Names) -> Any:
        path = self._path(source, tree, names)
        head = str(path[0])
        labels = [step for step in path if isinstance(step, str)]
        if path in (["true"], ["false"], ["null"]):  # The form in python-hcl2 8.1.0.
            return self._literal(source, tree, names)
        if head in names:
            return _inside(names[head], path[1:])
        if head in ("local", "var") and len(labels) > 1:
            name = f"{head}.{labels[1]}"
            value = self.once(
                name, lambda: self.value(*self._named[name], {}) if name in self._named else None
            )
            return None if head == "var" and value in ("", [], {}) else _inside(value, path[2:])
        return self._attribute(labels if head == "data" else ["resource", *labels])

    def _attribute(self, labels: list[str]) -> Any:
        block = self._by_labels.get(tuple(labels[:3]))
        if block is None or len(labels) != 4:
            return None
        kind = labels[1]
        name = labels[3]
        if kind == "aws_iam_policy_document":
            return self.document(block)
        name = "name" if (kind, name) == ("aws_iam_role", "id") else name
        label = f"{kind}.{labels[2]}.{name}"
        value = self.once(f"{labels[0]} {label}", lambda: self.get(block, name)) or self.gaps.gap(label)
        return str(value).replace("https://", "") if kind == "aws_iam_openid_connect_provider" else value

    def document(self, block: Block) -> Any:
        """A data source of a policy, the same value for all references."""

        def build() -> Any:
            document = {"statement": [], **self.body(block)}
            for statement in filter(
                lambda statement: isinstance(statement, dict), as_list(document["statement"])
            ):
                statement.setdefault("principals", [])
            return document

        return self.once(".".join(block.labels), build)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """A named value, evaluated once; None if it refers to itself."""
        if key not in self._known:
            self._known[key] = None
            self._known[key] = make()
        return self._known[key]

    def _path(self, source: Source, tree: Tree, names: Names) -> list[Any]:
        """The steps of a reference: names, or tuples for indexes in brackets."""
        parts = _parts(tree)
        if tree.data in ("identifier", "short_index"):
            word = _word(tree).lstrip(".")
            return [(int(word),) if word.isdigit() and len(word) <= _LONGEST_NUMBER else word]
        if tree.data == "braces_index":
            return [(self.value(source, parts[0], names),)]
        steps = [step for part in parts for step in self._path(source, part, names)]
        return [("*",), *steps] if tree.data in ("attr_splat", "full_splat") else steps or [("",)]


def _end_of(text: str, start: int) -> int:
    """The position of the brace that closes the one before `start`."""
    depth = 1
    for found in _PIECES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return found.start()
    return len(text)


def _inside(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        key = step[0] if isinstance(step, tuple) else step
        items = dict(enumerate(value)) if isinstance(value, list) else value
        value = items.get(key) if isinstance(items, dict) and isinstance(key, str | int) else None
    return value


_FORMS: Mapping[str, Callable[[Module, Source, Tree, Names], Any]] = {
    "expr_term": Module._term,
    "string": Module._string,
    "heredoc_template": Module._heredoc,
    "heredoc_template_trim": Module._heredoc,
    "tuple": Module._list,
    "object": Module._object,
    "for_tuple_expr": Module._for,
    "function_call": Module._call,
    **dict.fromkeys(("int_lit", "float_lit", "literal_value"), Module._literal),
    **dict.fromkeys(("identifier", "index_expr_term", "get_attr_expr_term"), Module._reference),
    **dict.fromkeys(("attr_splat_expr_term", "full_splat_expr_term"), Module._reference),
}
