"""`irsa lint`: find and read files, and report their risks, without any network access."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
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
    for path, named in _paths(request.paths, reading.unread):
        reading.take(path, named=named)
    reading.take_modules()
    if reading.others:
        reading.skipped.append(f"skipped {plural(reading.others, 'file')} of unknown kind")
    objects = [each for file in reading.files for each in file.found]
    answers = [*reading.unjudged, *_judged(objects, reading.unread, with_fixes=request.with_fixes)]
    unjudged = [answer for answer in answers if isinstance(answer, Unjudged)]
    answers += across(objects, whole=not reading.unread and not unjudged)
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
    others: int = 0

    def take(self, path: str, *, named: bool) -> None:
        """Read one file; keep Terraform files until `take_modules`."""
        what = "standard input" if path == STDIN else path
        is_code = not named and not path.endswith((*_ENDINGS, *_TERRAFORM))
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
            self._other(what, text, _CODE_SIGNS)
        else:
            self._document(read_file(text, what, partial(_sibling, path)), text, named=named)

    def _document(self, file: LintedFile, text: str, *, named: bool) -> None:
        is_template = file.problems and not named and "{{" in text
        if self.skip_unknown and file.problems and not any(sign in text for sign in _SIGNS):
            self.skipped += (f"skipped: {error}" for error in file.problems)
        elif not is_template:
            self.unread += file.problems
        if file.is_known:
            self.files.append(file)
        if is_template:
            self._other(file.name, text, _SIGNS)
        elif file.is_known or file.problems:
            return
        elif named and not self.skip_unknown:
            self.unread.append(InvalidInput(f"irsa lint does not recognize {file.name}", reason=_KNOWN))
        else:
            self._other(file.name, text, () if named else _CODE_SIGNS)

    def _other(self, what: str, text: str, signs: tuple[str, ...]) -> None:
        """Note a file of unknown kind if it seems to have something to check."""
        if sign := next((sign for sign in signs if sign in text), ""):
            worst = Severity.CRITICAL if "Role" in sign or "Principal" in sign else Severity.MEDIUM
            place = FilePlace(what, text.count("\n", 0, text.index(sign)) + 1, 1)
            self.unjudged.append(Unjudged(place, f"{sign} is in a file that irsa lint can't check", worst))
        else:
            self.others += 1

    def take_modules(self) -> None:
        """Read each folder with Terraform files as one module, and check only the given files."""
        for folder, named in self.terraform.items():
            texts = dict(named)
            for path in map(str, files_in(folder, _TERRAFORM, self.unread, deep=False)):
                try:
                    texts[path] = named.get(path) or read_text(path)
                except InvalidInput as error:
                    self.unread.append(error)
            module = Module(partial(_sibling, str(folder / "x")))
            for path, text in texts.items() if any(map(_OF_ROLES.search, texts.values())) else ():
                try:
                    module.add(text, path)
                except InvalidInput as error:
                    self.unread.append(error)
            files = list(read_module(module, list(named)))
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
            judged_ones = [name for name, _ in files if name.endswith((*_ENDINGS, *_TERRAFORM))]
            if not judged_ones and len(unread) == before:
                unread.append(
                    InvalidInput(f"{path} has no files ending in {', '.join((*_ENDINGS, *_TERRAFORM))}")
                )
        for name, named in files:
            if name not in known:
                known.add(name)
                yield name, named


def _sibling(path: str, name: str) -> str:
    return read_text((Path() if path == STDIN else Path(path).parent) / name)
