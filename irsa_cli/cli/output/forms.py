"""The forms of a result that `-o` names, beyond JSON and YAML: names alone, and what a jsonpath finds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

JSONPATH = "jsonpath="
REPORTS = ("markdown", "github")
"""Forms for pipelines: `irsa_cli.cli.output.reports` makes them, whatever the command."""
_PIECE = re.compile(
    r"""(?P<text>[^{}]+)|\{(?P<inside>(?:[^{}"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)\}""", re.VERBOSE
)


class BadTemplate(ValueError):
    """A text that is no jsonpath; says what is wrong with it."""


class OutputForm(click.ParamType):  # type: ignore[type-arg]
    """One of some words, or `jsonpath=EXPR`; an expression that can't be read is wrong usage."""

    name = "form"

    def __init__(self, forms: Sequence[str]) -> None:
        self.forms = tuple(forms)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """What `--help` shows."""
        return f"[{'|'.join(self.forms)}|jsonpath=EXPR]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that begin so."""
        from click.shell_completion import CompletionItem

        forms = (*self.forms, JSONPATH)
        return [CompletionItem(form) for form in forms if form.startswith(incomplete)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form."""
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
    """Whether a form shows a document, also one that has only errors."""
    return output in ("json", "yaml") or output.startswith(JSONPATH)


_NAMED_BY = {
    "TransactionList": "transaction",
    "LeftoverList": "transaction",
    "LockList": "holder",
    "WellKnownPolicyList": "name",
    "CauseList": "id",
    "RuleList": "id",
    "SettingList": "name",
}
"""What names the items of a document that are no ServiceAccounts."""


def names(document: Mapping[str, Any]) -> Iterator[str]:
    """The name of each item of a document, none twice: what its next command takes as an argument.

    NAMESPACE/NAME of the ServiceAccounts that an item is about; where it is about none, its transaction.
    """
    key = _NAMED_BY.get(document["kind"])
    found = ([item[key]] if key else _accounts(item) for item in document["items"])
    yield from dict.fromkeys(name for each in found for name in each)


def _accounts(item: Mapping[str, Any]) -> list[str]:
    account = item.get("serviceAccount")
    accounts = [account] if account else item.get("serviceAccounts", ())
    named = [f"{each['namespace']}/{each['name']}" for each in accounts]
    return named or [name for name in [item.get("transaction")] if name]


Template = list["str | Path | Loop"]
"""Texts, paths, and what is done for each value that a path finds."""


class Path:
    """A path in a document: RFC 9535, as kubectl writes it also without `$`."""

    def __init__(self, text: str) -> None:
        import jsonpath

        text = text.strip()
        self._whole = text in ("@", "$", ".", "")
        whole = text if text.startswith("$") else f"${text}" if text[:1] in ".[" else f"$.{text}"
        try:
            self._found = jsonpath.compile("$" if self._whole else whole)
        except jsonpath.JSONPathError as error:
            raise BadTemplate(f"'{text}' is not a jsonpath: {str(error).splitlines()[0]}") from error

    def values(self, document: Any) -> list[Any]:
        """What it finds; [] where there is nothing."""
        if self._whole:
            return [document]
        return list(self._found.findall(document)) if isinstance(document, dict | list) else []


class Loop:
    """`{range PATH}...{end}`."""

    def __init__(self, over: Path) -> None:
        self.over = over
        self.body: Template = []


def read(text: str) -> Template:
    """A template as kubectl has it: text, and paths in braces; a path alone needs none."""
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
    """What is in a pair of braces."""
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
    """The template with what its paths find: several values are separated by spaces, as kubectl does."""
    parts: list[str] = []
    for piece in template:
        if isinstance(piece, str):
            parts.append(piece)
        elif isinstance(piece, Path):
            parts.append(" ".join(visible(_shown(value)) for value in piece.values(document)))
        else:
            found = piece.over.values(document)
            parts += [filled(piece.body, value) for value in found]
    return "".join(parts)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def in_other_form(document: Mapping[str, Any], output: str) -> str:
    """A document's names, or what a jsonpath finds in it, without the end of its last line."""
    if output == "name":
        return "\n".join(map(visible, names(document)))
    return filled(read(output.removeprefix(JSONPATH)), document).removesuffix("\n")
