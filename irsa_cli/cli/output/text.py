"""Pages for a person, and documents (JSON, YAML), of a result."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import click

from irsa_cli.cli.help.helping import command_of
from irsa_cli.cli.output.forms import REPORTS, names
from irsa_cli.cli.output.plan_text import plan_lines
from irsa_cli.cli.terminal.screen import is_unicode, put
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.core.values.shown import plural, redacted, visible

if TYPE_CHECKING:
    from irsa_cli.core.results.envelope import Envelope


class Message(str):
    """A line for standard error."""


class Shown(Protocol):
    """A part that prints itself, such as a table."""

    def show(self) -> None: ...


Part = str | Shown
"""A part of a page for standard output, or a `Message`; all texts are safe."""


@dataclass(frozen=True)
class Page:
    """Text for a person: parts instead of a document, then messages on standard error in every form.

    `forms` are further forms of the result, as `RISKS` has them.
    """

    parts: Iterable[Part] = ()
    messages: Iterable[str] = ()
    forms: Mapping[str, str] = field(default_factory=dict)


def page_of(result: Result, *, quiet: bool, verbose: bool = False) -> Page:
    """The page of one result; `quiet`: messages only if something is wrong."""
    is_shown = not quiet or result.error is not None or bool(result.left)
    return Page(text_lines(result, whole=verbose), messages(result) if is_shown else ())


def page_of_reading(parts: Iterable[Part], error: Exception | None, notes: Iterable[str] = ()) -> Page:
    """The page of a command that reads: notes, and why it failed, go to standard error."""
    return Page(parts, (*(visible(f"Note: {note}") for note in notes), *failure_lines(error)))


def show_document(envelope: Envelope, output: str, command: str | None = None) -> None:
    """Print a document as JSON or YAML, or its names; not reports."""
    if output not in REPORTS and (text := document_text(envelope, output, command)):
        click.echo(text)


def document_text(envelope: Envelope, output: str, command: str | None = None) -> str:
    """A document in a form other than text, without the last line's end."""
    document = envelope.to_json(running() if command is None else command)
    if output == "json":
        return json_text(document)
    return (
        as_yaml(document).removesuffix("\n") if output == "yaml" else "\n".join(map(visible, names(document)))
    )


def show_found(parts: Iterable[Part], document: Callable[[], Envelope], output: str) -> None:
    """Print lines and tables as text (also in its wide form), or a document."""
    if output not in ("text", "wide"):
        show_document(document(), output)
        return
    for part in parts:
        if isinstance(part, str):
            put(part, err=isinstance(part, Message))
        else:
            part.show()


def failure_lines(error: Exception | None) -> Iterator[str]:
    """Why a command failed, and what to do; nothing without an error."""
    if error is not None:
        yield from error_lines(error)
        yield from next_lines(error)


def running() -> str:
    """The running command, as the user typed it, without `irsa`; '' without one."""
    context = click.get_current_context(silent=True)
    return "" if context is None else command_of(context)


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document as YAML; no text in it can be a command to a CI system (`::error::`, `##[`)."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes each text on one line, in quotes if it could be more than a text."""

    def one_line(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        odd = not text.isprintable() or text.lstrip().startswith(":") or "##" in text
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else None)

    Dumper.add_representer(str, one_line)

    def dump(*, plain: bool) -> str:
        text: str = yaml.dump(
            dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=not plain, width=2**31
        )
        return text

    text = dump(plain=not is_unicode(sys.stdout))
    # Write invisible characters as their code points; YAML keeps some of them.
    return yaml_text(text if text.replace("\n", "").isprintable() else dump(plain=True))


def text_lines(result: Result, *, whole: bool = False) -> Iterator[str]:
    """The lines for standard output; `whole`: every value of a plan."""
    if result.ended is Ended.PLANNED:
        yield from plan_lines(result, whole=whole)
    elif result.ended is Ended.COMMITTED:
        yield visible(f"Done in {result.seconds:.1f} s. {_outcome(result)}".rstrip())
    elif result.ended is Ended.UNCHANGED:
        outcome = visible(_outcome(result))
        yield f"Nothing to do. {outcome}".rstrip()
    elif result.ended is Ended.ROLLED_BACK and result.error is None:
        yield f"{back_words(result)}."


def back_words(result: Result) -> str:
    """Describe a rollback; after a deletion, it creates."""
    again = [item.change for item in result.changes if item.state == "undone" and item.change.after is None]
    if not again:
        return "Everything that the transaction did was rolled back"
    return f"irsa restored what the transaction had deleted or detached ({plural(len(again), 'object')})"


def _outcome(result: Result) -> str:
    """The state after the command; '' if the result has no facts yet."""
    facts, command = result.facts, result.command
    account, role, provider = (facts.get(key) for key in ("serviceAccount", "role", "provider"))
    if command in (Command.DELETE_SA, Command.DISASSOCIATE_OIDC):
        return _deleted(facts)
    if provider:
        return f"IAM accepts tokens of {provider['url']} for {', '.join(provider['audiences'])}."
    if not role:
        return ""
    if not account:
        return f"The role is {role['arn']}."
    who = f"{account['namespace']}/{account['name']}"
    if command is Command.UPDATE_SA:
        restart = " Restart running pods for the change to take effect."
        needed = facts["restart"] and not _elsewhere(facts)
        return f"{who} has the role {role['arn']}{_elsewhere(facts)}.{restart if needed else ''}"
    if command is Command.ADOPT:
        return f"The role of {who} is managed by irsa: {role['arn']}{_elsewhere(facts)}."
    inside = "; to check it inside of one: irsa preflight" if result.verification else ""
    elsewhere = _elsewhere(facts) or f". Pods that start from now on use it{inside}"
    return f"{who} has the role {role['arn']}{elsewhere}."


def _deleted(facts: Mapping[str, Any]) -> str:
    account, role, provider = (facts.get(key) or {} for key in ("serviceAccount", "role", "provider"))
    found = []
    if account.get("deleted"):
        found.append(f"ServiceAccount {account['namespace']}/{account['name']}")
    if role.get("deleted"):
        found.append(f"role {role['arn']}")
    if provider.get("deleted"):
        return f"IAM no longer accepts tokens of {provider['url']}."
    return f"Deleted: {', '.join(found)}." if found else ""


def _elsewhere(facts: Mapping[str, Any]) -> str:
    """How pods get credentials from EKS Pod Identity; '' if they do not, or it is unknown."""
    found = facts.get("podIdentity")
    if not found:
        return ""
    role = (found["role"] or {}).get("arn", "")
    if role == facts["role"]["arn"]:
        return f"; EKS Pod Identity gives it to pods ({found['association']})"
    other = f", role {role}" if role else ""
    return f"; but pods get the credentials of EKS Pod Identity ({found['association']}{other})"


def messages(result: Result) -> Iterator[str]:
    """The lines for standard error: notes, warnings, the error, and what to do now."""
    yield from (visible(f"Note: {note}") for note in result.notes)
    if any(item.get("newTrust") is False for item in result.verifications):
        yield "Note: STS may have used the former trust policy: run irsa verify in a minute"
    yield from warnings(result.warnings)
    if result.error is not None:
        yield from error_lines(result.error)
        yield from map(visible, _aftermath(result))
        yield from next_lines(result.error)
        return
    if trust := result.facts.get("trustPolicy"):
        yield visible(f"Note: changes to the trust policy of {result.facts['role']['arn']}:")
        yield from (visible(f"  {line}") for line in trust["difference"])
    yield from map(visible, _aftermath(result))
    if commands := result.facts.get("adoption", {}).get("release"):
        yield "Note: to release the role from its stack (deletes the stack, keeps the role; not done here):"
        yield from (visible(f"  {command}") for command in commands)


def warnings(risks: Iterable[Risk], indent: str = "") -> Iterator[str]:
    """Two lines for each broad trust policy: the risk, and its fix."""
    for risk in risks:
        broad, fix = risk.warned
        yield visible(f"{indent}Warning: {broad}")
        yield visible(f"{indent}  To fix: {fix}")


def error_lines(error: Exception) -> Iterator[str]:
    if not isinstance(error, IrsaError):
        said = redacted(f"{type(error).__name__}: {error}")
        yield visible(f"Error: a bug in irsa: {said} (-v shows where)")
        return
    first, *more = str(error).splitlines() or [""]
    yield visible(f"Error: {first}")
    # Lines of others are marked, so that none of them passes for one of irsa's.
    yield from (visible(f"  | {line}") for line in more[:_MOST_LINES])
    for line in error.details:
        if not (line.startswith("caller: ") and line.removeprefix("caller: ") in error.reason):
            yield visible(f"  {line}")


def next_lines(error: Exception) -> Iterator[str]:
    steps = error.next_steps if isinstance(error, IrsaError) else ()
    if len(steps) == 1 and not _TO_COPY.match(steps[0]):
        yield visible(f"Next: {steps[0]}")
    elif steps:
        yield "Next:"
        yield from (visible(f"  {step}") for step in steps)


_MOST_LINES = 20
_TO_COPY = re.compile(r"(irsa|aws|kubectl|eksctl|helm|terraform) ")


def _aftermath(result: Result) -> Iterator[str]:
    code = result.exit_code
    if result.left:
        yield f"The rollback is incomplete (exit {code}). Left behind:"
        for item in result.left:
            yield f"  {item.what}: {item.why}"
            yield f"    to finish: {item.repair}"
    elif result.ended is Ended.UNFINISHED:
        states = ["done" if made.state in ("done", "unchanged") else "missing" for made in result.changes]
        why = ": the transaction is unfinished" if "missing" in states else ""
        yield f"Nothing was rolled back{why} (exit {code})."
        for state, made in zip(states, result.changes, strict=True):
            yield f"  {state:<7}  {made.change.kind.value} {made.change.name}"
    elif result.ended in (Ended.ROLLED_BACK, Ended.FAILED, Ended.REFUSED) and result.error is not None:
        undone = [item.change for item in result.changes if item.state == "undone"]
        back = "Everything was rolled back"
        if any(change.after is None for change in undone):
            back = "Everything was rolled back: irsa restored what it had deleted or detached"
        yield f"{back if undone else 'Nothing was changed'} (exit {code})."


def json_text(document: Any) -> str:
    """A document as JSON in which no text is a command to a CI system; what it means is the same."""
    return _HASHES.sub(r"\\u0023", json.dumps(document, indent=2))


def yaml_text(text: str) -> str:
    """The same for a document in YAML whose texts with `##` are in double quotes."""
    return _HASHES.sub(r"\\x23", text)


_HASHES = re.compile("#(?=#)")
