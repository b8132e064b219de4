"""The flags that `irsa audit`, `irsa who-can` and `irsa lint` share: accounts, risks, forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from irsa_cli.cli.options import completion
from irsa_cli.cli.options.contradictions import Excludes, check
from irsa_cli.cli.options.fields import group, many, once, switch
from irsa_cli.cli.options.kinds import CLUSTER, FILE, FILE_OR_FOLDER, ROLE_NAME, TEXT, ValueKind
from irsa_cli.cli.options.outputs import ReportFlags, output_flag, quiet_flag, speaking
from irsa_cli.cli.options.reach import assume_role_flag, profile_flag, readers_flag
from irsa_cli.cli.options.values import listed, wrong_usage
from irsa_cli.cli.output.report import DOCUMENTS, REPORTS, RISKS
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.trust.rules.rule import Severity

if TYPE_CHECKING:
    from irsa_cli.usecases.audit.run import AuditSource

FORMATS = ("text", *DOCUMENTS, *RISKS, *REPORTS)
LEVELS = ("low", "medium", "high", "critical")
"""The severities that can fail a run: notes never do."""


class FailOn(NamedTuple):
    """The risks of exit code 5: the lowest severity (None for none), and whether `broken` counts."""

    severity: Severity | None
    broken: bool = False


class FailOnKind(ValueKind[FailOn]):
    """A severity and what is broken, with a comma between them; or never, alone."""

    words = (*LEVELS, "broken", "never")
    name = "|".join(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FailOn:
        """Read the words."""
        words = listed([str(value)])
        for word in words or ("",):
            if word not in self.words or (word == "never" and len(words) > 1):
                self.fail(f"'{word}' is none of {', '.join(self.words[:-1])}, or never alone", param, ctx)
        severities = [Severity(level) for level in LEVELS if level in words]
        return FailOn(severities[0] if severities else None, "broken" in words)


def fail_on_flag() -> FailOn:
    return once(
        "--fail-on",
        kind=FailOnKind(),
        metavar="LEVEL[,broken]",
        default=FailOn(Severity.HIGH),
        shell_complete=lambda _context, _parameter, text: [
            word for word in FailOnKind.words if word.startswith(text)
        ],
        help="Exit 5 for a risk of this severity or higher. [default: high]",
    )


def allow_empty_flag() -> bool:
    return switch("--allow-empty", help="Exit 0 if there is nothing to check.")


def allow_partial_flag() -> bool:
    return switch("--allow-partial", help="Exit 0 if something relevant could not be read.")


def ignore_not_found_flag() -> bool:
    return switch("--ignore-not-found", help="Exit 0 if NAME does not exist.")


@dataclass(frozen=True, kw_only=True)
class ScopeFlags:
    """How complete an answer has to be."""

    allow_partial: bool = allow_partial_flag()
    allow_empty: bool = allow_empty_flag()

    def allowance(self) -> Allowance:
        return Allowance(self.allow_partial, self.allow_empty)


@dataclass(frozen=True, kw_only=True)
class RiskFlags:
    """The risks that are reported, and their form."""

    min_severity: str = once(
        "--min-severity",
        kind=click.Choice(("note", *LEVELS)),
        default="note",
        help="Show risks of this severity or higher. [default: note]",
    )
    baseline: str | None = once(
        "--baseline", kind=FILE, help="Show only risks that are not in this file (-o json)."
    )
    config: str | None = once("--config", kind=FILE, help="Read this file instead of .irsa.yaml.")
    """Read before all other options: see `irsa_cli.cli.help.environment.chosen_file`."""
    output: str = output_flag(*FORMATS)
    reports: ReportFlags = group(ReportFlags)
    quiet: bool = quiet_flag()

    @property
    def severity(self) -> Severity:
        return Severity(self.min_severity)

    @property
    def baseline_file(self) -> Path | None:
        return Path(self.baseline) if self.baseline else None

    def speaking(self, *, verbose: bool) -> Speaking:
        return speaking(self.output, quiet=self.quiet, verbose=verbose, reports=self.reports)


def shows_fixes(speaking: Speaking) -> bool:
    """Whether the output has room for corrected policies and commands."""
    has_room = speaking.output in ("json", "yaml", "markdown")
    return speaking.verbose or has_room or speaking.files.is_asked_for


@dataclass(frozen=True, kw_only=True)
class SourceFlags:
    """The accounts and clusters that are read, or the files."""

    clusters: tuple[str, ...] = many(
        "-c",
        "--cluster",
        kind=CLUSTER,
        shell_complete=completion.clusters,
        help="Read only this EKS cluster (repeat). [default: all in the region]",
    )
    regions: tuple[str, ...] = many(
        "-r",
        "--region",
        kind=TEXT,
        metavar="REGION",
        shell_complete=completion.regions,
        help="Read the clusters of this AWS region (repeat). [default: as in the AWS CLI]",
    )
    profile: str | None = profile_flag()
    assume_role: str | None = assume_role_flag()
    accounts: str | None = once(
        "--accounts", kind=FILE, help="Read the accounts in this file, each by its role."
    )
    organization: str | None = once(
        "--organization",
        kind=ROLE_NAME,
        metavar="ROLE",
        help="Read all accounts of the organization, by this role in each.",
    )
    readers: tuple[str, ...] = readers_flag("Also read another account's IAM by this role (repeat).")
    files: tuple[str, ...] = many(
        "--from",
        kind=FILE_OR_FOLDER,
        help="Read JSON files of aws and kubectl, without any call (repeat).",
    )

    def source(self) -> AuditSource:
        """The source of the data; raises `UsageError` for flags that contradict each other."""
        from irsa_cli.core.config import entry_fields
        from irsa_cli.usecases.audit.run import AuditSource, LiveSource
        from irsa_cli.usecases.texts import read_text

        check(self, _CONTRADICTIONS)
        accounts: tuple[str, ...] = ()
        if self.accounts:
            with wrong_usage():
                accounts = entry_fields.accounts(read_text(self.accounts), self.accounts)
        live = LiveSource(
            clusters=self.clusters,
            regions=listed(self.regions),
            profile=self.profile,
            assume_role=self.assume_role,
            readers=self.readers,
            accounts=accounts,
            organization=self.organization or "",
        )
        return AuditSource(live, tuple(map(Path, self.files)))


_OF_ONE_ACCOUNT = ("clusters", "assume_role", "readers")
_WHOLE_ACCOUNTS = "{flag} reads whole accounts: only --region and --profile go with it"
_CONTRADICTIONS = (
    Excludes(
        "files",
        (*_OF_ONE_ACCOUNT, "regions", "profile"),
        "{flag} reads files only: leave out --cluster, --region and other AWS options",
    ),
    Excludes("accounts", ("files", *_OF_ONE_ACCOUNT, "organization"), _WHOLE_ACCOUNTS),
    Excludes("organization", ("files", *_OF_ONE_ACCOUNT), _WHOLE_ACCOUNTS),
)
