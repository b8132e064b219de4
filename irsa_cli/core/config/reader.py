"""Typed values from nodes; each problem keeps its place. Methods return None after a problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeGuard, TypeVar

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config import nodes
from irsa_cli.core.plan.rules import rule_of
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.limits import seconds_of
from irsa_cli.core.values.names import did_you_mean
from irsa_cli.core.values.placeholders import UNFILLED, placeholder

S = TypeVar("S")
T = TypeVar("T")
Fields = Mapping[str, Node]
_LONGEST = 1_000
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")


Read = Callable[["Reader", Node], Any]
Table = Mapping[str, tuple[str, Read]]
"""Fields by name: the attribute that holds what a field says, and how it is read."""


def text_fields(owner: type, *names: str, **others: str) -> Table:
    """Fields that are a text and have the rules of the owner's attributes; `others` have another name."""

    def read(attribute: str) -> Read:
        return lambda reader, node: reader.text(node, rule_of(owner, attribute)) or ""

    attributes = others | {name: attribute_of(name) for name in names}
    return {name: (attribute, read(attribute)) for name, attribute in attributes.items()}


def flag_fields(*names: str) -> Table:
    """Fields that are true or false."""
    return {name: (attribute_of(name), lambda reader, node: bool(reader.boolean(node))) for name in names}


def one_of(*values: str) -> Callable[[str], str]:
    """The rule of a field that has these values only."""

    def rule(text: str) -> str:
        if text not in values:
            raise InvalidInput(f"'{text}' is not a valid value", reason=f"expected {', or '.join(values)}")
        return text

    return rule


def attribute_of(field: str) -> str:
    """`expect_cluster_arn` for `expectClusterARN`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower()


def is_given(fields: Fields, name: str) -> bool:
    """Whether a field says more than its absence."""
    return name in fields and not nodes.is_off(fields[name])


class Reader:
    """Reads the nodes of one file. `source` names it in messages."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []
        self.like_eksctl = False
        """Whether a number may stand for a text, as in eksctl."""
        self.deletes = False
        """Whether entries are read to be deleted: one without a role is enough for that."""
        self._noted: set[str] = set()
        self._places: set[str] = set()

    def problem(self, node: Node, text: str) -> None:
        """Note what is wrong at this place."""
        place = nodes.where(node.start_mark, self.source)
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}..."
        line = f"{place}: {text}"
        if line not in self._noted:  # an alias is read at every place that names it
            self.problems.append(line)
        self._noted.add(line)
        self._places.add(place)

    def has_problem(self, node: Node) -> bool:
        """Whether something was noted at this place."""
        return nodes.where(node.start_mark, self.source) in self._places

    def finish(self) -> None:
        """Raise `InvalidInput` with everything that was noted."""
        if len(self.problems) == 1:
            raise InvalidInput(self.problems[0])
        if self.problems:
            raise InvalidInput(f"{self.source} has {len(self.problems)} problems", details=self.problems)

    def line(self, node: Node) -> str:
        return nodes.where(node.start_mark, self.source).rpartition(":")[0]

    def checked(self, node: Node, rule: Callable[[S], T], value: S | None) -> T | None:
        """The value by the rule, or None with a note if it is not valid."""
        if value is None:
            return None
        try:
            return rule(value)
        except InvalidInput as error:
            for line in error.details or (str(error),):
                self.problem(node, line)
            return None

    def text(self, node: Node, rule: Callable[[str], str] = str) -> str | None:
        """A string; whatever YAML takes for something else has to be quoted."""
        if not self._is_scalar(node, "a string"):
            return None
        text = nodes.text_of(node)
        taken_for = nodes.unquoted(node)
        if taken_for and not (self.like_eksctl and nodes.is_plain(node)):
            self.problem(
                node, f'{text} is {taken_for} in YAML, and a string is expected: quote it ("{text}")'
            )
            return None
        try:
            return rule(text)
        except InvalidInput as error:
            if not self._note_placeholder(node, text):
                self.problem(node, str(error))
            return None

    def _note_placeholder(self, node: Node, text: str) -> bool:
        """Note a word that somebody has to replace, if the text has one."""
        unfilled = placeholder(text)
        if unfilled:
            self.problem(node, f"'{unfilled}' {UNFILLED}: render the file first")
        return bool(unfilled)

    def said(self, fields: Fields, table: Table) -> dict[str, Any]:
        """The values of fields by attribute, in the order of the table."""
        values: dict[str, Any] = {}
        for name, (attribute, read) in table.items():
            if name in fields:
                values[attribute] = read(self, fields[name])
        return values

    def boolean(self, node: Node) -> bool | None:
        if self.like_eksctl and node.tag == nodes.NULL:
            return False
        if not self._is_scalar(node, "true or false"):
            return None
        if node.tag != nodes.BOOLEAN:
            self.problem(node, f"expected true or false, not '{nodes.text_of(node)}'")
            return None
        return node.value.lower() in _TRUE

    def whole_number(self, node: Node, rule: Callable[[int], int]) -> int | None:
        """A number without a fraction, in decimal."""
        if not self._is_scalar(node, "a number"):
            return None
        number = nodes.json_number(node)
        if not isinstance(number, int):
            self.problem(node, f"expected a whole number in decimal digits, not '{nodes.text_of(node)}'")
            return None
        return self.checked(node, rule, number)

    def duration(self, node: Node, rule: Callable[[int], int]) -> int | None:
        """Whole seconds: a number, or a duration such as `5m`."""
        text = nodes.text_of(node) if isinstance(node, ScalarNode) else ""
        seconds = seconds_of(text) if text.endswith(("h", "m", "s")) else None
        if seconds is None or seconds != int(seconds):
            return self.whole_number(node, rule)
        return self.checked(node, rule, int(seconds))

    def items(self, node: Node, kind: str) -> list[Node]:
        if isinstance(node, SequenceNode) and node.tag == nodes.SEQUENCE:
            return list(node.value)
        self._unexpected(node, f"a list of {kind}")
        return []

    def texts(self, node: Node, rule: Callable[[str], str] = str) -> tuple[str, ...]:
        """A list of strings, each of them once."""
        texts = [self.text(element, rule) for element in self.items(node, "strings")]
        return tuple(dict.fromkeys(text for text in texts if text is not None))

    def text_map(self, node: Node, rule: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
        """A mapping of strings, each pair and all together checked by the rule."""
        texts: dict[str, str] = {}
        for key, value in self.pairs(node).values():
            text = self.text(value)
            name = nodes.text_of(key)
            if text is None:
                continue
            try:
                rule({name: text})
            except InvalidInput as error:
                if not self._note_placeholder(value, text):
                    self.problem(key, str(error))
            else:
                texts[name] = text
        return self.checked(node, rule, texts) or {}

    def pairs(self, node: Node) -> dict[str, tuple[ScalarNode, Node]]:
        """The pairs of a mapping by key, with what is merged into it (`<<`); its own come first."""
        if not isinstance(node, MappingNode) or node.tag != nodes.MAPPING:
            self._unexpected(node, "a mapping")
            return {}
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if key.tag == nodes.MERGE:
                bases = value.value if isinstance(value, SequenceNode) else [value]
                for base in bases:
                    merged = {**self.pairs(base), **merged}
                continue
            text = self.text(key)
            if text in own:
                before = own[text][0].start_mark.line + 1
                self.problem(key, f"'{text}' is given twice (first in line {before})")
            elif text is not None:
                own[text] = (key, value)
        return {**merged, **own}

    def fields(self, node: Node, known: Collection[str], title: str, hints: Mapping[str, str]) -> Fields:
        """The fields of an object that has no others; `hints` says what to do about some that it lacks."""
        pairs = self.pairs(node)
        for name, (key, _) in pairs.items():
            if name not in known:
                hint = hints.get(name, "")
                if not hint and len(pairs) < 100:
                    hint = did_you_mean(name, known)
                text = f"unknown field '{name}' in {title}"
                self.problem(key, f"{text}: {hint}" if hint else text)
        return {name: value for name, (_, value) in pairs.items() if name in known}

    def given(self, fields: Fields) -> Fields:
        """The fields that say something: to eksctl, null and "" are no more than their absence."""
        if not self.like_eksctl:
            return fields
        return {name: node for name, node in fields.items() if not nodes.is_unset(node)}

    def plain(self, node: Node) -> Any:
        """The value as plain JSON; notes values that JSON can't express."""
        if isinstance(node, MappingNode):
            return {text: self.plain(value) for text, (_, value) in self.pairs(node).items()}
        if isinstance(node, SequenceNode) and node.tag == nodes.SEQUENCE:
            return [self.plain(element) for element in node.value]
        if not self._is_scalar(node, "a value"):
            return None
        if node.tag == nodes.BOOLEAN and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        number = nodes.json_number(node)
        if number is None:
            return self.text(node)
        return number

    def _is_scalar(self, node: Node, expected: str) -> TypeGuard[ScalarNode]:
        if isinstance(node, ScalarNode) and node.tag != nodes.NULL:
            return True
        self._unexpected(node, expected)
        return False

    def _unexpected(self, node: Node, expected: str) -> None:
        if node.tag == nodes.NULL:
            self.problem(node, f"this is empty: expected {expected}, or leave it out")
            return
        unfilled = nodes.rendered(node)
        if unfilled:
            self.problem(node, f"'{unfilled}' {UNFILLED}: render the file first")
            return
        actual = f"the tag {node.tag}"
        if node.tag == nodes.MAPPING:
            actual = "a mapping"
        elif node.tag == nodes.SEQUENCE:
            actual = "a list"
        elif isinstance(node, ScalarNode):
            actual = f"'{nodes.text_of(node)}'"
        self.problem(node, f"expected {expected}, not {actual}")
