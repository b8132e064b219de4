"""`irsa describe-sa`: its options; the work is in `irsa_cli.usecases.show.describe_sa`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import shared, switch
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.result import messages_of_reading
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.session import run_reading
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.values.shown import visible


@click.command("describe-sa", cls=HelpedCommand)
@common.name_argument(required=True)
@shared("namespace", text="Namespace of NAME. [default: default]")
@shared("reach")
@switch("--policies", "documents", help="Include all policy documents (the same as -o wide).")
@shared("readers", text="Also read another account's IAM by this role (repeat).")
@shared("ignore not found", "allow partial")
@common.output_option("text", "wide", "json", "yaml", "name")
@shared("quiet", "calls")
def command(**options: Any) -> int:
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

    options["documents"] = options["documents"] or options["output"] == "wide"
    speaking = Speaking.take(options)
    common.check_reachable(options)
    allow = Allowance(partial=options.pop("allow_partial"))
    request = Request(targets.take_target(options), **options)
    described = run_reading(lambda progress: Described(describe(request, progress.wire)), speaking, Described)
    described = replace(described, allow=allow)
    found, notes = described.found, described.found.notes if described.found else ()
    shown = map(visible, (*lines(found), described.scope.sentence)) if found else ()
    return deliver(Report(described, shown, messages_of_reading(described.error, notes)), speaking)
