"""Output forms other than text, JSON and YAML: names, and the matches of a JSONPath."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from irsa_cli.core.values.shown import visible

JSONPATH = "jsonpath="
REPORTS = ("markdown", "github")
"""Forms for pipelines (`irsa_cli.cli.output.reports`), for every command."""
_PIECE = re.compile(
    r"""(?P<text>[^{}]+)|\{(?P<inside>(?:[^{}"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)\}""", re.VERBOSE
)


class BadTemplate(ValueError):
    """A text is not a JSONPath; the message says why."""


class OutputForm(click.ParamType):  # type: ignore[type-arg]
    """A form's name, or `jsonpath=EXPR` with a valid expression."""

    name = "form"

    def __init__(self, forms: Sequence[str]) -> None:
        self.forms = tuple(forms)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.forms)}|jsonpath=EXPR]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        forms = (*self.forms, JSONPATH)
        return [CompletionItem(form) for form in forms if form.startswith(incomplete)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if text in self.forms:
            return text
        if not text.startswith(JSONPATH):
            self.fail(f"'{text}' is none of {', '.join(self.forms)}, {JSONPATH}EXPR", param, ctx)
        try:
            read(text.removeprefix(JSONPATH))
        except BadTemplate as error:
            self.fail(str(error), param, ctx)
        return text


def is_document(output: str) -> bool:
    """Whether a form is a document, even if it has only errors."""
    return output in ("json", "yaml") or output.startswith(JSONPATH)


_NAMED_BY = {
    "TransactionList": "transaction",
    "LeftoverList": "transaction",
    "LockList": "holder",
    "DeadClusterList": "name",
    "WellKnownPolicyList": "name",
    "CauseList": "id",
    "RuleList": "id",
    "SettingList": "name",
}
"""The field that is the name of an item, for documents without ServiceAccounts."""


def names(document: Mapping[str, Any]) -> Iterator[str]:
    """The names of a document's items, each once: NAMESPACE/NAME, else the transaction."""
    key = _NAMED_BY.get(document["kind"])
    found = ([item[key]] if key else _accounts(item) for item in document["items"])
    yield from dict.fromkeys(name for each in found for name in each)


def _accounts(item: Mapping[str, Any]) -> list[str]:
    account = item.get("serviceAccount")
    accounts = [account] if account else item.get("serviceAccounts", ())
    named = [f"{each['namespace']}/{each['name']}" for each in accounts]
    return named or [name for name in [item.get("transaction")] if name]


Template = list["str | Path | Loop"]
"""Texts, paths, and loops over a path's values."""


class Path:
    """A JSONPath (RFC 9535), also without `$`, as in kubectl."""

    def __init__(self, text: str) -> None:
        import jsonpath

        text = text.strip()
        self._whole = text in ("@", "$", ".", "")
        whole = text if text.startswith("$") else f"${text}" if text[:1] in ".[" else f"$.{text}"
        try:
            self._found = jsonpath.compile("$" if self._whole else whole)
        except jsonpath.JSONPathError as error:
            first = str(error).splitlines()[0]
            why = "expected ']' or ','" if "TOKEN_" in first else first
            raise BadTemplate(f"'{text}' is not a jsonpath: {why} (example: {{.items[*].status}})") from error

    def values(self, document: Any) -> list[Any]:
        if self._whole:
            return [document]
        return list(self._found.findall(document)) if isinstance(document, dict | list) else []


class Loop:
    """`{range PATH}...{end}`."""

    def __init__(self, over: Path) -> None:
        self.over = over
        self.body: Template = []


def read(text: str) -> Template:
    """Parse a template as in kubectl: text with paths in braces, or one path without braces."""
    if "{" not in text:
        if not text.strip():
            raise BadTemplate("the jsonpath is empty")
        return [Path(text)]
    whole: Template = []
    stack: list[Template] = [whole]
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise BadTemplate(f"a brace is not closed, or not opened, at character {at + 1}: {text[at:]}")
        at = piece.end()
        if piece["text"] is not None:
            stack[-1].append(piece["text"])
            continue
        _add(stack, piece["inside"].strip())
    if len(stack) > 1:
        raise BadTemplate("{range} has no {end}")
    return whole


def _add(stack: list[Template], inside: str) -> None:
    if inside[:1] in "\"'" and inside:
        stack[-1].append(_quoted(inside))
    elif inside == "end":
        if len(stack) == 1:
            raise BadTemplate("{end} has no {range}")
        stack.pop()
    elif inside.startswith("range "):
        loop = Loop(Path(inside.removeprefix("range ")))
        stack[-1].append(loop)
        stack.append(loop.body)
    elif not inside:
        raise BadTemplate("{} names nothing")
    else:
        stack[-1].append(Path(inside))


def _quoted(text: str) -> str:
    try:
        found = json.loads('"' + text[1:-1].replace('"', '\\"') + '"') if text[0] == "'" else json.loads(text)
    except ValueError as error:
        raise BadTemplate(f"{text} is not a text in quotes") from error
    return str(found)


def filled(template: Template, document: Any) -> str:
    """Fill in the values of the paths; several values are separated by spaces, as in kubectl."""
    parts: list[str] = []
    for piece in template:
        if isinstance(piece, str):
            parts.append(piece)
        elif isinstance(piece, Path):
            parts.append(
                " ".join(
                    visible(value if isinstance(value, str) else json.dumps(value))
                    for value in piece.values(document)
                )
            )
        else:
            found = piece.over.values(document)
            parts += [filled(piece.body, value) for value in found]
    return "".join(parts)


def in_other_form(document: Mapping[str, Any], output: str) -> str:
    """A document's names, or the matches of a JSONPath, without the last line's end."""
    if output == "name":
        return "\n".join(map(visible, names(document)))
    return filled(read(output.removeprefix(JSONPATH)), document).removesuffix("\n")
