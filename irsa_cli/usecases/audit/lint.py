"""`irsa lint`: find and read files, and report their risks, without any network access."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from pathlib import Path

from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.lint.across import across
from irsa_cli.core.lint.found import Found, Unjudged
from irsa_cli.core.lint.hcl import Module
from irsa_cli.core.lint.judging import judged
from irsa_cli.core.lint.report import LintedFile, LintReport, not_judged, read_file, read_module
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.rules.rule import ORDER, FilePlace, Risk, Severity
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.core.values.shown import plural
from irsa_cli.usecases.audit.files import RiskRequest
from irsa_cli.usecases.texts import STDIN, files_in, read_text

_ENDINGS = (".json", ".yaml", ".yml", ".template")
_TERRAFORM = (".tf", ".tofu")
_MENTIONING = (".hcl", ".tpl", ".tftpl", ".j2", ".ts", ".js", ".py", ".go", ".java", ".cs", ".jsonnet")
"""Files that are not checked; a note lists those that seem to have something to check."""
_READ = (*_ENDINGS, *_TERRAFORM, *_MENTIONING)
_SKIPPED = (".git", ".terraform", ".terragrunt-cache", "node_modules", ".venv")
"""Folders with third-party files, which are ignored."""


@dataclass(frozen=True)
class Request(RiskRequest):
    """The request of a lint run; `skip_unknown`: also skip unknown files given by name."""

    paths: tuple[str, ...]
    skip_unknown: bool = False


def lint(request: Request) -> LintReport:
    """Check files; raise `InvalidInput` for unreadable settings and baselines."""
    choose = request.chooser()
    reading = _Reading(request.skip_unknown)
    for path, is_named in _paths(request.paths, reading.unread):
        reading.take(path, is_named=is_named)
    reading.take_modules()
    if reading.unknown:
        reading.skipped.append(f"skipped {plural(reading.unknown, 'file')} of unknown kind")
    objects = list(chain.from_iterable(file.found for file in reading.files))
    answers = [*reading.unjudged, *_judged(objects, reading.unread, with_fixes=request.with_fixes)]
    is_whole = not reading.unread and not any(isinstance(answer, Unjudged) for answer in answers)
    answers += across(objects, whole=is_whole)
    risks = sorted((answer for answer in answers if isinstance(answer, Risk)), key=_place)
    return LintReport(
        tuple(reading.files),
        tuple(answer for answer in answers if isinstance(answer, Unjudged)),
        tuple(reading.skipped),
        unread=tuple(reading.unread),
        selection=choose(risks, today=datetime.now(timezone.utc).date()),
        fail_on=request.fail_on,
        fail_on_broken=request.fail_on_broken,
        # A hook gets all changed files, and most have nothing to check.
        allow=replace(request.allow, empty=request.allow.empty or request.skip_unknown),
    )


def _judged(
    objects: Iterable[Found], unread: list[IrsaError], *, with_fixes: bool
) -> Iterator[Risk | Unjudged]:
    """The risks and unknown parts of each object alone; errors are added to `unread`."""
    for linted in objects:
        try:
            for answer in judged(linted, with_fixes=with_fixes):
                if isinstance(answer, InvalidInput):
                    unread.append(answer)
                else:
                    yield answer
        except Exception as error:
            place = linted.place if isinstance(linted, Unjudged) else linted.placed.place()
            unread.append(not_judged(error, place))


def _place(risk: Risk) -> tuple[int, str, int, int, str]:
    place = risk.place
    where = (place.file, place.line, place.column) if place else ("", 0, 0)
    return (-ORDER.index(risk.severity), *where, risk.rule.id)


@dataclass
class _Reading:
    """The files of known kinds, errors of others, and skipped or unchecked ones."""

    skip_unknown: bool
    files: list[LintedFile] = field(default_factory=list)
    unread: list[IrsaError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    terraform: dict[Path, dict[str, str]] = field(default_factory=dict)
    unknown: int = 0

    def take(self, path: str, *, is_named: bool) -> None:
        """Read one file; keep Terraform files until `take_modules`."""
        name = "standard input" if path == STDIN else path
        is_code = not is_named and not path.endswith((*_ENDINGS, *_TERRAFORM))
        try:
            text = read_text(path)
        except InvalidInput as error:
            if is_code:
                self.skipped.append(f"skipped: {error}")
            else:
                self.unread.append(error)
            return
        if path.endswith(_TERRAFORM):
            self.terraform.setdefault(Path(path).parent, {})[path] = text
        elif is_code:
            self._other(name, text, _CODE_SIGNS)
        else:
            self._document(read_file(text, name, partial(_sibling, path)), text, is_named=is_named)

    def _document(self, file: LintedFile, text: str, *, is_named: bool) -> None:
        if file.is_known:
            self.files.append(file)
        if file.problems:
            self._with_problems(file, text, is_template=not is_named and "{{" in text)
        elif file.is_known:
            return
        elif not is_named:
            self._other(file.name, text, _CODE_SIGNS)
        elif self.skip_unknown:
            self._other(file.name, text, ())
        else:
            self.unread.append(InvalidInput(f"irsa lint does not recognize {file.name}", reason=_KNOWN))

    def _with_problems(self, file: LintedFile, text: str, *, is_template: bool) -> None:
        """Keep the problems of a file: those of a template, or of a file of unknown kind, are no errors."""
        if self.skip_unknown and not any(sign in text for sign in _SIGNS):
            self.skipped += (f"skipped: {error}" for error in file.problems)
        elif not is_template:
            self.unread += file.problems
        if is_template:
            self._other(file.name, text, _SIGNS)

    def _other(self, name: str, text: str, signs: tuple[str, ...]) -> None:
        """Note a file of unknown kind if it seems to have something to check."""
        sign = next((sign for sign in signs if sign in text), "")
        if sign:
            worst = Severity.CRITICAL if "Role" in sign or "Principal" in sign else Severity.MEDIUM
            place = FilePlace(name, text.count("\n", 0, text.index(sign)) + 1, 1)
            self.unjudged.append(Unjudged(place, f"{sign} is in a file that irsa lint can't check", worst))
        else:
            self.unknown += 1

    def _add_to(self, module: Module, texts: Mapping[str, str]) -> None:
        for path, text in texts.items():
            try:
                module.add(text, path)
            except InvalidInput as error:
                self.unread.append(error)

    def take_modules(self) -> None:
        """Read each folder with Terraform files as one module, and check only the given files."""
        for folder, given in self.terraform.items():
            texts = dict(given)
            for path in map(str, files_in(folder, _TERRAFORM, self.unread, deep=False)):
                try:
                    texts[path] = given.get(path) or read_text(path)
                except InvalidInput as error:
                    self.unread.append(error)
            module = Module(partial(_sibling, str(folder / "x")))
            if any(map(_OF_ROLES.search, texts.values())):
                self._add_to(module, texts)
            files = list(read_module(module, list(given)))
            self.files += files
            self.unread += files[0].problems


_KNOWN = (
    "expected a trust policy, a .tf file, terraform show -json, a CloudFormation template, Kubernetes"
    " manifests, a ClusterConfig or irsa/v1 Bindings"
)
_OF_ROLES = re.compile(
    r"iam|oidc|irsa|role-arn|service_?account|trust|pod_identity|AssumeRole", re.IGNORECASE
)
"""Words in at least one Terraform file of a folder with something to check."""
_SIGNS = ("AssumeRole", ROLE_ARN_ANNOTATION, EKSCTL[0], OWN[0], "AWS::IAM::Role", "kind: ServiceAccount")
_CODE_SIGNS = (
    "AssumeRoleWithWebIdentity",
    ROLE_ARN_ANNOTATION,
    "OpenIdConnectPrincipal",
    "addServiceAccount",
)


def _paths(paths: tuple[str, ...], unread: list[IrsaError]) -> Iterator[tuple[str, bool]]:
    """The files, each once, and whether they were given by name."""
    known: set[str] = set()
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            files = [(path, True)]
        else:
            before = len(unread)
            inside = files_in(Path(path), _READ, unread, left_out=_SKIPPED)
            files = [(str(file), False) for file in inside]
            endings = (*_ENDINGS, *_TERRAFORM)
            has_files = any(name.endswith(endings) for name, _ in files)
            if not has_files and len(unread) == before:
                unread.append(InvalidInput(f"{path} has no files ending in {', '.join(endings)}"))
        for name, is_named in files:
            if name not in known:
                known.add(name)
                yield name, is_named


def _sibling(path: str, name: str) -> str:
    return read_text((Path() if path == STDIN else Path(path).parent) / name)
