"""HCL, the language of Terraform files, as plain values with their file and place.

The files of a folder are one module and are evaluated together: locals, defaults of variables, references,
and common functions. Values that only a plan shows are gaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import PurePath
from typing import Any

from yaml import MappingNode, Mark, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.budget import Budget, TooMuch
from irsa_cli.core.lint.found import Gaps, is_gap
from irsa_cli.core.lint.hcl_functions import Call
from irsa_cli.core.lint.hcl_operators import binary, negated, truth
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


def parse(source: Source) -> Block:
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
    body = next(child for child in _children(tree) if child.data == "body")
    attributes: dict[str, Tree] = {}
    blocks: list[Block] = []
    for child in _children(body):
        if child.data == "attribute":
            name, *_, value = _children(child)
            attributes[_word(name)] = value
        elif child.data == "block":
            names = tuple(map(_word, _children(child)[:-1]))
            blocks.append(_body(source, child, names))
    return Block(source, tree, labels, attributes, tuple(blocks))


def _children(tree: Tree) -> list[Tree]:
    return [
        child for child in tree.children if hasattr(child, "data") and child.data != "new_line_or_comment"
    ]


def _word(tree: Tree) -> str:
    return "".join(map(str, tree.scan_values(lambda _: True))).strip('"')


_OPENING = re.compile(r"(?<!\$)\$\{")
_LETTERS = 100
"""So many characters of a text cost as much as a value."""
_PIECES = re.compile(r'"(?:\\.|[^"\\])*"|[{}]')
_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\"}


@dataclass(frozen=True)
class CallOfModule:
    """The block that calls a module, in the module that has the block, with the names of its `for_each`."""

    module: Module
    block: Block
    names: Names


@dataclass
class Module:
    """The files of a folder; `read` reads a referenced file, `marks` has places and sizes of values.

    A module that another one calls (`call`) has the values of its variables from there. `prefix` is the
    beginning of its addresses. `child` finds the module that a block calls, None if it is not in a folder.
    """

    read: ReadFile
    gaps: Gaps = field(default_factory=Gaps)
    budget: Budget = field(default_factory=Budget)
    blocks: list[Block] = field(default_factory=list)
    marks: dict[int, tuple[Any, Mark, int]] = field(default_factory=dict)
    call: CallOfModule | None = None
    prefix: str = ""
    child: Callable[[Module, Block], Module | None] | None = None
    """The module that a block calls once; None for a block that calls it for each of several elements."""
    _named: dict[str, tuple[Source, Tree]] = field(default_factory=dict)
    _given: dict[str, tuple[Source, Tree]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)
    _expressions: dict[Source, Block] = field(default_factory=dict)
    _by_labels: dict[tuple[str, ...], Block] = field(default_factory=dict)

    def add(self, text: str, name: str) -> None:
        """Add a file; raise `InvalidInput` for invalid HCL."""
        self.budget.add(text)
        self.use(parse(Source(name, text)).blocks)

    def add_values(self, text: str, name: str) -> None:
        """Add a file with values of variables (`terraform.tfvars`); raise `InvalidInput` for invalid HCL."""
        self.budget.add(text)
        root = parse(Source(name, text))
        self._given.update({f"var.{key}": (root.source, value) for key, value in root.attributes.items()})

    def use(self, blocks: Iterable[Block]) -> None:
        """Add the blocks of a file."""
        for block in blocks:
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
        if tree is None:
            return ""
        return self.value(block.source, tree, names or {})

    def body(self, block: Block, names: Names | None = None, *, without: Sequence[str] = ()) -> Any:
        """A block in the form of `terraform show -json`, with gaps for dynamic parts."""
        values: dict[str, Any] = {}
        for inner in block.blocks:
            name = inner.labels[-1]
            bodies = self._bodies(inner, names or {})
            if bodies is None:
                values[name] = self.gaps.gap(f'dynamic "{name}"', self.prefix)
            elif isinstance(values.setdefault(name, []), list):
                values[name] += bodies
        values |= {name: self.get(block, name, names) for name in block.attributes if name not in without}
        return self.placed(values, block.source.mark(block.tree))

    def _bodies(self, inner: Block, names: Names) -> list[Any] | None:
        """The bodies of an inner block: one, or one for each element of a dynamic one; None if unknown."""
        if inner.labels[0] != "dynamic":
            return [self.body(inner, names)]
        name = inner.labels[-1]
        content = next((block for block in inner.blocks if block.labels == ("content",)), inner)
        elements = self.get(inner, "for_each", names)
        if elements == "" and "for_each" in inner.attributes:
            return []  # null
        if isinstance(elements, dict | list):
            self.budget.spend_instances(len(elements))
            iterator = inner.attributes.get("iterator")
            variable = name if iterator is None else _word(iterator)
            return [self.body(content, {**names, variable: pair}) for pair in _pairs(elements)]
        if name != "statement":
            return None
        return [{**self.body(content, names), "condition": self.gaps.gap(f'dynamic "{name}"', self.prefix)}]

    def each(self, block: Block, key: Any) -> Names:
        """The names in one instance of a block with `for_each` or `count`; none if the key is unknown."""
        elements = self.get(block, "for_each")
        if "count" in block.attributes and isinstance(key, int):
            return {"count": {"index": key}}
        if isinstance(elements, dict | list):
            for pair in _pairs(elements):
                if key == (pair["value"] if isinstance(elements, list) else pair["key"]):
                    own_key = pair["value"] if isinstance(elements, list) else pair["key"]
                    return {"each": {"key": own_key, "value": pair["value"]}}
        return {}

    def is_unset(self, block: Block) -> bool:
        """Whether a block's `for_each` is a variable that is empty by default, and gets no other value."""
        tree = block.attributes.get("for_each")
        if tree is None or self.call is not None:
            return False
        name = block.source.written(tree)
        return name in self._named and name not in self._given and self._value_of(name) in ([], {})

    def placed(self, value: Any, mark: Mark) -> Any:
        """Record a value's place; None if it is too large."""
        size = 1
        if isinstance(value, dict):
            size += sum(map(self._size, value.values()))
        elif isinstance(value, list):
            size += sum(map(self._size, value))
        self.marks.setdefault(id(value), (value, mark, size))
        return value if size < _LONGEST else None

    def _size(self, value: Any) -> int:
        if id(value) not in self.marks:
            return 1
        _, _, size = self.marks[id(value)]
        return size

    def node(self, value: Any, mark: Mark) -> Node:
        """A value as nodes; parts without a place have the place of their use."""
        self.budget.spend(1)
        own = self.marks.get(id(value))
        mark = own[1] if own else mark
        if isinstance(value, dict):
            pairs: list[tuple[Node, Node]] = []
            for key, element in value.items():
                node = self.node(element, mark)
                pairs.append((ScalarNode("", self.gaps.shown(key), node.start_mark), node))
            return MappingNode("", pairs, mark)
        if isinstance(value, list):
            return SequenceNode("", [self.node(element, mark) for element in value], mark)
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
        return self.gaps.gap(written, self.prefix)

    def _joined(self, texts: Iterable[str]) -> str | None:
        """The texts in one; None if it is too long."""
        pieces = [*texts]
        length = sum(map(len, pieces))
        self.budget.spend(len(pieces) + min(length, _LONGEST) // _LETTERS)
        return "".join(pieces) if length <= _LONGEST else None

    def _term(self, source: Source, tree: Tree, names: Names) -> Any:
        children = _children(tree)
        return self.value(source, children[0], names) if len(children) == 1 else None

    def _choice(self, source: Source, tree: Tree, names: Names) -> Any:
        """The part of `a ? b : c` that is chosen; None if the condition is unknown, and the parts differ."""
        condition, chosen, other = _children(tree)
        known = truth(self.value(source, condition, names))
        if known is not None:
            return self.value(source, chosen if known else other, names)
        value = self.value(source, chosen, names)
        return value if not is_gap(value) and value == self.value(source, other, names) else None

    def _binary(self, source: Source, tree: Tree, names: Names) -> bool | None:
        left, term = _children(tree)
        sign, right = _children(term)
        return binary(_word(sign), self.value(source, left, names), self.value(source, right, names))

    def _unary(self, source: Source, tree: Tree, names: Names) -> bool | None:
        (operand,) = _children(tree)
        return negated(self.value(source, operand, names)) if str(tree.children[0]) == "!" else None

    def _literal(self, _: Source, tree: Tree, __: Names) -> Any:
        word = _word(tree)
        if len(word) > _LONGEST_NUMBER:
            raise TooMuch(f"a number has more than {_LONGEST_NUMBER} digits")
        literal = json.loads(word)
        return "" if literal is None else literal

    def _list(self, source: Source, tree: Tree, names: Names) -> list[Any]:
        return [self.value(source, child, names) for child in _children(tree)]

    def _object(self, source: Source, tree: Tree, names: Names) -> dict[str, Any]:
        values = {}
        for key, value in map(_children, _children(tree)):
            name = source.written(key)
            if not re.fullmatch(r"[\w-]+", name):
                name = self._text(source, _children(key)[0], names)
            values[name] = self.value(source, value, names)
        return values

    def _text(self, source: Source, tree: Tree, names: Names) -> str:
        value = self.value(source, tree, names)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dict | list):
            return self._gap(source, tree)
        return str(value)

    def _string(self, source: Source, tree: Tree, names: Names) -> Any:
        pieces = list(chain.from_iterable(child.children for child in _children(tree)))
        if any(getattr(piece, "data", "interpolation") != "interpolation" for piece in pieces):
            return None
        if len(pieces) == 1 and hasattr(pieces[0], "data"):
            return self.value(source, _children(pieces[0])[0], names)
        texts: list[str] = []
        for piece in pieces:
            if hasattr(piece, "data"):
                texts.append(self._text(source, _children(piece)[0], names))
            else:
                texts.append(_unescaped(piece))
        return self._joined(texts)

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
            self._expressions[source] = parse(source)
        return self._expressions[source].attributes["x"]

    def _for(self, source: Source, tree: Tree, names: Names) -> list[Any] | None:
        loop = self._loop(source, tree, names)
        if loop is None or len(loop.bodies) != 1:
            return None
        values: list[Any] = []
        for own in loop.names:
            chosen = True if loop.condition is None else truth(self.value(source, loop.condition, own))
            if chosen is None:
                return None
            if chosen:
                values.append(self.value(source, loop.bodies[0], own))
        return values

    def _for_object(self, source: Source, tree: Tree, names: Names) -> dict[str, Any] | None:
        loop = self._loop(source, tree, names)
        if loop is None or len(loop.bodies) != 2 or "..." in map(str, tree.children):
            return None
        values: dict[str, Any] = {}
        for own in loop.names:
            chosen = True if loop.condition is None else truth(self.value(source, loop.condition, own))
            key = self.value(source, loop.bodies[0], own)
            if chosen is None or not isinstance(key, str) or is_gap(key):
                return None
            if chosen:
                values[key] = self.value(source, loop.bodies[1], own)
        return values

    def _loop(self, source: Source, tree: Tree, names: Names) -> _Loop | None:
        """The parts of a `for`; None if its elements are unknown."""
        intro, *bodies = _children(tree)
        condition = None
        if bodies and bodies[-1].data == "for_cond":
            (condition,) = _children(bodies.pop())
        *words, over = _children(intro)
        elements = self.value(source, over, names)
        if is_gap(elements) and tree.data == "for_tuple_expr":  # Use one example element.
            elements = [self.gaps.gap(source.written(words[-1]), self.prefix)]
        if not isinstance(elements, dict | list):
            return None
        pairs = elements.items() if isinstance(elements, dict) else enumerate(elements)
        own = [{**names, _word(words[0]): key, _word(words[-1]): element} for key, element in pairs]
        return _Loop(own, bodies, condition)

    def _call(self, source: Source, tree: Tree, names: Names) -> Any:
        word, *lists = _children(tree)
        arguments = self._list(source, lists[0], names) if len(lists) == 1 else [None]
        template = partial(self._file, source)
        return Call(_word(word), arguments, self.budget, self._joined, template).result

    def _file(self, source: Source, name: str, names: Names) -> str | None:
        head, _, below = name.partition("/")
        path = below if is_gap(head) else name  # Relative to path.module.
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
            value = self.once(name, lambda: self._value_of(name))
            if head == "var" and self.call is None and value in ("", [], {}):
                return None
            return _inside(value, path[2:])
        if head == "module" and len(labels) > 2:
            return self._output(path)
        return self._attribute(path if head == "data" else ["resource", *path])

    def _output(self, path: list[Any]) -> Any:
        """The output of a module that is called by its folder; None if it is unknown."""
        block = self._by_labels.get(("module", path[1]))
        if block is None or self.child is None:
            return None
        child = self.child(self, block)
        place = 3 if isinstance(path[2], tuple) else 2
        if child is None or len(path) <= place or not isinstance(path[place], str):
            return None
        output = child._by_labels.get(("output", path[place]))
        if output is None:
            return None
        value = child.once(f"output.{path[place]}", lambda: child.get(output, "value"))
        return _inside(value, path[place + 1 :])

    def _value_of(self, name: str) -> Any:
        """The value of a local or a variable, else its default; None if there is none."""
        variable = name.removeprefix("var.")
        if variable == name:
            return self._value_in(self._named, name)
        if self.call is not None and variable in self.call.block.attributes:
            value = self.call.module.get(self.call.block, variable, self.call.names)
        else:
            value = self._value_in(self._given if name in self._given else self._named, name)
        block = self._by_labels.get(("variable", variable))
        if block is None or "type" not in block.attributes:
            return value
        return self._completed(block.source, block.attributes["type"], value)

    def _value_in(self, named: Mapping[str, tuple[Source, Tree]], name: str) -> Any:
        if name not in named:
            return None
        source, tree = named[name]
        return self.value(source, tree, {})

    def _completed(self, source: Source, tree: Tree, value: Any) -> Any:
        """A variable's value with its type's optional attributes: null if they have no default."""
        kind, types = _type_of(tree)
        if not types or not isinstance(value, dict | list):
            return value
        self.budget.spend(1)
        if kind == "optional":
            return self._completed(source, types[0], value)
        if kind in ("map", "list", "set"):
            return self._completed_elements(source, types[0], value)
        if kind == "object" and isinstance(value, dict):
            return self._completed_object(source, types[0], value)
        return value

    def _completed_object(self, source: Source, tree: Tree, value: dict[str, Any]) -> Any:
        completed = dict(value)
        for key, type_of_key in _attributes_of(tree):
            if key in value:
                completed[key] = self._completed(source, type_of_key, value[key])
            else:
                completed[key] = self._default(source, type_of_key)
        return self.placed(completed, source.mark(tree)) if completed != value else value

    def _completed_elements(self, source: Source, tree: Tree, value: dict[str, Any] | list[Any]) -> Any:
        if isinstance(value, list):
            return [self._completed(source, tree, element) for element in value]
        return {key: self._completed(source, tree, element) for key, element in value.items()}

    def _default(self, source: Source, tree: Tree) -> Any:
        """The default in `optional(type, default)`, null without one."""
        kind, arguments = _type_of(tree)
        if kind != "optional" or len(arguments) != 2:
            return ""
        return self.value(source, arguments[1], {})

    def _attribute(self, path: list[Any]) -> Any:
        labels = [step for step in path if isinstance(step, str)]
        block = self._by_labels.get(tuple(labels[:3]))
        if block is None or len(labels) != 4:
            return None
        kind = labels[1]
        name = labels[3]
        key = path[3][0] if isinstance(path[3], tuple) else None
        if kind == "aws_iam_policy_document":
            return self.document(block, key)
        if (kind, name) == ("aws_iam_role", "id"):
            name = "name"
        label = f"{self.prefix}{kind}.{labels[2]}.{name}"
        names = {} if key is None else self.each(block, key)
        value = self.once(f"{labels[0]} {label} {key!r}", lambda: self.get(block, name, names))
        value = value or self.gaps.gap(label)
        if kind == "aws_iam_openid_connect_provider":
            return str(value).replace("https://", "")
        return value

    def document(self, block: Block, key: Any = None) -> Any:
        """A data source of a policy, the same value for all references to one of its instances."""
        names = {} if key is None else self.each(block, key)

        def build() -> Any:
            document = {"statement": [], **self.body(block, names)}
            for statement in as_list(document["statement"]):
                if isinstance(statement, dict):
                    statement.setdefault("principals", [])
            return document

        return self.once(f"{'.'.join(block.labels)} {names}", build)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """A named value, evaluated once; None if it refers to itself."""
        if key not in self._known:
            self._known[key] = None
            self._known[key] = make()
        return self._known[key]

    def _path(self, source: Source, tree: Tree, names: Names) -> list[Any]:
        """The steps of a reference: names, or tuples for indexes in brackets."""
        children = _children(tree)
        if tree.data in ("identifier", "short_index"):
            word = _word(tree).lstrip(".")
            if word.isdigit() and len(word) <= _LONGEST_NUMBER:
                return [(int(word),)]
            return [word]
        if tree.data == "braces_index":
            return [(self.value(source, children[0], names),)]
        steps = list(chain.from_iterable(self._path(source, child, names) for child in children))
        if tree.data in ("attr_splat", "full_splat"):
            return [("*",), *steps]
        return steps or [("",)]


def _type_of(tree: Tree) -> tuple[str, list[Tree]]:
    """The kind of a compound type and its arguments; of a simple one, no arguments."""
    while tree.data == "expr_term" and len(_children(tree)) == 1:
        (tree,) = _children(tree)
    if tree.data != "function_call":
        return "", []
    word, *lists = _children(tree)
    return _word(word), _children(lists[0]) if lists else []


def _attributes_of(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """The attributes of an object's type."""
    (term,) = _children(tree) if tree.data == "expr_term" else (tree,)
    if term.data != "object":
        return
    for element in _children(term):
        key, value = _children(element)
        yield _word(key), value


@dataclass(frozen=True)
class _Loop:
    """A `for`: the names of each of its elements, what it makes of them, and its condition."""

    names: Sequence[Names]
    bodies: list[Tree]
    condition: Tree | None


def _pairs(elements: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """Key and value of each element, for a dynamic block; a list's keys are its indexes."""
    pairs = elements.items() if isinstance(elements, dict) else enumerate(elements)
    for key, value in pairs:
        yield {"key": key, "value": value}


def _end_of(text: str, start: int) -> int:
    """The position of the brace that closes the one before `start`."""
    depth = 1
    for piece in _PIECES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(piece[0], 0)
        if not depth:
            return piece.start()
    return len(text)


def _unescaped(text: str) -> str:
    """A text between expressions, as Terraform reads it."""
    return re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), text.replace("$${", "${"))


def _inside(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        key = step[0] if isinstance(step, tuple) else step
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or not isinstance(key, str | int):
            return None
        value = value.get(key)
    return value


_FORMS: Mapping[str, Callable[[Module, Source, Tree, Names], Any]] = {
    "expr_term": Module._term,
    "string": Module._string,
    "heredoc_template": Module._heredoc,
    "heredoc_template_trim": Module._heredoc,
    "tuple": Module._list,
    "object": Module._object,
    "for_tuple_expr": Module._for,
    "for_object_expr": Module._for_object,
    "conditional": Module._choice,
    "binary_op": Module._binary,
    "unary_op": Module._unary,
    "function_call": Module._call,
    **dict.fromkeys(("int_lit", "float_lit", "literal_value"), Module._literal),
    **dict.fromkeys(("identifier", "index_expr_term", "get_attr_expr_term"), Module._reference),
    **dict.fromkeys(("attr_splat_expr_term", "full_splat_expr_term"), Module._reference),
}
