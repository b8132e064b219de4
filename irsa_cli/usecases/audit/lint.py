"""`irsa lint`: find and read files, and report their risks, without any network access."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import Path

from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.across import across
from irsa_cli.core.lint.found import Found, Unjudged
from irsa_cli.core.lint.hcl import Module
from irsa_cli.core.lint.judging import judged
from irsa_cli.core.lint.local_modules import LocalModules
from irsa_cli.core.lint.mistaken import binary_plan, not_as_json
from irsa_cli.core.lint.plan_changes import UNCHANGED
from irsa_cli.core.lint.report import (
    FileKind,
    LintedFile,
    LintReport,
    elsewhere,
    not_judged,
    read_file,
    read_module,
)
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
    exclude: tuple[str, ...] = ()
    """Patterns of files that are not read; see `Exclusion`."""


def lint(request: Request) -> LintReport:
    """Check files; raise `InvalidInput` for unreadable settings and baselines."""
    choose = request.chooser()
    exclusion = Exclusion(request.exclude)
    reading = _Reading(request.skip_unknown, exclusion)
    for file in _paths(request.paths, reading.unread):
        if not exclusion.covers(file.shown):
            reading.take(file.path, is_named=file.is_named)
    reading.take_modules()
    reading.take_others()
    if reading.unknown:
        reading.skipped.append(f"skipped {plural(reading.unknown, 'file')} of unknown kind")
    if exclusion.count:
        reading.skipped.append(f"skipped {plural(exclusion.count, 'file')} by --exclude")
    objects = list(chain.from_iterable(file.found for file in reading.files))
    answers = [*reading.unjudged, *_judged(objects, reading.unread, with_fixes=request.with_fixes)]
    is_whole = not reading.unread and not any(isinstance(answer, Unjudged) for answer in answers)
    answers += across(objects, whole=is_whole)
    risks = sorted((answer for answer in answers if isinstance(answer, Risk)), key=_place)
    unjudged = [answer for answer in answers if isinstance(answer, Unjudged)]
    return LintReport(
        tuple(reading.files),
        tuple(part for part in unjudged if not part.elsewhere),
        (*elsewhere(unjudged), *reading.skipped),
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


def _place(risk: Risk) -> tuple[int, bool, str, int, int, str]:
    """The worst first; of a plan, those that it causes before those that were there before."""
    place = risk.place
    where = (place.file, place.line, place.column) if place else ("", 0, 0)
    is_old = place is not None and place.change == UNCHANGED
    return (-ORDER.index(risk.severity), is_old, *where, risk.rule.id)


@dataclass
class Exclusion:
    """The files that `--exclude` leaves out, and their number.

    A pattern (`*`, `?`, `[…]`, where `*` also matches `/`) is compared with the path as it is given, and with
    each end of it: `test` and `test/*.tf` leave out files of each folder `test`, `*.tpl` those with this end.
    """

    patterns: tuple[str, ...] = ()
    count: int = 0

    def covers(self, path: str) -> bool:
        """Whether a file is left out; counts it."""
        if path == STDIN or not any(self._matches(path, pattern) for pattern in self.patterns):
            return False
        self.count += 1
        return True

    def _matches(self, path: str, pattern: str) -> bool:
        parts = Path(path).parts
        wanted = pattern.removeprefix("./").removeprefix("**/").rstrip("/")
        for index, _ in enumerate(parts):
            end = "/".join(parts[index:])
            if fnmatchcase(end, wanted) or fnmatchcase(end, f"{wanted}/*"):
                return True
        return False


@dataclass
class _Reading:
    """The files of known kinds, errors of others, and skipped or unchecked ones."""

    skip_unknown: bool
    exclusion: Exclusion = field(default_factory=Exclusion)
    files: list[LintedFile] = field(default_factory=list)
    unread: list[IrsaError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    terraform: dict[Path, dict[str, str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)
    """The files that Terraform's files read."""
    unknown: int = 0

    def take(self, path: str, *, is_named: bool) -> None:
        """Read one file; keep Terraform files and those of other languages until the end."""
        name = "standard input" if path == STDIN else path
        is_code = not is_named and not path.endswith((*_ENDINGS, *_TERRAFORM))
        try:
            text = read_text(path)
        except InvalidInput as error:
            if is_code:
                self.skipped.append(f"skipped: {error}")
            else:
                self.unread.append(binary_plan(error, name) or error)
            return
        if path.endswith(_TERRAFORM):
            folder = Path(os.path.normpath(Path(path).parent))
            self.terraform.setdefault(folder, {})[path] = text
        elif is_code:
            self.others[path] = text
        else:
            self._document(read_file(text, name, partial(_sibling, path)), text, is_named=is_named)

    def take_others(self) -> None:
        """Note files of other languages, except those that Terraform's files read themselves."""
        for path, text in self.others.items():
            if Path(path).resolve() not in self.used:
                self._other(path, text, _CODE_SIGNS)

    def _document(self, file: LintedFile, text: str, *, is_named: bool) -> None:
        mistaken = None if file.is_known or not is_named else not_as_json(text, file.name)
        if file.is_known:
            self.files.append(file)
        if mistaken is not None:
            self.unread.append(mistaken)
        elif file.problems and _is_data(file.name, text):
            self._with_problems(file, text, is_template=not is_named and _is_template(text))
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

    def take_modules(self) -> None:
        """Read each folder with Terraform files as one module, and check only the given files.

        A folder that others call is checked as they call it, and by itself if they do not.
        """
        local = LocalModules(self._texts_of, self._reader)
        called: set[Path] = set()
        for folder in self.terraform:
            called |= local.sources(folder)
        for is_called in (False, True):
            for folder in self.terraform:
                if (folder in called) is is_called:
                    self._take_module(folder, local, is_checked=folder in local.called)

    def _take_module(self, folder: Path, local: LocalModules, *, is_checked: bool) -> None:
        given = self.terraform[folder]
        if is_checked:
            self.files += (LintedFile(name, (FileKind.HCL,)) for name in given)
            return
        module = Module(self._reader(folder), child=local.only)
        if self._may_have_roles(folder, local, set()):
            self._add_to(module, local.texts(folder))
            self._add_values(module, folder)
        files = list(read_module(module, list(given), local))
        self.files += files
        self.unread += files[0].problems

    def _may_have_roles(self, folder: Path, local: LocalModules, seen: set[Path]) -> bool:
        """Whether a folder, or one that it calls, has words of roles: parsing takes long."""
        if folder in seen:
            return False
        seen.add(folder)
        if any(map(_OF_ROLES.search, local.texts(folder).values())):
            return True
        return any(self._may_have_roles(below, local, seen) for below in local.sources(folder))

    def _texts_of(self, folder: Path) -> dict[str, str]:
        """The Terraform files of a folder; those that can't be read are missing."""
        texts = dict(self.terraform.get(folder, {}))
        if not folder.is_dir():
            return texts
        known = set(map(os.path.normpath, texts))
        for path in map(str, files_in(folder, _TERRAFORM, self.unread, deep=False)):
            if path not in known:
                try:
                    texts[path] = read_text(path)
                except InvalidInput as error:
                    self.unread.append(error)
        return texts

    def _add_to(self, module: Module, texts: Mapping[str, str]) -> None:
        for path, text in texts.items():
            try:
                module.add(text, path)
            except InvalidInput as error:
                self.unread.append(error)

    def _add_values(self, module: Module, folder: Path) -> None:
        """Add the values of variables that Terraform reads by itself."""
        for path in map(str, files_in(folder, (".tfvars",), self.unread, deep=False)):
            if path.endswith(("/terraform.tfvars", ".auto.tfvars")) or path == "terraform.tfvars":
                try:
                    module.add_values(read_text(path), path)
                except InvalidInput as error:
                    self.unread.append(error)

    def _reader(self, folder: Path) -> ReadFile:
        """Reads a file that Terraform's files of a folder refer to."""

        def read(name: str) -> str:
            text = _sibling(str(folder / "main.tf"), name)
            self.used.add((folder / name).resolve())
            return text

        return read


_KNOWN = (
    "expected a trust policy, a .tf file, terraform show -json, a CloudFormation template, Kubernetes"
    " manifests, a ClusterConfig or irsa/v1 Bindings"
)
_OF_ROLES = re.compile(
    r"iam|oidc|irsa|role-arn|service_?account|trust|pod_identity|AssumeRole", re.IGNORECASE
)
"""Words in at least one Terraform file of a folder with something to check."""
_SIGNS = ("AssumeRole", ROLE_ARN_ANNOTATION, EKSCTL[0], OWN[0], "AWS::IAM::Role", "kind: ServiceAccount")
_EXPRESSIONS = re.compile(r"\{\{|\{%|%\{|<%|: *%(?:\[\d+\])?[sdvq]\s")
_VARIABLES = re.compile(r"\$\{[A-Za-z_]|: *\$[A-Z_]+\s")
"""Expressions for tools that fill in a file before its use. CloudFormation has such variables itself."""
_NO_DATA = (".template", ".tftpl", ".tpl", ".j2")


def _is_data(name: str, text: str) -> bool:
    """Whether a file is meant to be YAML or JSON; an ending of templates is also CloudFormation's."""
    return not name.endswith(_NO_DATA) or "AWS::" in text


def _is_template(text: str) -> bool:
    """Whether a tool fills in a file before it is used."""
    if _EXPRESSIONS.search(text) is not None:
        return True
    return _VARIABLES.search(text) is not None and "AWS::" not in text


_CODE_SIGNS = (
    "AssumeRoleWithWebIdentity",
    ROLE_ARN_ANNOTATION,
    "OpenIdConnectPrincipal",
    "addServiceAccount",
)


@dataclass(frozen=True)
class _Path:
    """A file to read; `shown` is its path without the folders above the ones that the user named."""

    path: str
    shown: str
    is_named: bool


def _paths(paths: tuple[str, ...], unread: list[IrsaError]) -> Iterator[_Path]:
    """The files, each once."""
    known: set[str] = set()
    for path in paths:
        folder = Path(path)
        if path == STDIN or not folder.is_dir():
            files = [_Path(path, folder.name if folder.is_absolute() else path, is_named=True)]
        else:
            before = len(unread)
            inside = files_in(folder, _READ, unread, left_out=_SKIPPED)
            files = [_Path(str(file), _shown(folder, file), is_named=False) for file in inside]
            endings = (*_ENDINGS, *_TERRAFORM)
            has_files = any(file.path.endswith(endings) for file in files)
            if not has_files and len(unread) == before:
                unread.append(InvalidInput(f"{path} has no files ending in {', '.join(endings)}"))
        for file in files:
            if file.path not in known:
                known.add(file.path)
                yield file


def _shown(folder: Path, file: Path) -> str:
    return str(file.relative_to(folder) if folder.is_absolute() else file)


def _sibling(path: str, name: str) -> str:
    return read_text((Path() if path == STDIN else Path(path).parent) / name)
