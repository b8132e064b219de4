"""`irsa get-sa`: its options; the work is in `irsa_cli.usecases.show.get_sa`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import (
    NAME_OR_SELECTOR,
    NAMESPACE_OR_ALL,
    all_namespaces_flag,
    any_namespace_flag,
    name_flag,
    selector_flag,
)
from irsa_cli.cli.options.audits import ScopeFlags, ignore_not_found_flag
from irsa_cli.cli.options.contradictions import check
from irsa_cli.cli.options.fields import bound, group, switch
from irsa_cli.cli.options.outputs import TableOutputFlags, no_headers_flag
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, readers_flag
from irsa_cli.cli.output.report import Message, Part, Report
from irsa_cli.cli.output.result import messages_of_reading
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.output.views.csv import comma_separated
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.screen import age
from irsa_cli.core.inventory.bindings import BindingStatus, ListedBinding
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.marks.makers import UNKNOWN
from irsa_cli.core.objects.role import Role
from irsa_cli.core.trust.rules.rule import Severity, in_one_line
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.show.get_sa import Request


@dataclass(frozen=True, kw_only=True)
class GetSaOptions:
    """The ServiceAccounts that are listed, and the form of the list."""

    name: str | None = name_flag()
    namespace: str | None = any_namespace_flag("Namespace to list. [default: all, or 'default' with NAME]")
    everywhere: bool = all_namespaces_flag("List all namespaces (the default without NAME).")
    selector: str | None = selector_flag()
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    kube: KubeFlags = group(KubeFlags)
    all_paths: bool = switch("--all-paths", help="Also search for managed roles outside /irsa/CLUSTER/.")
    readers: tuple[str, ...] = readers_flag("Also read another account's IAM by this role (repeat).")
    no_headers: bool = no_headers_flag()
    ignore_not_found: bool = ignore_not_found_flag()
    scope: ScopeFlags = group(ScopeFlags)
    output: TableOutputFlags = group(TableOutputFlags)


@click.command("get-sa", cls=HelpedCommand)
@bound(GetSaOptions)
def command(options: GetSaOptions) -> int:
    """List ServiceAccounts with IAM roles and their status.

    The list has all ServiceAccounts with a role annotation or an EKS Pod Identity association, and roles
    that irsa manages without a ServiceAccount. Each line shows the role, its creator and policies, and
    whether its trust policy allows the ServiceAccount. STATUS is the worst risk of the trust policy, if
    there is one. A line also reports what could not be read. get-sa changes nothing.

    Examples:
      irsa get-sa -c prod
      irsa get-sa -n backend -c prod -o wide
      irsa get-sa -A -l app.kubernetes.io/part-of=shop -c prod
      irsa get-sa -c prod -o csv > bindings.csv
      irsa get-sa -c prod -o json | jq -r '.items[].role.arn'
    """
    from irsa_cli.usecases.show.get_sa import get_bindings

    speaking = options.output.speaking()
    request = _request(options)
    allow = options.scope.allowance()
    allow = replace(allow, empty=allow.empty or request.ignore_not_found)
    listing = run_reading(
        lambda progress: BindingList(get_bindings(request, progress.wire)), speaking, BindingList
    )
    listing = replace(listing, allow=allow)
    return deliver(_report(listing, speaking, headers=not options.no_headers), speaking)


def _request(options: GetSaOptions) -> Request:
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.get_sa import Request

    check(options, (NAMESPACE_OR_ALL, NAME_OR_SELECTOR))
    destination = Destination(options.cluster, options.role_account, kube=options.kube)
    destination.check_reachable()
    name = options.name or ""
    namespace = options.namespace or ""
    if name and not options.everywhere:
        namespace = namespace or "default"
    scope = BindingsScope(namespace, name, options.all_paths, options.selector or "")
    return Request(destination.target(), scope, options.readers, options.ignore_not_found)


def _report(listing: BindingList, speaking: Speaking, *, headers: bool) -> Report:
    """The table; its head, reasons, notes and what to do next go to standard error."""
    notes = messages_of_reading(listing.error, (*listing.notes, *listing.recorded_notes))
    if speaking.output not in ("text", "wide"):
        return Report(listing, (), notes, own_views={"csv": f"{__name__}:as_csv"})
    wide = speaking.output == "wide"
    parts: list[Part] = [replace(table(listing.items, wide=wide), headless=not headers)]
    if listing.found and headers and not speaking.quiet:
        parts.insert(0, Message(visible(listing.found.cluster.head)))
    messages = [] if wide else [*reason_lines(listing.items)]
    if listing.error is None and not speaking.quiet:
        messages.append(visible(listing.scope.sentence))
    messages += notes
    next_steps = [f"  {step}" for step in steps(listing.items)]
    if next_steps:
        messages += ["Next:", *next_steps]
    return Report(listing, parts, messages)


def status_of(binding: ListedBinding) -> str:
    """The status in one word; `ok` only if the trust policy has no risk, else its worst one instead."""
    status = binding.status
    if not binding.wide:
        return status.value
    worst = f"{binding.wide[0].severity.value}:{binding.wide[0].rule.id}"
    return worst if status is BindingStatus.OK else f"{status.value},{worst}"


def reason_of(binding: ListedBinding) -> str:
    """The reason for the status and the risks of the trust policy; '' for none."""
    reasons = [binding.reason]
    if binding.wide:
        reasons.append(f"broad trust: {in_one_line(binding.wide)}")
    return ": ".join(filter(None, reasons))


def reason_lines(bindings: Iterable[ListedBinding]) -> Iterator[str]:
    """The reasons of those that have one, below a table without them."""
    for binding in bindings:
        if reason := reason_of(binding):
            name = binding.full_name if binding.name else binding.role_arn
            yield visible(f"  {name}: {reason}")


def steps(bindings: Iterable[ListedBinding]) -> Iterator[str]:
    """The commands that finish interrupted runs; `irsa delete-sa` only for what is already being deleted."""
    for binding in bindings:
        commands = [step for step in binding.next_steps if step.startswith("irsa ")]
        if commands:
            first = next((step for step in commands if step.startswith("irsa recover ")), commands[0])
            if binding.status is not BindingStatus.DELETING:
                first = first.replace("irsa delete-sa ", "irsa describe-sa ", 1)
            yield visible(f"{first.partition('  #')[0]}  # {binding.full_name}: {_status(binding)}")


def _status(binding: ListedBinding) -> str:
    """The status in one or two words."""
    return WAITS_FOR_GIT if binding.waits_for_git else binding.status.value


def _role_of(binding: ListedBinding) -> Role | None:
    """The role if it exists and could be read."""
    return binding.role if isinstance(binding.role, Role) else None


def _role_name(binding: ListedBinding) -> str:
    role = _role_of(binding)
    return role.name if role else _in_one_word(binding.role_arn.rsplit("/", 1)[-1])


def _in_one_word(text: str) -> str:
    """A text of others that is no ARN, without gaps that would look like the end of a cell."""
    return "".join(visible(text).split())


def _policies(binding: ListedBinding, shown: Callable[[Role], str]) -> str:
    """The policies as `shown` has them; `unknown` if irsa could not read them."""
    role = _role_of(binding)
    if role is None:
        return "" if binding.role is None else UNKNOWN
    return UNKNOWN if role.unread else shown(role)


def _first_policies(role: Role) -> str:
    """The names of the first policies, and the number of the others."""
    names = role.policy_names
    first = ",".join(names[:_FIRST])
    return f"{first},+{len(names) - _FIRST}" if len(names) > _FIRST else first


def _last_used(binding: ListedBinding) -> str:
    role = _role_of(binding)
    return f"{role.last_used:%Y-%m-%d}" if role and role.last_used else ""


def _boundary(binding: ListedBinding) -> str:
    role = _role_of(binding)
    return role.boundary if role else ""


def _age(binding: ListedBinding) -> str:
    if binding.created is None:
        return ""
    return age((datetime.now(timezone.utc) - binding.created).total_seconds())


WAITS_FOR_GIT = "waits for Git"
NOTHING = "-"
"""A cell without a value."""
_FIRST = 2
"""Policies named in the narrow table; of more, the number is shown."""
Cell = Callable[[ListedBinding], str]
_NARROW: Mapping[str, Cell] = {
    "NAMESPACE": lambda binding: binding.namespace,
    "NAME": lambda binding: binding.name,
    "ROLE": _role_name,
    "BY": lambda binding: binding.by,
    "OWNER": lambda binding: binding.owner,
    "POLICIES": lambda binding: _policies(binding, _first_policies),
    "AGE": _age,
}
_SPARE = ("POLICIES", "OWNER", "AGE")
"""Columns that a terminal with little room does not show, the first first."""
_WIDE: Mapping[str, Cell] = {
    "NAMESPACE": lambda binding: binding.namespace,
    "NAME": lambda binding: binding.name,
    "ROLE": lambda binding: _in_one_word(binding.role_arn),
    "BY": lambda binding: binding.by,
    "ROLE-BY": lambda binding: binding.binding.role_maker,
    "SA-BY": lambda binding: binding.binding.account_maker if binding.account else "",
    "POLICIES": lambda binding: _policies(binding, lambda role: ",".join(role.policies)),
    "BOUNDARY": _boundary,
    "LAST-USED": _last_used,
    "AGE": _age,
}
_FOR_PROGRAMS: Mapping[str, Cell] = {
    **{name: cell for name, cell in _WIDE.items() if name != "AGE"},
    "CREATED": lambda binding: f"{binding.created:%Y-%m-%d}" if binding.created else "",
    "STATUS": status_of,
    "REASON": reason_of,
}
_COLOURS = {
    BindingStatus.OK: "green",
    BindingStatus.ROLE_ONLY: "green",
    BindingStatus.UNCERTAIN: "yellow",
    BindingStatus.POD_IDENTITY: "yellow",
}


def _colour(binding: ListedBinding) -> str:
    of_status = _COLOURS.get(binding.status, "red")
    if not binding.wide or of_status == "red":
        return of_status
    return "red" if binding.wide[0].severity in (Severity.HIGH, Severity.CRITICAL) else "yellow"


def _status_cell(binding: ListedBinding, *, wide: bool) -> str:
    """The status in its colour, with the reason if `wide`; the reason of a role that waits begins so."""
    status = click.style(status_of(binding), fg=_colour(binding))
    more = WAITS_FOR_GIT if binding.waits_for_git else ""
    if wide:
        more = visible(reason_of(binding))
    return f"{status}: {more}" if more else status


def table(bindings: Sequence[ListedBinding], *, wide: bool) -> Table:
    """The status has its colour and, if `wide`, its reason.

    The column BY is only in a table of which some have their role otherwise than by IRSA.
    """
    columns = dict(_WIDE if wide else _NARROW)
    if all(binding.by in ("irsa", "") for binding in bindings):
        del columns["BY"]
    rows = []
    for binding in bindings:
        cells = [visible(cell(binding) or NOTHING) for cell in columns.values()]
        rows.append([*cells, _status_cell(binding, wide=wide)])
    return Table([*columns, "STATUS"], rows, () if wide else _SPARE)


def as_csv(report: Report, _most: int | None = None) -> str:
    """The table in its wide form, with a column for each reason; no rows if nothing could be read."""
    listing = report.found
    assert isinstance(listing, BindingList), "only get-sa has this view"
    rows = ([cell(binding) for cell in _FOR_PROGRAMS.values()] for binding in listing.items)
    return comma_separated(_FOR_PROGRAMS, rows)
