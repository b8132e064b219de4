"""The outcome of one transaction, or its plan: its text, and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from irsa_cli.cli.output.plan_text import access_lines, attributes, is_mark, plan_lines, totals, values
from irsa_cli.cli.output.report import Document, Entry, Level, Line, Rank, Report
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.policies.policy import difference
from irsa_cli.core.results.result import ChangeResult, Command, Ended, Result
from irsa_cli.core.trust.rules.rule import FilePlace, Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Overwritten
from irsa_cli.core.values.shown import caller_name, moment, plural, redacted, visible

WORDS = {
    Ended.COMMITTED: "done",
    Ended.UNCHANGED: "unchanged",
    Ended.PLANNED: "to change",
    Ended.ROLLED_BACK: "rolled back",
    Ended.INCOMPLETE: "not rolled back completely",
    Ended.REFUSED: "refused",
    Ended.FAILED: "failed, nothing was changed",
    Ended.UNFINISHED: "unfinished",
}


GOOD = (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED)
_RANKS = {"delete": Rank.DELETED, "update": Rank.UPDATED, "create": Rank.CREATED}
_DOCUMENTS = {"trust": "trust policy", "document": "policy", "session_policy": "session policy"}


def of_result(result: Result, *, quiet: bool, verbose: bool = False) -> Report:
    """The report of one result; `quiet`: messages only if something is wrong."""
    notes = list(result.notes)
    ended = _ended_line(result)
    if ended and result.error is None:
        notes.append(ended)
    is_shown = not quiet or result.error is not None or bool(result.left)
    return Report(
        result,
        text_lines(result, whole=verbose),
        messages(result) if is_shown else (),
        plan_verdict([result]) if result.ended is Ended.PLANNED else WORDS[result.ended],
        is_good(result),
        facts_of(result.cluster, transaction=result.transaction),
        _entries(result),
        notes=tuple(notes),
    )


def _entries(result: Result) -> Iterator[Entry]:
    entry = entry_of(name_of(result), result)
    if entry.message or entry.lines:
        yield entry


def plan_verdict(results: Sequence[Result]) -> str:
    planned = chain.from_iterable(result.changes for result in results)
    total = totals(entry.change for entry in planned)
    return total.removesuffix(".").removesuffix(" (-v shows them)")


def facts_of(*clusters: Cluster | None, transaction: str = "") -> tuple[tuple[str, str], ...]:
    """Cluster, region and account of each, callers, time and transaction, if known."""
    known = [cluster for cluster in clusters if cluster is not None]
    facts: list[tuple[str, str]] = []
    for cluster in known:
        facts += [("cluster", cluster.name), ("region", cluster.region), ("account", cluster.account)]
    facts += dict.fromkeys(("caller", caller_name(cluster.caller)) for cluster in known)
    if known:
        facts.append(("time", moment(known[0].seen)))
    facts.append(("transaction", transaction))
    return tuple((name, value) for name, value in facts if value)


def name_of(result: Result) -> str:
    """The name of a result's ServiceAccount, role or provider; '' if it has none."""
    account = result.facts.get("serviceAccount")
    if account:
        return f"{account['namespace']}/{account['name']}"
    role = result.facts.get("role") or {}
    provider = result.facts.get("provider") or {}
    return str(role.get("arn") or provider.get("url") or "")


def warning_lines(warnings: Iterable[Risk]) -> list[Line]:
    return [
        Line(risk.warning, Rank.WARNING, "warning", risk.rule.id, level=Level.WARNING) for risk in warnings
    ]


def is_good(result: Result) -> bool:
    """Whether it succeeded: a rollback without an error was wanted."""
    return result.ended in GOOD or (result.ended is Ended.ROLLED_BACK and result.error is None)


def entry_of(title: str, result: Result, place: FilePlace | None = None) -> Entry:
    # Without irsa's own marks, as in a text.
    lines = [_line(change) for change in result.changes if change.is_public and not is_mark(change.change)]
    lines += [*_access(result), *warning_lines(result.warnings)]
    level = Level.ERROR if result.left else None
    rank = min([Rank.GOOD, *(line.rank for line in lines)])
    if not is_good(result):
        level = Level.ERROR
        rank = Rank.REFUSED if result.ended is Ended.REFUSED else Rank.FAILED
    message = tuple(messages(replace(result, notes=[], warnings=())))  # They are elsewhere in the report.
    return Entry(title, WORDS[result.ended], rank, tuple(lines), message, level, place)


def _access(result: Result) -> Iterator[Line]:
    """Gains and losses of roles by a plan."""
    if result.access is not None and result.ended in (Ended.PLANNED, Ended.COMMITTED):
        from irsa_cli.core.access.texts import sentence

        home = result.access.home
        for grant in result.access.losses:
            yield Line(sentence(grant, gain=False, home=home), Rank.TRUST, "access -")
        for grant in result.access.gains:
            yield Line(sentence(grant, gain=True, home=home), Rank.CREATED, "access +")


def failure(error: Exception | None, title: str = "") -> Iterator[Entry]:
    """The error that ended a command as a whole."""
    if error is not None:
        yield Entry(title, "failed", Rank.FAILED, message=tuple(failure_lines(error)), level=Level.ERROR)


def _line(entry: ChangeResult) -> Line:
    change = entry.change
    rank = _RANKS[change.action]
    if change.action == "update" and change.kind.traits.changes_trust:
        rank = Rank.TRUST
    if entry.state in ("failed", "left"):
        rank = Rank.FAILED
    state = "" if entry.state in ("planned", "done") else f" ({entry.state})"
    return Line(
        f"({change.kind.value}){state}",
        rank,
        change.action,
        change.description,
        f"{change.action} {change.kind.value} {change.description}",
        tuple(_documents(change)),
    )


def _documents(change: Change) -> Iterator[Document]:
    """The documents of a change: policies, as a difference if there was one before."""
    before, after = attributes(change)
    for key, name in _DOCUMENTS.items():
        old = before.get(key)
        new = after.get(key)
        title = f"{name} of {change.kind.value} {change.description}"
        if old == new:
            continue
        if old and new:
            yield Document(f"{title}: what changes", tuple(difference(old, new)), "diff")
        elif new:
            yield Document(title, tuple(json.dumps(new, indent=2).splitlines()), "json")
        elif old:
            yield Document(f"{title}, as it was", tuple(json.dumps(old, indent=2).splitlines()), "json")
    text = tuple(values(change)) if change.action != "delete" else ()
    if text:
        yield Document(f"values of {change.kind.value} {change.description}", text)


def messages_of_reading(error: Exception | None, notes: Iterable[str] = ()) -> tuple[str, ...]:
    """The lines for standard error of a command that reads: notes, and why it failed."""
    return (*(visible(f"Note: {note}") for note in notes), *failure_lines(error))


def failure_lines(error: Exception | None, between: Iterable[str] = ()) -> Iterator[str]:
    """Why a command failed, the lines `between`, and what to do; nothing without an error."""
    if error is None:
        return
    yield from _error_lines(error)
    yield from between
    steps = error.next_steps if isinstance(error, IrsaError) else ()
    if len(steps) == 1 and not _TO_COPY.match(steps[0]):
        yield visible(f"Next: {steps[0]}")
    elif steps:
        yield "Next:"
        yield from (visible(f"  {step}") for step in steps)


def text_lines(result: Result, *, whole: bool = False) -> Iterator[str]:
    """The lines for standard output; `whole`: every value of a plan."""
    if result.ended is Ended.PLANNED:
        yield from plan_lines(result, whole=whole)
        return
    line = _ended_line(result)
    if line:
        yield line
        yield from access_lines([result], whole=whole, ended=True)


def _ended_line(result: Result) -> str:
    """How a run ended well; '' for one that did not."""
    if result.ended is Ended.COMMITTED:
        return visible(f"Done in {result.seconds:.1f} s. {_outcome(result)}".rstrip())
    if result.ended is Ended.UNCHANGED:
        return f"Nothing to do. {visible(_outcome(result))}".rstrip()
    if result.ended is Ended.ROLLED_BACK and result.error is None:
        again = restored(result)
        if again:
            count = plural(len(again), "object")
            return f"irsa restored what the transaction had deleted or detached ({count})."
        return "Everything that the transaction did was rolled back."
    return ""


def restored(result: Result) -> list[Change]:
    """The changes that had deleted or detached something, and were rolled back."""
    undone = (entry.change for entry in result.changes if entry.state == "undone")
    return [change for change in undone if change.after is None]


def _outcome(result: Result) -> str:
    """The state after the command; '' if the result has no facts yet."""
    facts = result.facts
    command = result.command
    account = facts.get("serviceAccount")
    role = facts.get("role")
    provider = facts.get("provider")
    if command in (Command.DELETE_SA, Command.DISASSOCIATE_OIDC):
        return _deleted(facts)
    if provider:
        return f"IAM accepts tokens of {provider['url']} for {', '.join(provider['audiences'])}."
    if not role:
        return ""
    if not account:
        return f"The role is {role['arn']}."
    who = f"{account['namespace']}/{account['name']}"
    elsewhere = _elsewhere(facts)
    if command is Command.UPDATE_SA:
        needs_restart = facts["restart"] and not elsewhere
        restart = " Restart running pods for the change to take effect." if needs_restart else ""
        return f"{who} has the role {role['arn']}{elsewhere}.{restart}"
    if command is Command.ADOPT:
        return f"The role of {who} is managed by irsa: {role['arn']}{elsewhere}."
    if command is Command.RELEASE:
        return f"irsa does not manage the role of {who} any more: {role['arn']}{elsewhere}."
    if account.get("exists") is False:
        return f"{who} has the role {role['arn']}. The ServiceAccount does not exist yet."
    inside = "; to check it inside of one: irsa preflight" if result.verification else ""
    use = elsewhere or f". Pods that start from now on use it{inside}"
    return f"{who} has the role {role['arn']}{use}."


def _deleted(facts: Mapping[str, Any]) -> str:
    account = facts.get("serviceAccount") or {}
    role = facts.get("role") or {}
    provider = facts.get("provider") or {}
    if provider.get("deleted"):
        return f"IAM no longer accepts tokens of {provider['url']}."
    objects: list[str] = []
    if account.get("deleted"):
        objects.append(f"ServiceAccount {account['namespace']}/{account['name']}")
    if role.get("deleted"):
        objects.append(f"role {role['arn']}")
    return f"Deleted: {', '.join(objects)}." if objects else ""


def _elsewhere(facts: Mapping[str, Any]) -> str:
    """How pods get credentials from EKS Pod Identity; '' if they do not, or it is unknown."""
    identity = facts.get("podIdentity")
    if not identity:
        return ""
    role = (identity["role"] or {}).get("arn", "")
    if role == facts["role"]["arn"]:
        return f"; EKS Pod Identity gives it to pods ({identity['association']})"
    another = f", role {role}" if role else ""
    return f"; but pods get the credentials of EKS Pod Identity ({identity['association']}{another})"


def messages(result: Result) -> Iterator[str]:
    """The lines for standard error: notes, warnings, the error, and what to do now."""
    yield from (visible(f"Note: {note}") for note in result.notes)
    if any(verification.get("newTrust") is False for verification in result.verifications):
        yield "Note: STS may have used the former trust policy: run irsa verify in a minute"
    yield from warnings(result.warnings)
    if result.error is not None:
        yield from failure_lines(result.error, map(visible, _aftermath(result)))
        return
    trust = result.facts.get("trustPolicy")
    if trust:
        yield visible(f"Note: changes to the trust policy of {result.facts['role']['arn']}:")
        yield from (visible(f"  {line}") for line in trust["difference"])
    yield from map(visible, _aftermath(result))
    commands = result.facts.get("adoption", {}).get("release")
    if commands:
        yield "Note: to release the role from its stack (deletes the stack, keeps the role; not done here):"
        yield from (visible(f"  {command}") for command in commands)


def warnings(risks: Iterable[Risk], indent: str = "") -> Iterator[str]:
    """Two lines for each broad trust policy: the risk, and its fix."""
    for risk in risks:
        broad, fix = risk.warned
        yield visible(f"{indent}Warning: {broad}")
        yield visible(f"{indent}  To fix: {fix}")


def _error_lines(error: Exception) -> Iterator[str]:
    if not isinstance(error, IrsaError):
        bug = redacted(f"{type(error).__name__}: {error}")
        yield visible(f"Error: a bug in irsa: {bug} (-v shows where)")
        return
    first, *more = str(error).splitlines() or [""]
    yield visible(f"Error: {first}")
    # Lines of others are marked, so that none of them passes for one of irsa's.
    yield from (visible(f"  | {line}") for line in more[:_MOST_LINES])
    for line in error.details:
        if not (line.startswith("caller: ") and line.removeprefix("caller: ") in error.reason):
            yield visible(f"  {line}")


_MOST_LINES = 20
_TO_COPY = re.compile(r"(irsa|aws|kubectl|eksctl|helm|terraform) ")


def _aftermath(result: Result) -> Iterator[str]:
    """The state in which a run left the world."""
    if result.left:
        yield from _left_behind(result)
    elif result.ended is Ended.UNFINISHED:
        yield from _unfinished(result)
    elif result.ended in (Ended.ROLLED_BACK, Ended.FAILED, Ended.REFUSED) and result.error is not None:
        yield f"{_rolled_back(result)} (exit {result.exit_code})."


def _left_behind(result: Result) -> Iterator[str]:
    """Leftovers that could not be rolled back, and the commands that finish them."""
    if isinstance(result.error, Overwritten):
        yield f"A change is missing (exit {result.exit_code}):"
    else:
        yield f"The rollback is incomplete (exit {result.exit_code}). Left behind:"
    for leftover in result.left:
        yield f"  {leftover.what}: {leftover.why}"
        yield f"    to finish: {leftover.repair}"


def _unfinished(result: Result) -> Iterator[str]:
    """The changes of a run that is resumed later, and whether a transaction misses one of them."""
    lines: list[str] = []
    why = ""
    for entry in result.changes:
        state = "done"
        if entry.state not in ("done", "unchanged"):
            state = "missing"
            if not entry.change.kind.traits.outside:
                why = ": the transaction is unfinished"
        lines.append(f"  {state:<7}  {entry.change.kind.value} {entry.change.name}")
    yield f"Nothing was rolled back{why} (exit {result.exit_code})."
    yield from lines


def _rolled_back(result: Result) -> str:
    if restored(result):
        return "Everything was rolled back: irsa restored what it had deleted or detached"
    if any(entry.state == "undone" for entry in result.changes):
        return "Everything was rolled back"
    return "Nothing was changed"
