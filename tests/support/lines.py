"""Methods of an object as lines: `annotate $ROLE` calls `annotate` with that word."""

import re
import shlex
from collections.abc import Mapping
from string import Template


def play(lines: str, words: Mapping[str, str], *objects: object) -> None:
    """Call the first object's method of the name in each line, with the rest of the line.

    `NAME=VALUE` is a named argument, `None` is None, and `$NAME` is one of `words`.
    """
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, *rest = [Template(word).safe_substitute(words) for word in shlex.split(line)]
        given = [None if word == "None" else word for word in rest if not re.match(r"\w+=", word)]
        named = dict(word.split("=", 1) for word in rest if re.match(r"\w+=", word))
        methods = (getattr(owner, name, None) for owner in objects)
        next(filter(callable, methods))(*given, **named)
