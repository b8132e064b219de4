"""Plain English: list every text that a person can read, and refuse the forms that make readers stumble.

    python tools/docs/plain.py            lists all texts of the program: help, messages, errors (make texts)
    python tools/docs/plain.py --check    fails for a form in a text that is not in plain-not-yet.txt
    python tools/docs/plain.py PATH...    lists the forms and long sentences in these files, done or not
    python tools/docs/plain.py --settle   takes the names that are done out of plain-not-yet.txt

Three kinds of text are read: `help` of commands and options; `messages` in modules, data and pages; `code`:
docstrings, comments, and names of functions, classes and arguments.
Which words have been replaced by which is not here: words.py has them.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent))

from words import ROOT, prose, texts_in

from irsa_cli.cli.main import irsa

NOT_YET = Path(__file__).with_name("plain-not-yet.txt")
SUMMARY, OPTION, SENTENCE = 9, 15, 25
"""The most words of a command's summary, of an option's help, of a sentence in help and messages."""


@dataclass(frozen=True)
class Form:
    """A form that readers stumble over: a name for it, how it is found, and what to write instead."""

    name: str
    pattern: str
    instead: str

    @property
    def found_by(self) -> re.Pattern[str]:
        """Finds it, over the ends of lines."""
        return re.compile(self.pattern.replace(" ", r"\s+"), re.MULTILINE)


_TAKE = r"\b[Tt](?:ake|akes|ook|aken|aking)"
_OBJECT = r"(?:a|an|the|its|this|that|these|those|one|it|them|no|all|each|new|role|roles)"
FORMS = (
    Form("where it", r"\b[Ww]here (?:it|they|none|nothing|one|there|that)\b", "if it ..."),
    Form("is to be", r"\b(?:is|are|was|were) to be\b|\b[Ww]hat is to\b", "an actor and the present tense"),
    Form("let be", r"\b[Ll]ets? (?:[\w'-]+ ){1,4}be\b", "allow ..."),
    Form("goes on", r"\b(?:go|goes|went|going|gone) on\b", "continue, run"),
    Form("take away", rf"{_TAKE}(?: [\w'-]+){{0,3}}? away\b", "remove, delete, revoke"),
    Form("become a role", r"\b(?:can|may|could|who|might|would) become\b", "assume"),
    Form("make", rf"\b[Mm](?:ake|akes|ade|aking) {_OBJECT}\b|\b[Mm]ade by\b", "create, created by; write"),
    Form("be made", r"\b(?:was|is|are|were|been|be|irsa|who|eksctl|person) made\b", "created"),
    Form(", too", r", too\b", "also, before the verb"),
    Form("bare What", r"(?:^|(?<=[.:;!]\s))(?:What|Who|That which)\b[^?.]*\.", "a verb or a noun"),
    Form("as X has it", r"\bas (?:[\w`.'/-]+ ){1,3}(?:has|have|had) (?:it|them)\b", "as in X"),
    Form("stand in", r"\bst(?:and|ands|anding|ood) (?:in|there|at|beside)\b", "is in, is set in"),
    Form("told, said of", r"\b(?:is|are|be|was|were|been) told\b|\bsaid (?:of|to|at)\b", "shown, reported"),
    Form("admit", r"(?<!-)\b[Aa]dmit(?:s|ted|ting)?\b(?!-)", "trust, allow (a subject)"),
    Form("beside", r"\b[Bb]eside,|(?<!-)\bbeside\b(?!-)", "also, next to, with"),
    Form("waited for", r"\b(?:is|are) waited for\b", "irsa waits for"),
    Form("nothing but", r"\bnothing but\b", "only"),
)
NAMES = re.compile(
    r"(?:^|_)(?:unseen|anew|groundwork|laid|told|wish|wished|worth|taken_back|beside)(?:_|$)", re.I
)
"""Words in identifiers that nobody outside can understand."""


@dataclass(frozen=True)
class Found:
    """A form in a text: the kind and name of the text, the line, the words, and what to write instead."""

    text: str
    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.text}:{self.line}: {self.words!r}: write {self.instead}"


def _commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _commands(below, click.Context(below, info_name=name, parent=context))


def help_texts() -> Iterator[tuple[str, str, int]]:
    """The name, the text and the most words of each summary, description and option's help."""
    root = click.Context(irsa, info_name="irsa", **irsa.context_settings)
    for command, context in _commands(irsa, root):
        name = f"{context.command_path} --help"
        summary, _, rest = (command.help or "").partition("\n\n")
        yield name, " ".join(summary.split()), SUMMARY
        if rest:
            yield name, rest.replace("\b", ""), 0
        for option in command.get_params(context):
            if isinstance(option, click.Option) and not option.hidden and option.help:
                yield f"{name} {option.opts[0]}", option.help, OPTION


def code(source: str) -> Iterator[tuple[int, str]]:
    """Each docstring and comment of a module, with its line."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def identifiers(source: str) -> Iterator[tuple[int, str]]:
    """The names that a module gives to functions, classes, arguments and fields."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def _forms(name: str, text: str, start: int = 1) -> Iterator[Found]:
    said = prose(text)
    for form in FORMS:
        for match in form.found_by.finditer(said):
            yield Found(
                name, start + said.count("\n", 0, match.start()), " ".join(match[0].split()), form.instead
            )


_END = re.compile(r"(?<=[.!?;:])\s+|\n\s*\n|\n\s*[-*|]\s")


def _long(name: str, text: str, start: int = 1, most: int = SENTENCE) -> Iterator[Found]:
    for line, one in enumerate(text.split("\n"), start):
        for sentence in (part for said in one.split(" . ") for part in _END.split(said)):
            count = len(sentence.split())
            if count > most:
                yield Found(name, line, f"{count} words: {sentence.strip()}", f"at most {most}")


def _of_help() -> Iterator[Found]:
    for name, text, most in help_texts():
        whole = " ".join(prose(text).split()) if most else prose(text)
        yield from _forms(name, whole)
        yield from _long(name, whole if most else re.sub(r"\n(?!\n)", " ", whole))
        count = len(re.sub(r"\[default: .*?\]", "", text).split())
        if most and count > most:
            yield Found(name, 1, f"{count} words: {' '.join(text.split())}", f"at most {most}")


def found_in(path: Path) -> dict[str, list[Found]]:
    """The forms in a file by kind of text: `messages` and, for a module, `code`."""
    name = path.resolve().relative_to(ROOT).as_posix()
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return {"messages": list(_forms(name, source))}
    texts = texts_in(path)
    said = [*_forms(name, texts), *_long(name, texts)]
    if path.suffix == ".json":
        return {"messages": said}
    inside = [one for line, text in code(source) for one in _forms(name, text, line)]
    inside += [
        Found(name, line, word, "a word of the field")
        for line, word in identifiers(source)
        if NAMES.search(word)
    ]
    return {"messages": said, "code": inside}


MODULES = sorted((*(ROOT / "irsa_cli").rglob("*.py"), *(ROOT / "irsa_cli/core").rglob("*.json")))
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")


def all_found() -> dict[str, list[Found]]:
    """The forms of all texts by kind and name, as `messages docs/index.md`; only names that have any."""
    found: dict[str, list[Found]] = {}
    for one in _of_help():
        found.setdefault(f"help {one.text}", []).append(one)
    pages = [*PAGES, *sorted((ROOT / "docs").rglob("*.md"))]
    for path in [*pages, *MODULES]:
        for kind, those in found_in(path).items():
            if those:
                found[f"{kind} {path.relative_to(ROOT).as_posix()}"] = those
    return found


def all_texts() -> Iterator[tuple[str, str]]:
    """Each text of the program that a user can read, by its command and option or its file and line."""
    yield from ((name, text) for name, text, _ in help_texts())
    for path in MODULES:
        for line, texts in enumerate(texts_in(path).split("\n"), 1):
            for text in texts.split(" . "):
                if len(re.findall(r"[A-Za-z]{2,}", text)) > 2:
                    yield f"{path.relative_to(ROOT).as_posix()}:{line}", text


def not_yet() -> list[str]:
    """The kinds and names of texts where the forms are still allowed. This only gets shorter."""
    return NOT_YET.read_text(encoding="utf-8").splitlines()


def problems() -> list[str]:
    """The lines that `--check` prints; none if all is well."""
    found, allowed = all_found(), not_yet()
    new = [str(one) for name, those in found.items() if name not in allowed for one in those]
    return new + [
        f"{name}: is done: run python tools/docs/plain.py --settle" for name in allowed if name not in found
    ]


def main(arguments: list[str]) -> int:
    """List texts or forms, check, or settle; returns the exit code."""
    if arguments == ["--check"]:
        wrong = problems()
        print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
        return 1 if wrong else 0
    if arguments == ["--settle"]:
        found = all_found()
        NOT_YET.write_text("".join(f"{name}\n" for name in not_yet() if name in found), encoding="utf-8")
        return 0
    for given in arguments:
        for path in sorted(Path(given).rglob("*.py")) if Path(given).is_dir() else [Path(given)]:
            for kind, those in found_in(path).items():
                print("".join(f"{kind} {one}\n" for one in those), end="")
    if not arguments:
        for name, text in all_texts():
            print(f"{name}: {' '.join(text.split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
