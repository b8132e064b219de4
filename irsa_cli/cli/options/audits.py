"""The options that `irsa audit`, `irsa who-can` and `irsa lint` share: accounts, risks, forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.options import common
from irsa_cli.cli.options.types import Decorator, group, once, shared, wrong_usage
from irsa_cli.cli.output.report import DOCUMENTS, REPORTS, RISKS
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.trust.rules.rule import Severity

if TYPE_CHECKING:
    from irsa_cli.usecases.audit.run import AuditSource

FORMATS = ("text", *DOCUMENTS, *RISKS, *REPORTS)
LEVELS = ("low", "medium", "high", "critical")


class FailOn(click.ParamType):  # type: ignore[type-arg]
    """A severity and what is broken, with a comma between them; or never, alone."""

    words = (*LEVELS, "broken", "never")
    name = "|".join(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The lowest severity (None for none), and whether what is broken counts."""
        words = common.listed([str(value)])
        for word in words or ("",):
            if word not in self.words or (word == "never" and len(words) > 1):
                self.fail(f"'{word}' is none of {', '.join(self.words[:-1])}, or never alone", param, ctx)
        return next((Severity(level) for level in LEVELS if level in words), None), "broken" in words


fail_on_option = once(
    "--fail-on",
    type=FailOn(),
    metavar="LEVEL[,broken]",
    default=(Severity.HIGH, False),
    shell_complete=lambda _context, _parameter, text: [it for it in FailOn.words if it.startswith(text)],
    help="Exit 5 for a risk of this severity or higher. [default: high]",
)


def risk_options(*more: str) -> Decorator:
    """The selection and the format of risks; `more` are formats of one command."""
    forms = common.output_option(*FORMATS, *more)
    return group(shared("risks"), forms, shared("report", "quiet"))


def take_risks(options: dict[str, Any], speaking: Speaking) -> dict[str, Any]:
    """Take the options of `risk_options`, --fail-on and the scope, as fields of a request."""
    fail_on, broken = options["fail_on"]
    return {
        "at_least": Severity(options["min_severity"]),
        "fail_on": fail_on,
        "fail_on_broken": broken,
        "baseline": Path(options["baseline"]) if options["baseline"] else None,
        "allow": take_allowance(options),
        "with_fixes": speaking.verbose
        or speaking.output in ("json", "yaml", "markdown")
        or speaking.files.is_asked_for,
    }


def take_source(options: dict[str, Any]) -> AuditSource:
    """Take the options `source`."""
    from irsa_cli.core.config import entry_fields
    from irsa_cli.usecases.audit.run import AuditSource, LiveSource
    from irsa_cli.usecases.texts import read_text

    files = tuple(map(Path, options.pop("files")))
    names = ("clusters", "regions", "profile", "assume_role", "readers")
    found = {name: options.pop(name) for name in names}
    if files and any(found.values()):
        raise click.UsageError("--from reads files only: leave out --cluster, --region and other AWS options")
    found["regions"] = common.listed(found["regions"])
    listed, found["organization"] = options.pop("accounts"), options.pop("organization") or ""
    many = "--accounts" if listed else "--organization" if found["organization"] else ""
    alone = ("clusters", "assume_role", "readers")
    if many and (files or any(found[name] for name in alone) or (listed and found["organization"])):
        raise click.UsageError(f"{many} reads whole accounts: only --region and --profile go with it")
    if listed:
        with wrong_usage():
            found["accounts"] = entry_fields.accounts(read_text(listed), listed)
    return AuditSource(LiveSource(**found), files)


def take_allowance(options: dict[str, Any]) -> Allowance:
    """Take the options `scope`."""
    return Allowance(options.pop("allow_partial"), options.pop("allow_empty"))
