"""`irsa get-sa`: its options; the work is in `irsa_cli.usecases.show.get_sa`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import audits, common, targets
from irsa_cli.cli.options.types import switch
from irsa_cli.cli.output.report import Message, Report
from irsa_cli.cli.output.results.get_sa import reason_of, steps, table
from irsa_cli.cli.output.results.result import messages_of_reading
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.session import run_reading
from irsa_cli.core.inventory.list_document import BindingList
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.show.get_sa import Request


@click.command("get-sa", cls=HelpedCommand)
@common.name_argument()
@common.namespace_option("Namespace to list. [default: all, or 'default' with NAME]", default=None)
@common.all_namespaces_option("List all namespaces (the default without NAME).")
@common.selector_option
@common.cluster_options
@targets.role_account_options
@common.kube_options
@switch("--all-paths", help="Also search for managed roles outside /irsa/CLUSTER/.")
@targets.readers_option("Also read another account's IAM by this role (repeat).")
@common.no_headers_option
@common.ignore_not_found_option
@common.scope_options
@common.output_option("text", "wide", "json", "yaml", "name")
@common.quiet_option
@common.calls_option
def command(**options: Any) -> int:
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

    speaking, headless = Speaking.take(options), options.pop("no_headers")
    request, allow = _request(options), audits.take_allowance(options)
    allow = replace(allow, empty=allow.empty or request.ignore_not_found)
    found = run_reading(
        lambda progress: BindingList(get_bindings(request, progress.wire)), speaking, BindingList
    )
    found = replace(found, allow=allow)
    return deliver(_report(found, speaking, headers=not headless), speaking)


def _request(options: dict[str, Any]) -> Request:
    from irsa_cli.usecases.read.bindings import BindingsScope
    from irsa_cli.usecases.show.get_sa import Request

    name, namespace, everywhere = options["name"] or "", options["namespace"] or "", options["everywhere"]
    common.check_many(options)
    common.check_reachable(options)
    if name and not everywhere:
        namespace = namespace or "default"
    scope = BindingsScope(namespace, name, options["all_paths"], options["selector"] or "")
    return Request(targets.take_target(options), scope, options["readers"], options["ignore_not_found"])


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
