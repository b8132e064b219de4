"""`irsa describe-sa`: its options; the work is in `irsa_cli.usecases.show.describe_sa`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import NameFlags, namespace_flag
from irsa_cli.cli.options.audits import allow_partial_flag, ignore_not_found_flag
from irsa_cli.cli.options.fields import bound, group, switch
from irsa_cli.cli.options.outputs import WideOutputFlags
from irsa_cli.cli.options.reach import ReachFlags, readers_flag
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.result import messages_of_reading
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.session import run_reading
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.values.shown import visible


@dataclass(frozen=True, kw_only=True)
class DescribedFlags(NameFlags):
    """The ServiceAccount."""

    namespace: str = namespace_flag("Namespace of NAME. [default: default]")


@dataclass(frozen=True, kw_only=True)
class DescribeSaOptions:
    """The ServiceAccount, and how much is shown of it."""

    service_account: DescribedFlags = group(DescribedFlags)
    reach: ReachFlags = group(ReachFlags)
    documents: bool = switch("--policies", help="Include all policy documents (the same as -o wide).")
    readers: tuple[str, ...] = readers_flag("Also read another account's IAM by this role (repeat).")
    ignore_not_found: bool = ignore_not_found_flag()
    allow_partial: bool = allow_partial_flag()
    output: WideOutputFlags = group(WideOutputFlags)


@click.command("describe-sa", cls=HelpedCommand)
@bound(DescribeSaOptions)
def command(options: DescribeSaOptions) -> int:
    """Show a ServiceAccount's role, trust, policies and pods.

    For each statement of the trust policy, it shows whether the statement allows the ServiceAccount, or the
    first part that does not match. For each pod, it shows whether the pod has the role or needs a restart.
    It also shows the ServiceAccount's Kubernetes permissions, and who can use the ServiceAccount.

    Examples:
      irsa describe-sa s3-reader -n backend -c prod
      irsa describe-sa s3-reader -n backend -c prod -o wide
      irsa describe-sa s3-reader -n backend -c prod -o json
    """
    from irsa_cli.cli.output.results.describe_sa import lines
    from irsa_cli.core.inventory.describe_document import Described
    from irsa_cli.usecases.show.describe_sa import Request, describe

    speaking = options.output.speaking()
    reach = options.reach.joined()
    reach.check_reachable()
    request = Request(
        reach.target(),
        options.service_account.namespace,
        options.service_account.name,
        documents=options.documents or speaking.output == "wide",
        readers=options.readers,
        ignore_not_found=options.ignore_not_found,
    )
    described = run_reading(lambda progress: Described(describe(request, progress.wire)), speaking, Described)
    described = replace(described, allow=Allowance(partial=options.allow_partial))
    binding = described.found
    if binding is None:
        return deliver(Report(described, (), messages_of_reading(described.error)), speaking)
    text = map(visible, (*lines(binding), described.scope.sentence))
    messages = messages_of_reading(described.error, (*binding.notes, *described.recorded_notes))
    return deliver(Report(described, text, messages), speaking)
