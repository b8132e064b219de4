"""Entries of a mapping, written into the text of a YAML file that keeps every other byte.

A YAML library that parses and writes again loses what people wrote: quotes, blank lines, indentation. So the
text is only parsed for the places of its values, changed at these places, and parsed again: it is an error if
anything but the entries differs. Where a place has a second reader (an alias, a merge key) or a value that is
no mapping, nothing is changed, and the refusal has the lines to write by hand.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from yaml import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import MAPPING, MERGE, NULL, compose, rendered, text_of, where
from irsa_cli.core.values.errors import InvalidInput, Refused

Path = tuple[str | int, ...]
"""Keys of mappings and indexes of sequences, from the top of a document."""

_STRING = "tag:yaml.org,2002:str"
_BREAKS = "\r\n\x85\u2028\u2029"
_LINE_BREAK = re.compile(f"[{_BREAKS}]")
_NULLS = ("", "~", "null", "Null", "NULL")
_PLAIN = re.compile(r"arn:[\w:+=,.@/-]*\w", re.ASCII)
"""Values that need no quotes in a block."""
_PLAIN_KEY = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)
_EMPTY_FLOW = re.compile(r"\{[ \t]*\}")
_REST_OF_LINE = re.compile(r"[ \t]*(#.*)?")
_COMMENT = re.compile(r"( *)#")
_STEP = 2
"""Spaces of an indentation, if the file has none to copy."""


@dataclass(frozen=True)
class Edit:
    """Entries for the mapping at a path of a document, counted from 0 without the empty ones."""

    document: int
    path: Path
    entries: Mapping[str, str]

    def by_hand(self) -> tuple[str, ...]:
        """The lines that a person writes instead."""
        keys = ".".join(str(key) for key in self.path)
        return (
            f"write by hand, in {keys}:",
            *(f"  {key}: {_value(self.entries[key])}" for key in self.entries),
        )


@dataclass(frozen=True)
class _Splice:
    """A part of the text, and what replaces it."""

    start: int
    end: int
    text: str


class _NoPlace(Exception):
    """The entries can't be written without changing anything else; the place is that of a node, if known."""

    def __init__(self, why: str, node: Node | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.node = node


def with_entries(text: str, source: str, edits: Sequence[Edit]) -> str:
    """The text with the entries; the same text if it has them already.

    Raises `Refused` with the lines to write by hand if the entries can't be written alone, and `InvalidInput`
    if the text is not YAML.
    """
    body = text.removeprefix("\ufeff")
    documents = compose(body, source)
    splices: list[_Splice] = []
    for edit in edits:
        root = documents[edit.document] if edit.document < len(documents) else None
        try:
            splices += _Document(body, root).splices(edit)
        except _NoPlace as error:
            place = where(error.node.start_mark, source) if error.node is not None else source
            raise Refused(f"{place} is not changed", reason=error.why, details=edit.by_hand()) from None
    if not splices:
        return text
    changed = _spliced(body, splices)
    if not _has_only(documents, changed, source, edits):
        reason = "the entries could not be written without changing other values"
        lines = [line for edit in edits for line in edit.by_hand()]
        raise Refused(f"{source} is not changed", reason=reason, details=lines)
    return text[: len(text) - len(body)] + changed


def _spliced(text: str, splices: Sequence[_Splice]) -> str:
    for splice in sorted(splices, key=lambda splice: splice.start, reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _has_only(before: Sequence[Node], changed: str, source: str, edits: Sequence[Edit]) -> bool:
    """Whether the changed text has the values of before, the entries, and nothing else."""
    try:
        after = compose(changed, source)
    except InvalidInput:
        return False
    expected = [_data(document) for document in before]
    for edit in edits:
        if edit.document == len(expected):
            expected.append((MAPPING, frozenset[Hashable]()))
        for key, value in edit.entries.items():
            expected[edit.document] = _expected(expected[edit.document], (*edit.path, key), value)
    return expected == [_data(document) for document in after]


_Data = tuple[str, Hashable]
"""A value with its tag; the pairs of a mapping are a set, as their order says nothing."""


def _data(node: Node) -> _Data:
    if isinstance(node, ScalarNode):
        return node.tag, node.value
    if isinstance(node, SequenceNode):
        return node.tag, tuple(_data(child) for child in node.value)
    return node.tag, frozenset((_data(key), _data(value)) for key, value in node.value)


def _expected(data: _Data, path: Path, value: str) -> _Data:
    """The data with the value at the path; mappings that are missing or null are created."""
    if not path:
        return _STRING, value
    tag, content = data
    first = path[0]
    rest = path[1:]
    if isinstance(first, int):
        items = list(content) if isinstance(content, tuple) else []
        items[first] = _expected(items[first], rest, value)
        return tag, tuple(items)
    pairs = dict(content) if isinstance(content, frozenset) else {}
    key = (_STRING, first)
    pairs[key] = _expected(pairs.get(key, (NULL, "")), rest, value)
    return MAPPING if tag == NULL else tag, frozenset(pairs.items())


def nodes_of(document: Node) -> Iterator[Node]:
    """Every value of a document, and every key: one with aliases once for each of them."""
    left = [document]
    descended = set[int]()
    while left:
        node = left.pop()
        yield node
        if id(node) in descended:
            continue
        descended.add(id(node))
        if isinstance(node, SequenceNode):
            left += node.value
        elif isinstance(node, MappingNode):
            for key, value in node.value:
                left += (key, value)


def template_in(document: Node) -> Node | None:
    """The first `{{ }}` that stands for a value: rendered text has a mapping as a key nowhere."""
    return next((node for node in nodes_of(document) if rendered(node)), None)


class _Document:
    """The text of a file and the nodes of one of its documents; None is an empty file."""

    def __init__(self, text: str, root: Node | None) -> None:
        self._text = text
        self._root = root
        seen = Counter(id(node) for node in nodes_of(root)) if root is not None else Counter[int]()
        self._shared = {key for key, count in seen.items() if count > 1}
        line_break = re.search(r"\r\n|\r|\n", text)
        self._break = line_break[0] if line_break else "\n"

    def splices(self, edit: Edit) -> Iterator[_Splice]:
        """The changes that write the entries; none if they are there. Raises `_NoPlace`."""
        node = self._root
        missing = edit.path
        if node is None:
            yield self._at_end(_block(edit.path, edit.entries, 0, _STEP))
            return
        if (template := template_in(node)) is not None:
            raise _NoPlace("it is a template: {{ }} stands for a value", template)
        self._check_alone(node)
        while missing:
            if isinstance(node, SequenceNode) and isinstance(missing[0], int):
                node = node.value[missing[0]]
                missing = missing[1:]
                continue
            mapping = self._mapping(node)
            pair = _pair(mapping, str(missing[0]))
            if pair is None:
                yield self._insertion(mapping, missing, edit.entries)
                return
            key, node = pair
            missing = missing[1:]
            self._check_alone(node)
            if _is_empty(node):
                yield from self._filled(mapping, key, node, missing, edit.entries)
                return
        yield from self._entries(self._mapping(node), edit.entries)

    def _check_alone(self, node: Node) -> None:
        if id(node) in self._shared:
            raise _NoPlace("an alias uses the same value elsewhere", node)

    def _mapping(self, node: Node | None) -> MappingNode:
        if not isinstance(node, MappingNode):
            raise _NoPlace("this is no mapping", node)
        return node

    def _entries(self, mapping: MappingNode, entries: Mapping[str, str]) -> Iterator[_Splice]:
        """Replace the values of the entries that are there, and add the others."""
        absent: dict[str, str] = {}
        for name, value in entries.items():
            pair = _pair(mapping, name)
            if pair is None:
                absent[name] = value
            elif (pair[1].tag, pair[1].value) != (_STRING, value):
                self._check_alone(pair[1])
                yield self._replacement(pair[1], value, is_flow=bool(mapping.flow_style))
        if absent:
            yield self._insertion(mapping, (), absent)

    def _replacement(self, node: Node, value: str, *, is_flow: bool) -> _Splice:
        start = node.start_mark.index
        end = node.end_mark.index
        source = self._text[start:end]
        if not isinstance(node, ScalarNode) or source.startswith(("|", ">", "&", "!")):
            raise _NoPlace("the present value is no text in one line", node)
        quote = source[:1] if source[:1] in ("'", '"') else ""
        text = _quoted(value, quote) if quote or is_flow else _value(value)
        space = "" if source or self._text[start - 1 : start].isspace() else " "
        return _Splice(start, end, space + text)

    def _filled(
        self, mapping: MappingNode, key: Node, node: Node, missing: Path, entries: Mapping[str, str]
    ) -> Iterator[_Splice]:
        """Entries in the place of null or of an empty mapping."""
        start = node.start_mark.index
        end = node.end_mark.index
        source = self._text[start:end]
        head = self._text[:start].rstrip(" \t")
        is_null = source in _NULLS
        if mapping.flow_style or not head.endswith(":") or not (is_null or _EMPTY_FLOW.fullmatch(source)):
            if is_null:
                space = "" if source or self._text[start - 1 : start].isspace() else " "
                yield _Splice(start, end, f"{space}{_flow(missing, entries)}")
            elif source.startswith("{"):
                yield _Splice(start + 1, start + 1, _flow(missing, entries)[1:-1])
            else:
                raise _NoPlace("the present value has an anchor or a tag", node)
            return
        line_end = self._line_end(end)
        if not _REST_OF_LINE.fullmatch(self._text, end, line_end):
            raise _NoPlace("the line has something else", node)
        indent = key.start_mark.column + self._step(mapping)
        example = self._comment_below(line_end)
        if example and len(example[1]) > key.start_mark.column:
            indent = len(example[1])
        if source:
            yield _Splice(len(head), end, "")
        yield self._after_line(line_end, _block(missing, entries, indent, self._step(mapping)))

    def _insertion(self, mapping: MappingNode, missing: Path, entries: Mapping[str, str]) -> _Splice:
        """A new entry of a mapping, after its last one if that is possible."""
        if missing and any(key.tag == MERGE for key, _ in mapping.value):
            raise _NoPlace(f"a merge key (<<) may have {missing[0]}", mapping)
        if mapping.flow_style:
            return self._flow_insertion(mapping, missing, entries)
        column = mapping.value[0][0].start_mark.column
        lines = _block(missing, entries, column, self._step(mapping))
        key, value = mapping.value[-1]
        end = self._end(value)
        if end is None:
            start = key.start_mark.index - column
            if self._text[start : key.start_mark.index].strip(" "):
                raise _NoPlace("there is no place for a new line", key)
            return _Splice(start, start, self._lines(lines))
        if self._is_line_start(end):
            return _Splice(end, end, self._lines(lines))
        line_end = self._line_end(end)
        if not _REST_OF_LINE.fullmatch(self._text, end, line_end):
            raise _NoPlace("the line has something else", value)
        return self._after_line(self._after_comments(line_end, column), lines)

    def _flow_insertion(self, mapping: MappingNode, missing: Path, entries: Mapping[str, str]) -> _Splice:
        start = mapping.start_mark.index
        if self._text[start] != "{":
            raise _NoPlace("the mapping has an anchor or a tag", mapping)
        content = _flow(missing, entries)[1:-1]
        if not mapping.value:
            return _Splice(start + 1, start + 1, content)
        key, value = mapping.value[-1]
        if id(value) in self._shared or _is_null(value):
            return _Splice(start + 1, start + 1, f"{content}, ")
        if self._text[key.start_mark.index] == '"':
            content = _flow(missing, entries, quote='"')[1:-1]
        line = len(self._text[: key.start_mark.index].rstrip(" \t"))
        separator = ", "
        if self._is_line_start(line):
            separator = f",{self._break}{self._text[line : key.start_mark.index]}"
        return _Splice(value.end_mark.index, value.end_mark.index, separator + content)

    def _end(self, node: Node) -> int | None:
        """Where a value ends; None if that is not known: the places of an alias are those of its anchor."""
        while id(node) not in self._shared:
            if isinstance(node, ScalarNode) or (isinstance(node, CollectionNode) and node.flow_style):
                end = int(node.end_mark.index)
                is_block_text = isinstance(node, ScalarNode) and node.style in ("|", ">")
                return None if is_block_text and not self._is_line_start(end) else end
            node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
        return None

    def _step(self, mapping: MappingNode) -> int:
        """The spaces by which a mapping within this one, or this one within the document, is indented."""
        around = self._root if isinstance(self._root, MappingNode) else mapping
        for outer in (mapping, around):
            for key, value in outer.value:
                if isinstance(value, MappingNode) and not value.flow_style and value.value:
                    inner = value.value[0][0].start_mark
                    step = inner.column - key.start_mark.column
                    if step > 0 and inner.line > key.start_mark.line:
                        return int(step)
        return _STEP

    def _line_end(self, position: int) -> int:
        """Where the line of a position ends, before its line break."""
        line_break = _LINE_BREAK.search(self._text, position)
        return line_break.start() if line_break else len(self._text)

    def _after_comments(self, line_end: int, column: int) -> int:
        """Where the comments end that follow a line and are indented further: they are about its value."""
        comment = self._comment_below(line_end)
        while comment and len(comment[1]) > column:
            line_end = self._line_end(comment.end())
            comment = self._comment_below(line_end)
        return line_end

    def _comment_below(self, line_end: int) -> re.Match[str] | None:
        return _COMMENT.match(self._text, line_end + len(self._break))

    def _is_line_start(self, position: int) -> bool:
        return position == 0 or self._text[position - 1] in _BREAKS

    def _lines(self, lines: Sequence[str]) -> str:
        return "".join(f"{line}{self._break}" for line in lines)

    def _after_line(self, line_end: int, lines: Sequence[str]) -> _Splice:
        return _Splice(line_end, line_end, "".join(f"{self._break}{line}" for line in lines))

    def _at_end(self, lines: Sequence[str]) -> _Splice:
        """Lines at the end of a file without a value."""
        end = len(self._text)
        begin = "" if self._is_line_start(end) else self._break
        return _Splice(end, end, begin + self._lines(lines))


def _pair(mapping: MappingNode, name: str) -> tuple[Node, Node] | None:
    """The key and the value of an entry, None if there is none; raises `_NoPlace` for two."""
    pairs = [
        (key, value)
        for key, value in mapping.value
        if isinstance(key, ScalarNode) and key.tag == _STRING and text_of(key) == name
    ]
    if len(pairs) > 1:
        raise _NoPlace(f"{name} is there twice", pairs[1][0])
    return pairs[0] if pairs else None


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == NULL


def _is_empty(node: Node) -> bool:
    return _is_null(node) or (isinstance(node, MappingNode) and not node.value)


def _value(value: str) -> str:
    """A value in a block: an ARN as it is, all else in quotes, so that it stays text."""
    return value if _PLAIN.fullmatch(value) else _quoted(value, "")


def _key(key: str | int, quote: str = "") -> str:
    text = str(key)
    return text if not quote and _PLAIN_KEY.fullmatch(text) else _quoted(text, "")


def _quoted(value: str, quote: str) -> str:
    """A value in single quotes if they are asked for, else in double ones."""
    return "'" + value.replace("'", "''") + "'" if quote == "'" else json.dumps(value)


def _block(missing: Path, entries: Mapping[str, str], indent: int, step: int) -> list[str]:
    """The lines of the entries, within the keys that are missing."""
    lines = []
    for key in missing:
        lines.append(f"{' ' * indent}{_key(key)}:")
        indent += step
    lines += [f"{' ' * indent}{_key(key)}: {_value(value)}" for key, value in entries.items()]
    return lines


def _flow(missing: Path, entries: Mapping[str, str], quote: str = "") -> str:
    """The same in braces."""
    pairs = [f"{_key(key, quote)}: {_quoted(value, '')}" for key, value in entries.items()]
    text = f"{{{', '.join(pairs)}}}"
    for key in reversed(missing):
        text = f"{{{_key(key, quote)}: {text}}}"
    return text
