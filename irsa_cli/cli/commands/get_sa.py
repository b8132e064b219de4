"""`irsa get-sa`: its options; the work is in `irsa_cli.usecases.show.get_sa`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from irsa_cli.cli.options.outputs import WideOutputFlags, no_headers_flag
from irsa_cli.cli.options.reach import ClusterFlags, Destination, KubeFlags, RoleAccountFlags, readers_flag
from irsa_cli.cli.output.report import Message, Report
from irsa_cli.cli.output.result import messages_of_reading
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.session import run_reading
from irsa_cli.cli.terminal.screen import age
from irsa_cli.core.inventory.bindings import BindingStatus, ListedBinding
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.marks.makers import UNKNOWN
from irsa_cli.core.objects.role import Role
from irsa_cli.core.trust.rules.rule import in_one_line
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
    output: WideOutputFlags = group(WideOutputFlags)


@click.command("get-sa", cls=HelpedCommand)
@bound(GetSaOptions)
def command(options: GetSaOptions) -> int:
    """List ServiceAccounts with IAM roles and their status.

    The list has all ServiceAccounts with a role annotation or an EKS Pod Identity association, and roles
    that irsa manages without a ServiceAccount. Each line shows the role, its creator and policies, and
    whether its trust policy allows the ServiceAccount. A line also reports what could not be read. get-sa
    changes nothing.

    Examples:
      irsa get-sa -c prod
      irsa get-sa -n backend -c prod -o wide
      irsa get-sa -A -l app.kubernetes.io/part-of=shop -c prod
      irsa get-sa -c prod -o json | jq -r '.items[].role.arn'
    """
    from irsa_cli.usecases.show.get_sa import get_bindings

    speaking = options.output.speaking()
    request, allow = _request(options), options.scope.allowance()
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
    name, namespace = options.name or "", options.namespace or ""
    if name and not options.everywhere:
        namespace = namespace or "default"
    scope = BindingsScope(namespace, name, options.all_paths, options.selector or "")
    return Request(destination.target(), scope, options.readers, options.ignore_not_found)


def _report(found: BindingList, speaking: Speaking, *, headers: bool) -> Report:
    """The table; its head, reasons, notes and what to do next go to standard error."""
    wide, notes = speaking.output == "wide", messages_of_reading(found.error, found.notes)
    if not wide and speaking.output != "text":
        return Report(found, (), notes)
    reasons = [(item.full_name if item.name else item.role_arn, reason_of(item)) for item in found.items]
    below = [visible(f"  {name}: {why}") for name, why in reasons if why and not wide]
    if found.error is None and not speaking.quiet:
        below.append(visible(found.scope.sentence))
    ending = [*steps(found.items)]
    end = ["Next:", *(f"  {step}" for step in ending)] if ending else []
    head = [visible(found.found.cluster.head)] if found.found and headers and not speaking.quiet else []
    rows = replace(table(found.items, wide=wide), headless=not headers)
    return Report(found, [*map(Message, head), rows], (*below, *notes, *end))


NOTHING = "-"
_HEAD = ("NAMESPACE", "NAME", "ROLE", "BY", "OWNER", "POLICIES", "AGE", "STATUS")
_SPARE = ("POLICIES", "OWNER", "AGE")
"""Columns that a terminal with little room does not show, the first first."""
_WIDE = (
    "NAMESPACE", "NAME", "ROLE", "BY", "ROLE-BY", "SA-BY", "POLICIES", "BOUNDARY", "LAST-USED", "AGE",
    "STATUS",
)  # fmt: skip
_NAMED = 2
"""Policies listed in the narrow table; of more, the number is shown."""
_COLOURS = {
    BindingStatus.OK: "green",
    BindingStatus.ROLE_ONLY: "green",
    BindingStatus.UNCERTAIN: "yellow",
    BindingStatus.POD_IDENTITY: "yellow",
}


def table(bindings: Sequence[ListedBinding], *, wide: bool) -> Table:
    """The status has its colour and, if `wide`, its reason.

    The column BY is only in a table of which some have their role otherwise than by IRSA.
    """
    now, rows = datetime.now(timezone.utc), []
    by = any(item.by not in ("irsa", "") for item in bindings)
    head = [name for name in (_WIDE if wide else _HEAD) if by or name != "BY"]
    for item in bindings:
        found = _cells(item, now, wide=wide)
        status = click.style(item.status.value, fg=_COLOURS.get(item.status, "red"))
        why = [visible(reason_of(item))] if wide else []
        rows.append([*(visible(found[name]) for name in head[:-1]), ": ".join(filter(None, (status, *why)))])
    return Table(head, rows, () if wide else _SPARE)


def reason_of(item: ListedBinding) -> str:
    """The reason for the status and the risks of the trust policy; '' for none."""
    return ": ".join(
        filter(None, (item.reason, f"broad trust: {in_one_line(item.wide)}" if item.wide else ""))
    )


def steps(bindings: Iterable[ListedBinding]) -> Iterator[str]:
    """The commands that finish interrupted runs; `irsa delete-sa` only for what is already being deleted."""
    for item in bindings:
        commands = [step for step in item.next_steps if step.startswith("irsa ")]
        if commands:
            first = next((step for step in commands if step.startswith("irsa recover ")), commands[0])
            if item.status is not BindingStatus.DELETING:
                first = first.replace("irsa delete-sa ", "irsa describe-sa ", 1)
            yield visible(f"{first.partition('  #')[0]}  # {item.full_name}: {item.status.value}")


def _cells(item: ListedBinding, now: datetime, *, wide: bool) -> dict[str, str]:
    """The cells of a row by their columns: ARNs in the wide table, names in the other."""
    found = item.role if isinstance(item.role, Role) else None
    policies = (found.policies if wide else found.policy_names) if found else ()
    more = len(policies) - (len(policies) if wide else _NAMED)
    named = ",".join(policies[: len(policies) - max(more, 0)]) + (f",+{more}" if more > 0 else "")
    hidden = item.role is not None and (found is None or found.unread)
    word = item.role_arn if wide else item.role_arn.rsplit("/", 1)[-1]
    return {
        "NAMESPACE": item.namespace or NOTHING,
        "NAME": item.name or NOTHING,
        "ROLE": found.name if found and not wide else "".join(visible(word).split()) or NOTHING,
        "BY": item.by or NOTHING,
        "OWNER": item.owner,
        "ROLE-BY": item.binding.role_maker,
        "SA-BY": item.binding.account_maker if item.account else NOTHING,
        "POLICIES": UNKNOWN if hidden else named or NOTHING,
        "BOUNDARY": (found and found.boundary) or NOTHING,
        "LAST-USED": f"{found.last_used:%Y-%m-%d}" if found and found.last_used else NOTHING,
        "AGE": NOTHING if item.created is None else age((now - item.created).total_seconds()),
    }
