"""Refuse words that the glossary has replaced: in the documentation, the help of all commands, and messages.

    python tools/docs/words.py          lists them all, also where they are still allowed
    python tools/docs/words.py --check  fails for one outside of `NOT_YET`, and for a name there that is done

Messages and errors are the texts in the program's modules that are no docstrings.

The words, and what stands for them, are in docs/reference/glossary.md, which lists the same ones. Code is not
looked at: neither blocks nor words in backquotes, so that output and names of JSON fields can be quoted.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from irsa_cli.cli.main import irsa

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"


@dataclass(frozen=True)
class Old:
    """A word that is not used any more: as the glossary has it, what stands for it, and how it is found."""

    word: str
    instead: str
    pattern: str

    @property
    def found_by(self) -> re.Pattern[str]:
        """Finds it in all its forms, over the ends of lines, too."""
        return re.compile(self.pattern.replace(" ", r"\s+"), re.IGNORECASE)


_TAKE = r"\b(?:take|takes|took|taken|taking)"
OLD = (
    Old("wish, wished", "desired state, desired; what the file says", r"\bwish(?:|es|ed|ing)\b"),
    Old("take back, taken back", "roll back, rolled back", rf"{_TAKE}(?: [\w'-]+){{0,3}}? back\b"),
    Old("cut off", "interrupted", r"\bcut off\b"),
    Old("make true, made true", "apply, applied", r"\b(?:make|makes|made|making) true\b"),
    Old("groundwork", "shared parts", r"\bgroundwork\b"),
    Old("go on with, gone on with", "continue, continued", r"\b(?:go|goes|went|gone|going) on with\b"),
    Old("make anew, made anew", "create again, restart (pods)", r"\banew\b"),
    Old("take over, taken over", "adopt; take precedence", rf"{_TAKE}(?: [\w'-]+){{0,3}}? over\b"),
    Old("take off, taken off", "detach, remove", rf"{_TAKE}(?: [\w'-]+){{0,2}}? off\b"),
    Old("a hand", "by hand, manually", r"\ba hand\b"),
    Old("pass over, passed over", "skip, skipped; ignore", r"\bpass(?:|es|ed) over\b"),
    Old("is irsa's, a role of irsa's", "managed by irsa", r"\b(?:is|are|as|becomes|of) irsa's\b"),
    Old("somebody else's", "not managed by irsa, unmanaged", r"\bsomebody else's\b"),
    Old("what each is worth", "status", r"\beach is worth\b"),
    Old("put right", "fix, correct", r"\bput(?:|s|ting)(?: \w+)? right\b"),
    Old("half-made, half-finished", "incomplete", r"\bhalf-(?:made|finished)\b"),
    Old("let in, lets in", "allow, trust", r"\b(?:let|lets|letting)(?: \w+)? in\b(?! to)"),
    Old("can't be told, can't be known", "unknown, not known", r"\bcan't be (?:told|known)\b"),
    Old("looked at, not looked at", "checked, read; not checked", r"\blooked at\b"),
    Old("the world", "the state of AWS and the cluster", r"\bthe world\b"),
    Old("besides", "also, in addition", r"\bbesides\b(?! the\b)"),
)

NOT_YET: frozenset[str] = frozenset()
"""Where old words still are. This only gets shorter: take a name off when its text is done."""


@dataclass(frozen=True)
class Found:
    """An old word in a text: a file's or a command's help."""

    name: str
    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.words!r}: say {self.instead}"


def texts() -> Iterator[tuple[str, str]]:
    """The name and text of each page, each command's help (`irsa apply --help`), each module's messages."""
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    yield from _help(irsa, click.Context(irsa, info_name="irsa", **irsa.context_settings))
    for path in sorted((ROOT / "irsa_cli").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), messages(path.read_text(encoding="utf-8"))


NAMES = ("(groundwork)",)
"""Names that the program gives, and that are words by accident."""


def messages(source: str) -> str:
    """The texts of a module except docstrings, each in its first line; `X` is a value."""
    tree = ast.parse(source)
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    lines = [""] * (source.count("\n") + 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said | inside:
            text = node.value
        else:
            continue
        if text not in NAMES:
            lines[node.lineno - 1] += f" . {' '.join(text.split())}"
    return "\n".join(lines)


def texts_in(path: Path) -> str:
    """The texts of a module, or those of more than one word in a JSON file, each in its first line."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return messages(source)
    return "\n".join("".join(f" . {text}" for text in _IN_JSON.findall(line)) for line in source.splitlines())


_IN_JSON = re.compile(r'"([^"]+ [^"]+)"')


def _help(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    said = [command.help, *(option.help for option in options if not option.hidden)]
    yield f"{context.command_path} --help", "\n\n".join(text for text in said if text)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _help(below, click.Context(below, info_name=name, parent=context))


_CODE = re.compile(
    r"^ *```.*?^ *```$|`[^`\n]*(?:\n[^`\n]+)?`|<!--.*?-->|\]\([^)]*\)", re.MULTILINE | re.DOTALL
)


def prose(markdown: str) -> str:
    """The text with code, comments and targets of links as blanks, each line where it was."""
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), markdown)


def old_words(name: str, text: str) -> list[Found]:
    """The old words of a text, in order."""
    said = prose(text)
    found = [
        Found(name, said.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), old.instead)
        for old in OLD
        for match in old.found_by.finditer(said)
    ]
    return sorted(found, key=lambda one: one.line)


def problems() -> list[str]:
    """What `--check` says; empty when all is well."""
    found = {name: old_words(name, text) for name, text in texts()}
    new = [str(one) for name, words in found.items() if name not in NOT_YET for one in words]
    done = [name for name in sorted(NOT_YET) if not found.get(name)]
    return new + [f"{name}: has no old words any more: take it off NOT_YET in {__file__}" for name in done]


def main(arguments: list[str]) -> int:
    """List the old words, or check; returns the exit code."""
    if arguments == ["--check"]:
        wrong = problems()
        print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
        return 1 if wrong else 0
    if arguments:
        print("usage: python tools/docs/words.py [--check]", file=sys.stderr)
        return 2
    for name, text in texts():
        for one in old_words(name, text):
            print(one)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
