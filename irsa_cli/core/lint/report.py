"""What a file holds that can be judged, and what `irsa lint` says of all files, as one document.

Each document of a file is known by what it is like; what of it is unsafe is found in
`irsa_cli.core.lint.judging`. How the report looks as text is in `irsa_cli.cli.output.screens.audit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.audit.report import RiskReport, RiskSelection, hidden_json, risk_json
from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.found import Found, LintedAccount, LintedTrust, Placed, Unjudged, documents
from irsa_cli.core.lint.from_aws import is_policy, is_roles, is_template, of_policy, of_roles, of_template
from irsa_cli.core.lint.from_hcl import of_hcl
from irsa_cli.core.lint.from_kubernetes import is_manifest, of_bindings, of_manifest
from irsa_cli.core.lint.from_terraform import is_terraform, of_terraform
from irsa_cli.core.lint.hcl import Module
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome, whole
from irsa_cli.core.results.scope import Allowance, AnswerScope, NotExamined, WhyNot, unanswered
from irsa_cli.core.trust.rules.rule import ORDER, FilePlace, Severity
from irsa_cli.core.values.errors import ExitCode, InvalidInput, IrsaError


class FileKind(str, Enum):
    """What a document is."""

    TRUST_POLICY = "trust policy"
    ROLES = "roles as aws iam prints them"
    TERRAFORM = "Terraform plan"
    HCL = "Terraform configuration"
    CLOUDFORMATION = "CloudFormation template"
    BINDINGS = "irsa configuration"
    MANIFEST = "Kubernetes manifest"
    UNKNOWN = ""


@dataclass(frozen=True)
class LintedFile:
    """A file, the kinds of its documents, what in them can be judged, and what is wrong with others."""

    name: str
    kinds: tuple[FileKind, ...] = ()
    found: tuple[Found, ...] = ()
    problems: tuple[IrsaError, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a document of it is of a kind that can be judged."""
        return any(kind is not FileKind.UNKNOWN for kind in self.kinds)


def read_file(text: str, name: str, read: ReadFile) -> LintedFile:
    """What is in a file. Problems: what is no YAML or JSON, and documents that `irsa apply` refuses."""
    items, problems = documents(text, name)
    kinds = tuple(kind_of(item.value) for item in items)
    found: list[Found] = []
    for item, kind in zip(items, kinds, strict=True):
        try:
            found += _found(item, kind, read)
        except Exception as error:
            problems.append(not_judged(error, item.place()))
    return LintedFile(name, kinds, tuple(found), tuple(problems))


def read_module(module: Module, named: Sequence[str]) -> Iterator[LintedFile]:
    """The files of a folder that somebody has named; what is found is with the first one."""
    found: list[Found] = []
    problems: list[IrsaError] = []
    try:
        found += of_hcl(module, named)
    except RecursionError:
        problems.append(InvalidInput(f"{named[0]} can't be judged", reason="it is nested too deeply"))
    except Exception as error:
        problems.append(not_judged(error, FilePlace(named[0], 1, 1)))
    yield LintedFile(named[0], (FileKind.HCL,), tuple(found), tuple(problems))
    yield from (LintedFile(name, (FileKind.HCL,)) for name in named[1:])


def not_judged(error: Exception, place: FilePlace) -> IrsaError:
    """What kept a document from being judged: that hides no other document."""
    if isinstance(error, IrsaError):
        return error
    reason = f"a bug in irsa: {type(error).__name__}: {error}"
    return IrsaError(f"{place} can't be judged", reason=reason, code="InternalError")


def kind_of(value: Any) -> FileKind:
    """What a document is."""
    if not isinstance(value, dict):
        return FileKind.UNKNOWN
    if (value.get("apiVersion"), value.get("kind")) in (EKSCTL, OWN):
        return FileKind.BINDINGS
    return next((kind for kind, (is_it, _) in _KINDS.items() if is_it(value)), FileKind.UNKNOWN)


def _is_manifest(value: Mapping[str, Any]) -> bool:
    return is_manifest(value) and not str(value["apiVersion"]).startswith(OWN[0].partition("/")[0] + "/")


_Kind = tuple[Callable[[Mapping[str, Any]], bool], Callable[[Placed], Iterator[Found]]]
_KINDS: Mapping[FileKind, _Kind] = {
    FileKind.MANIFEST: (_is_manifest, of_manifest),
    FileKind.TRUST_POLICY: (is_policy, of_policy),
    FileKind.ROLES: (is_roles, of_roles),
    FileKind.TERRAFORM: (is_terraform, of_terraform),
    FileKind.CLOUDFORMATION: (is_template, of_template),
}
"""How a document of each kind is known, and what is read of it."""


def _found(placed: Placed, kind: FileKind, read: ReadFile) -> Iterable[Found]:
    if kind is FileKind.BINDINGS:
        return of_bindings(placed, read)
    return _KINDS[kind][1](placed) if kind in _KINDS else ()


@dataclass(frozen=True)
class LintReport(RiskReport):
    """What was judged and what of that is shown, or the error with which nothing could be.

    `unread` are files that can't be read or are of no known kind, `skipped` those that nobody has named,
    or that were to be skipped. `unjudged` is what is known only when it is deployed.
    """

    files: tuple[LintedFile, ...] = ()
    selection: RiskSelection = field(default_factory=lambda: RiskSelection(()))
    unjudged: tuple[Unjudged, ...] = ()
    unread: tuple[IrsaError, ...] = ()
    skipped: tuple[str, ...] = ()
    fail_on: Severity | None = None
    fail_on_broken: bool = False
    allow: Allowance = field(default_factory=Allowance)
    error: Exception | None = None
    signal: int = 0

    title = "irsa lint"

    @property
    def scope(self) -> AnswerScope:
        """What was found in the files and judged, and what was not."""
        question = "What of these files is a risk once it is deployed?"
        if self.error is not None:
            return unanswered(question, self.error)
        found = [each for file in self.files for each in file.found]
        judged = {"trust policy": LintedTrust, "ServiceAccount with a role": LintedAccount}
        counts = {what: sum(isinstance(each, kind) for each in found) for what, kind in judged.items()}
        return AnswerScope(
            question,
            {"file": len(self.files), **counts},
            tuple(self._not_examined()),
            "" if self.files else "No file is of a kind that irsa lint knows.",
        )

    def _not_examined(self) -> Iterator[NotExamined]:
        for error in self.unread:
            yield from (NotExamined(line, WhyNot.UNREADABLE) for line in error.details or (str(error),))
        least = Severity.LOW if self.fail_on_broken else self.fail_on
        for item in self.unjudged:
            matters = least is not None and ORDER.index(item.at_most) >= ORDER.index(least)
            yield NotExamined(item.told, WhyNot.WHEN_DEPLOYED, matters)
        yield from (NotExamined(line, matters=False) for line in self.skipped)

    @property
    def unseen(self) -> tuple[str, ...]:
        """What was not judged, and so is not called fine."""
        return tuple(item.text for item in self._not_examined() if item.why is not WhyNot.NOT_READ)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not judged, and what has ended."""
        return (*self.unseen, *self.skipped, *self.selection.notes)

    @property
    def exit_code(self) -> int:
        """5 for a risk from `fail_on` on; 2 for a file that can't be judged; 1 for what may hide a risk."""
        found = super().exit_code
        if self.error is not None or self.signal or found == ExitCode.UNVERIFIED or not self.unread:
            return found
        return self.unread[0].exit_code

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        return Envelope(
            DocumentKind.RISKS,
            ReadOutcome.of(self.error or (self.unread[0] if self.unread else None)),
            self.exit_code,
            items=[risk_json(item, {}) for item in self.selection.shown],
            summary=self.selection.summary,
            notes=self.notes,
            errors=(*whole(self.error), *(ItemError(error) for error in self.unread)),
            facts={
                "files": [
                    {
                        "name": file.name,
                        "kinds": [kind.value for kind in dict.fromkeys(file.kinds) if kind.value],
                    }
                    for file in self.files
                ],
                **hidden_json(self.selection, {}),
            },
            scope=self.scope,
        )
