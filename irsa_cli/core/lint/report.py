"""What `irsa lint` says, as one document. How it looks as text is in `irsa_cli.cli.audit_render`."""

from __future__ import annotations

from dataclasses import dataclass, field

from irsa_cli.core.audit.report import many, risk_json
from irsa_cli.core.audit.selection import RiskSelection
from irsa_cli.core.lint.found import Unjudged
from irsa_cli.core.lint.reading import LintedFile
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome, exit_code_of, whole
from irsa_cli.core.trust.rules.rule import ORDER, Severity
from irsa_cli.core.values.errors import ExitCode, IrsaError


@dataclass(frozen=True)
class LintReport:
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
    error: Exception | None = None
    signal: int = 0

    title = "irsa lint"

    @property
    def judged(self) -> str:
        """How much was judged, for the end of a line."""
        return f" in {many(len(self.files), 'file')}"

    @property
    def unseen(self) -> tuple[str, ...]:
        """What was not judged, and so is not called fine."""
        unread = (line for error in self.unread for line in error.details or (str(error),))
        return (*unread, *(item.told for item in self.unjudged))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not judged, and what has ended."""
        return (*self.unseen, *self.skipped, *self.selection.notes)

    @property
    def exit_code(self) -> int:
        """5 for a risk from `fail_on` on; 2 for a file that can't be judged; 1 for what may hide a risk."""
        if self.signal or self.error is not None:
            return exit_code_of(self.error, self.signal)
        if self.fail_on is not None and self.selection.reaches(self.fail_on):
            return ExitCode.UNVERIFIED
        if self.unread:
            return self.unread[0].exit_code
        if self.fail_on is not None and any(self._hides(item, self.fail_on) for item in self.unjudged):
            return ExitCode.FAILED
        return ExitCode.DONE

    @staticmethod
    def _hides(item: Unjudged, level: Severity) -> bool:
        return ORDER.index(item.at_most) >= ORDER.index(level)

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        accepted = [
            {**risk_json(item, {}), "acceptedBecause": why.reason, "until": str(why.until)}
            for item, why in self.selection.accepted
        ]
        whole_error: tuple[ItemError, ...] = whole(self.error)
        return Envelope(
            DocumentKind.RISKS,
            ReadOutcome.of(self.error or (self.unread[0] if self.unread else None)),
            self.exit_code,
            items=[risk_json(item, {}) for item in self.selection.shown],
            summary=self.selection.summary,
            notes=self.notes,
            errors=(*whole_error, *(ItemError(error) for error in self.unread)),
            facts={
                "files": [
                    {
                        "name": file.name,
                        "kinds": [kind.value for kind in dict.fromkeys(file.kinds) if kind.value],
                    }
                    for file in self.files
                ],
                "inBaseline": self.selection.known,
                "accepted": accepted,
            },
        )
