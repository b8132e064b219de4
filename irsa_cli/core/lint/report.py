"""Read files into objects to check, and the document of `irsa lint`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

from irsa_cli.core.audit.report import RiskReport, hidden_json, risk_json
from irsa_cli.core.config.documents import EKSCTL, OWN
from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.budget import TooMuch
from irsa_cli.core.lint.found import (
    Found,
    LintedAccount,
    LintedAssociation,
    LintedTrust,
    Placed,
    Unjudged,
    documents,
)
from irsa_cli.core.lint.from_aws import is_policy, is_roles, is_template, of_policy, of_roles, of_template
from irsa_cli.core.lint.from_hcl import of_hcl
from irsa_cli.core.lint.from_kubernetes import is_manifest, of_bindings, of_manifest
from irsa_cli.core.lint.from_terraform import is_terraform, of_terraform
from irsa_cli.core.lint.hcl import Module
from irsa_cli.core.lint.local_modules import LocalModules
from irsa_cli.core.lint.plan_changes import UNCHANGED
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome, whole
from irsa_cli.core.results.scope import AnswerScope, NotExamined, WhyNot, unanswered
from irsa_cli.core.trust.rules.rule import ORDER, FilePlace, Risk, Severity, some
from irsa_cli.core.values.errors import ExitCode, InvalidInput, IrsaError
from irsa_cli.core.values.shown import plural


class FileKind(str, Enum):
    """The kind of a document."""

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
    """A file with the kinds of its documents, the objects to check, and errors."""

    name: str
    kinds: tuple[FileKind, ...] = ()
    found: tuple[Found, ...] = ()
    problems: tuple[IrsaError, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether one of its documents has a known kind."""
        return any(kind is not FileKind.UNKNOWN for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        kinds = [kind.value for kind in dict.fromkeys(self.kinds) if kind is not FileKind.UNKNOWN]
        return {"name": self.name, "kinds": kinds}


def read_file(text: str, name: str, read: ReadFile) -> LintedFile:
    """Read a file; its problems are invalid YAML or JSON, and documents that `irsa apply` rejects."""
    placed, problems = documents(text, name)
    kinds = tuple(kind_of(document.value) for document in placed)
    objects: list[Found] = []
    for document, kind in zip(placed, kinds, strict=True):
        try:
            if kind is FileKind.BINDINGS:
                objects += of_bindings(document, read)
            elif kind in _KINDS:
                objects += _KINDS[kind][1](document)
        except Exception as error:
            problems.append(not_judged(error, document.place()))
    return LintedFile(name, kinds, tuple(objects), tuple(problems))


def read_module(module: Module, named: Sequence[str], local: LocalModules) -> Iterator[LintedFile]:
    """Read the given files of a folder; the first one gets all objects."""
    objects: list[Found] = []
    problems: list[IrsaError] = []
    try:
        objects += of_hcl(module, named, local)
    except RecursionError:
        problems.append(InvalidInput(f"{named[0]} can't be checked", reason="it is nested too deeply"))
    except TooMuch as error:
        # The module as a whole used up its budget, whichever of its files did.
        problems.append(InvalidInput(f"{named[0]} can't be checked", reason=str(error), next_steps=_PLAN))
    except Exception as error:
        problems.append(not_judged(error, FilePlace(named[0], 1, 1)))
    yield LintedFile(named[0], (FileKind.HCL,), tuple(objects), tuple(problems))
    yield from (LintedFile(name, (FileKind.HCL,)) for name in named[1:])


_PLAN = ("check the plan instead: terraform show -json PLANFILE | irsa lint -",)


def elsewhere(parts: Iterable[Unjudged]) -> Iterator[str]:
    """A note on what is decided outside of the files: its places, by what decides it."""
    places: dict[str, dict[FilePlace, None]] = {}
    for part in parts:
        if part.elsewhere:
            places.setdefault(part.elsewhere, {})[part.place] = None
    count = sum(map(len, places.values()))
    if count:
        sources = some(list(places))
        is_one = count == 1
        yield (
            f"{plural(count, 'module')} {'is' if is_one else 'are'} decided elsewhere ({sources}): "
            f"check the plan, which has {'its' if is_one else 'their'} resources"
        )


def not_judged(error: Exception, place: FilePlace) -> IrsaError:
    if isinstance(error, IrsaError):
        return error
    reason = f"a bug in irsa: {type(error).__name__}: {error}"
    return IrsaError(f"{place} can't be checked", reason=reason, code="InternalError")


def kind_of(value: Any) -> FileKind:
    if not isinstance(value, dict):
        return FileKind.UNKNOWN
    if (value.get("apiVersion"), value.get("kind")) in (EKSCTL, OWN):
        return FileKind.BINDINGS
    for kind, (is_of_kind, _) in _KINDS.items():
        if is_of_kind(value):
            return kind
    return FileKind.UNKNOWN


_Kind = tuple[Callable[[Mapping[str, Any]], bool], Callable[[Placed], Iterator[Found]]]
_KINDS: Mapping[FileKind, _Kind] = {
    FileKind.MANIFEST: (is_manifest, of_manifest),
    FileKind.TRUST_POLICY: (is_policy, of_policy),
    FileKind.ROLES: (is_roles, of_roles),
    FileKind.TERRAFORM: (is_terraform, of_terraform),
    FileKind.CLOUDFORMATION: (is_template, of_template),
}
"""The test and the reader of each kind."""


def _of_unchanged(risks: Sequence[Risk]) -> Iterator[str]:
    """How many risks of a plan were there before."""
    count = sum(1 for risk in risks if risk.place and risk.place.change == UNCHANGED)
    if count == 1:
        yield f"1 of {plural(len(risks), 'finding')} is about a resource that the plan does not change"
    elif count:
        yield f"{count} of {plural(len(risks), 'finding')} are about resources that the plan does not change"


@dataclass(frozen=True)
class LintReport(RiskReport):
    """The selected risks of files; `unjudged` has parts known after deployment."""

    files: tuple[LintedFile, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def own_scope(self) -> AnswerScope:
        question = "Which risks would these files create?"
        if self.error is not None:
            return unanswered(question, self.error)
        objects = Counter(map(type, chain.from_iterable(file.found for file in self.files)))
        examined = {
            "file": len(self.files),
            "trust policy": objects[LintedTrust],
            "ServiceAccount with a role": objects[LintedAccount],
        }
        if objects[LintedAssociation]:
            examined["EKS Pod Identity association"] = objects[LintedAssociation]
        nothing = "" if self.files else "irsa lint recognized none of the files."
        return AnswerScope(question, examined, tuple(self._not_examined()), nothing)

    def _not_examined(self) -> Iterator[NotExamined]:
        yield from (NotExamined(line, WhyNot.UNREADABLE) for line in self.problems)
        least = Severity.LOW if self.fail_on_broken else self.fail_on
        for part in self.unjudged:
            matters = least is None or ORDER.index(part.at_most) >= ORDER.index(least)
            yield NotExamined(str(part), WhyNot.WHEN_DEPLOYED, matters)
        yield from (NotExamined(line, matters=False) for line in self.skipped)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """The parts that were not checked, a line each."""
        return tuple(part.text for part in self._not_examined() if part.why is not WhyNot.NOT_READ)

    @property
    def notes(self) -> tuple[str, ...]:
        """The parts that were not checked, skipped files, and acceptances that are ignored."""
        notes = [*self.unchecked, *self.skipped, *self.selection.notes]
        counts = list(self.scope.examined.values())[1:]
        notes += _of_unchanged(self.selection.shown)
        if self.files and not (self.unread or self.selection.shown or any(counts)):
            notes.append("nothing to check: no trust policy, and no ServiceAccount with a role")
        return tuple(notes)

    @property
    def exit_code(self) -> int:
        """5 for a risk from `fail_on` on, 2 for an unreadable file, 1 for a gap that can hide a risk."""
        code = super().exit_code
        if self.error is not None or self.signal or code == ExitCode.UNVERIFIED or not self.unread:
            return code
        return self.unread[0].exit_code

    def envelope(self) -> Envelope:
        return self.document(
            DocumentKind.RISKS,
            outcome=ReadOutcome.of(self.error or next(iter(self.unread), None)),
            items=[risk_json(risk, {}) for risk in self.selection.shown],
            summary=self.selection.summary,
            notes=self.notes,
            errors=(*whole(self.error), *(ItemError(error) for error in self.unread)),
            facts={
                "files": [file.to_json() for file in self.files],
                **hidden_json(self.selection, {}),
            },
        )
