"""A permissions policy in JSON, and the places of what IAM would refuse in it."""

from __future__ import annotations

import json
from typing import Any

from yaml import MappingNode, Node, SequenceNode

from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Reader
from irsa_cli.core.policies.grammar import Way, check_identity_policy, problems
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import InvalidInput


def read_policy(text: str, source: str) -> Document:
    """A permissions policy written in JSON; raises `InvalidInput` with everything that IAM would refuse."""
    try:
        composed = compose(text, source)
    except InvalidInput:
        composed = []  # Not even YAML: the JSON parser has the better words.
    reader = Reader(source)
    if len(composed) == 1 and is_json(text):
        _note_duplicates(reader, composed[0])
        reader.finish()
    document = parse(text, source)
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
        if isinstance(step, int):
            if not isinstance(node, SequenceNode) or step >= len(node.value):
                return node
            node = node.value[step]
            continue
        if not isinstance(node, MappingNode) or step not in reader.pairs(node):
            return node
        key, value = reader.pairs(node)[step]
        node = key if at_key and number == len(way) else value
    return node


def _note_duplicates(reader: Reader, node: Node) -> None:
    if isinstance(node, MappingNode):
        for _, value in reader.pairs(node).values():
            _note_duplicates(reader, value)
    elif isinstance(node, SequenceNode):
        for element in node.value:
            _note_duplicates(reader, element)


class _DuplicateKey(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(next(key for key in keys if keys.count(key) > 1))
    return result


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, source: str) -> Document:
    """Read a JSON document; raises `InvalidInput` naming `source`, line and column."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _DuplicateKey as error:
        raise InvalidInput(
            f"{source} has the key '{error}' twice", reason="IAM refuses duplicate keys"
        ) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{source} is not JSON", reason=f"{where}: {error.msg}") from None
    except ValueError as error:  # NaN, or a number beyond Python's bounds.
        raise InvalidInput(f"{source} is not a policy", reason=str(error)) from None
    except RecursionError:
        raise InvalidInput(f"{source} is not a policy", reason="it is nested too deeply") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{source} is not a policy", reason="a policy is a JSON object")
    return document
