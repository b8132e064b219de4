"""YAML and JSON as nodes with line and column, from PyYAML's composer."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.values.errors import InvalidInput

# The C parser is many times faster, and there wherever PyYAML's wheels are.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_NODES = 1_000_000
"""Nodes of a document when its aliases are written out; a few nested ones would make billions."""
MAX_DEPTH = 100
"""Levels of a document: eksctl's deepest has a dozen. The composers recurse, and some of them in C."""

_TAG = "tag:yaml.org,2002:"
TEXTS = {_TAG + name for name in ("str", "timestamp", "value", "merge")}
"""Tags of scalars that are text to everybody else: only YAML 1.1 sees dates in them."""
BOOLEAN = _TAG + "bool"
NULL = _TAG + "null"
MERGE = _TAG + "merge"
MAPPING = _TAG + "map"
SEQUENCE = _TAG + "seq"
# Numbers in YAML 1.2 or JSON, but not in PyYAML: 089, 1e3, 0o17.
_ALSO_NUMBERS = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0o[0-7]+", re.ASCII)
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_TEMPLATE = re.compile(r"\{\{|\{%|^\s*<<?[A-Za-z_ ]+>>?\s*$")
_ALSO_BOOLEANS = ("y", "Y", "n", "N")


def compose(text: str, source: str) -> list[Node]:
    """The documents of a text, the empty ones left out; raises `InvalidInput` with the place."""
    text = _spaced(text.removeprefix("\ufeff"))
    try:
        # JSON's surrogate pairs are an error to the C parser.
        loader = yaml.SafeLoader if "\\ud" in text.lower() else _FAST
        _check_events(text, loader, source)
        composed = yaml.compose_all(text, Loader=loader)
        documents = [node for node in composed if node is not None and node.tag != NULL]
        for node in documents:
            _check_size(node, {}, source)
    except yaml.MarkedYAMLError as error:
        place = where(error.problem_mark or error.context_mark, source)
        raise InvalidInput(f"{place}: this is not YAML", reason=_reason(error, text)) from None
    except yaml.reader.ReaderError as error:
        raise InvalidInput(f"{source} is not a text file", reason=str(error.reason)) from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"{source} is not YAML", reason=str(error).replace("\n", ", ")) from None
    except RecursionError:
        raise InvalidInput(f"{source} can't be read", reason="it is nested too deeply") from None
    return documents


def _check_events(text: str, loader: type, source: str) -> None:
    """Raise `InvalidInput` for what is too large or nested too deeply to be composed."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            place = where(event.start_mark, source)
            raise InvalidInput(f"{place}: this is nested too deeply", reason=f"more than {MAX_DEPTH} levels")
        if count > MAX_NODES:
            raise InvalidInput(f"{source} is too large", reason=f"more than {MAX_NODES} values")


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """The parser's words, or what they mean for somebody who did not write a parser."""
    if "nesting depth" in str(error.problem):
        return f"it is nested too deeply: more than {MAX_DEPTH} levels"
    lines = text.split("\n")
    line = next((number for number, line in enumerate(lines, 1) if _TEMPLATE.search(line)), 0)
    mark = error.problem_mark
    if mark is not None and not line and "${" in "".join(lines[mark.line : mark.line + 1]):
        line = mark.line + 1
    if line:
        return f"{_parser_reason(error, text)}; line {line} has a template's placeholder: render it first"
    return _parser_reason(error, text)


def _parser_reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """The parser's message, with the character that the C parser omits."""
    problem = error.problem
    mark = error.problem_mark
    if problem and mark is not None and "cannot start any token" in problem:
        character = text[mark.index : mark.index + 1]
        if character == "\t":
            return "there is a tab, and YAML is indented by spaces only"
        problem = f"found character '{character}' that cannot start any token"
    context = error.context
    if context and error.context_mark is not None:
        context = f"{context} of line {error.context_mark.line + 1}"
    return ", ".join(filter(None, (problem, context)))


def where(mark: Any, source: str) -> str:
    """A place as compilers write it, counted from one."""
    if mark is None:
        return source
    return f"{source}:{mark.line + 1}:{mark.column + 1}"


def _spaced(text: str) -> str:
    """JSON may be indented with tabs, and YAML may not; within JSON's strings there are none."""
    if "\t" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


def _check_size(node: Node, sizes: dict[int, int | None], source: str) -> int:
    """Nodes below this one, aliases written out; raises `InvalidInput` for too many, or endless ones."""
    known = sizes.get(id(node), 0)
    if known is None:
        raise InvalidInput(f"{where(node.start_mark, source)}: an alias contains itself")
    if known:
        return known
    sizes[id(node)] = None
    children: list[Node] = []
    if isinstance(node, SequenceNode):
        children = node.value
    elif isinstance(node, MappingNode):
        children = list(chain.from_iterable(node.value))
    size = 1 + sum(_check_size(child, sizes, source) for child in children)
    if size > MAX_NODES:
        raise InvalidInput(f"{source} is too large", reason=f"more than {MAX_NODES} values")
    sizes[id(node)] = size
    return size


def unquoted(node: ScalarNode) -> str:
    """The YAML type of a scalar that may be meant as text: a number, a boolean; else ''."""
    if node.tag == BOOLEAN or (not node.style and node.value in _ALSO_BOOLEANS):
        return "a boolean"
    if node.tag not in TEXTS | {NULL} or (not node.style and _ALSO_NUMBERS.fullmatch(node.value)):
        return "a number" if node.tag.startswith(_TAG) else f"a value with the tag {node.tag}"
    return ""


def text_of(node: ScalarNode) -> str:
    """The scalar's text. JSON writes what is beyond 16 bits as two escapes, which PyYAML leaves apart."""
    text = str(node.value)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def json_number(node: ScalarNode) -> int | float | None:
    """The number that both YAML and JSON see in a plain scalar: no octal digits, no `1_000`, no `1:30`."""
    if node.style or not _JSON_NUMBER.fullmatch(node.value):
        return None
    if set(".eE") & set(node.value):
        return float(node.value)
    return int(node.value)


def is_plain(node: ScalarNode) -> bool:
    """Whether it is a boolean or a whole number that every reader writes as it stands: no yes, no 042."""
    if node.tag == BOOLEAN:
        return node.value in ("true", "false")
    return isinstance(json_number(node), int)


def is_unset(node: Node) -> bool:
    """Whether a value is null, or a text without characters."""
    return isinstance(node, ScalarNode) and (node.tag == NULL or not node.value)


def is_off(node: Node) -> bool:
    """Whether a field says no more than its absence: false, null, an empty list, a mapping to such."""
    if isinstance(node, MappingNode):
        return all(value.tag in (BOOLEAN, NULL) and is_off(value) for _, value in node.value)
    if node.tag == BOOLEAN:
        return node.value.lower() in ("false", "no", "off")
    return is_unset(node) or node.value == []


def rendered(node: Node) -> str:
    """`{{ name }}` where YAML sees a mapping with a mapping as its key; else ''."""
    if isinstance(node, MappingNode) and node.flow_style and len(node.value) == 1:
        (key, _), *_rest = node.value
        if isinstance(key, MappingNode) and key.flow_style and len(key.value) == 1:
            name = key.value[0][0]
            return f"{{{{ {name.value} }}}}" if isinstance(name, ScalarNode) else "{{ }}"
    return ""
