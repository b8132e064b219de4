"""`irsa lint`: finding and reading files, and what in them is unsafe; nobody is asked.

What a file holds is `irsa_cli.core.lint`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from irsa_cli.core.audit.report import select
from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.lint.found import Unjudged
from irsa_cli.core.lint.judging import judged
from irsa_cli.core.lint.report import LintedFile, LintReport, not_judged, read_file
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.results.scope import Allowance, plural
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.audit.files import baseline_of
from irsa_cli.usecases.command.project_settings import read_project
from irsa_cli.usecases.texts import STDIN, files_in, read_text

_ENDINGS = (".json", ".yaml", ".yml", ".template")
_SKIPPED = (".git", ".terraform", "node_modules", ".venv")
"""Folders with what others have written: they are not looked into."""


@dataclass(frozen=True)
class Request:
    """What to judge, and what to show of it. `skip_unknown`: skip named files of no known kind, too."""

    paths: tuple[str, ...]
    skip_unknown: bool = False
    at_least: Severity = Severity.LOW
    fail_on: Severity | None = None
    baseline: Path | None = None
    with_fixes: bool = False
    allow: Allowance = field(default_factory=Allowance)


def lint(request: Request) -> LintReport:
    """Judge files; raises `InvalidInput` for settings and baselines that can't be read."""
    ignores = read_project(Path.cwd()).ignores
    baseline = baseline_of(request.baseline) if request.baseline else frozenset()
    files, unread, skipped = _read(request)
    found: list[Risk | Unjudged] = []
    for each in (each for file in files for each in file.found):
        try:
            for item in judged(each, with_fixes=request.with_fixes):
                if isinstance(item, InvalidInput):
                    unread.append(item)
                else:
                    found.append(item)
        except Exception as error:
            place = each.place if isinstance(each, Unjudged) else each.placed.place()
            unread.append(not_judged(error, place))
    risks = sorted((item for item in found if isinstance(item, Risk)), key=_place)
    selection = select(
        risks,
        at_least=request.at_least,
        ignores=ignores,
        baseline=baseline,
        today=datetime.now(timezone.utc).date(),
    )
    unjudged = tuple(item for item in found if isinstance(item, Unjudged))
    return LintReport(
        tuple(files),
        selection,
        unjudged,
        tuple(unread),
        tuple(skipped),
        fail_on=request.fail_on,
        # A hook is run with the files that were changed: most have nothing for it.
        allow=replace(request.allow, empty=request.allow.empty or request.skip_unknown),
    )


def _place(item: Risk) -> tuple[int, str, int, int, str]:
    place = item.place
    where = (place.file, place.line, place.column) if place else ("", 0, 0)
    return (-ORDER.index(item.severity), *where, item.rule.id)


def _read(request: Request) -> tuple[list[LintedFile], list[IrsaError], list[str]]:
    """The files of a known kind; what is wrong with others; and which were skipped."""
    files: list[LintedFile] = []
    unread: list[IrsaError] = []
    skipped: list[str] = []
    others = 0
    for path, named in _paths(request.paths, unread):
        what = "standard input" if path == STDIN else path
        try:
            text = read_text(path)
        except InvalidInput as error:
            unread.append(error)
            continue
        found = read_file(text, what, partial(_beside, path))
        if request.skip_unknown and found.problems and not _looks_known(text):
            skipped += (f"skipped: {error}" for error in found.problems)
        else:
            unread += found.problems
        if found.is_known:
            files.append(found)
        elif found.problems:
            continue
        elif named and not request.skip_unknown:
            unread.append(InvalidInput(f"{what} is of no kind that irsa lint knows", reason=_KNOWN))
        else:
            others += 1
    if others:
        skipped.append(f"skipped, of no kind that irsa lint knows: {plural(others, 'file')}")
    return files, unread, skipped


_KNOWN = (
    "expected a trust policy, terraform show -json, a CloudFormation template, Kubernetes manifests,"
    " a ClusterConfig or irsa/v1 Bindings"
)
_SIGNS = ("AssumeRole", ROLE_ARN_ANNOTATION, EKSCTL[0], OWN[0], "AWS::IAM::Role")


def _looks_known(text: str) -> bool:
    """Whether a text that can't be read has what it would be judged for."""
    return any(sign in text for sign in _SIGNS)


def _paths(paths: tuple[str, ...], unread: list[IrsaError]) -> Iterator[tuple[str, bool]]:
    """The files, each once, and whether somebody has named them."""
    known: set[str] = set()
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            found = [(path, True)]
        else:
            before = len(unread)
            inside = files_in(Path(path), _ENDINGS, unread, left_out=_SKIPPED)
            found = [(str(item), False) for item in inside]
            if not found and len(unread) == before:
                unread.append(InvalidInput(f"{path} has no file that ends in {', '.join(_ENDINGS)}"))
        for name, named in found:
            if name not in known:
                known.add(name)
                yield name, named


def _beside(path: str, name: str) -> str:
    return read_text((Path() if path == STDIN else Path(path).parent) / name)
