"""`irsa doctor`: its options; the work is in `irsa_cli.usecases.doctor.diagnose`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from irsa_cli.cli.help.environment import form_of
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import Checked, Duration, explained, once, once_filled, shared, switch
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import Speaking, deliver, show
from irsa_cli.cli.session import run_reading
from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.usecases.read.users_of_pods import kind_of


class AccountOrUser(click.ParamType):  # type: ignore[type-arg]
    """The name of a ServiceAccount, or of a pod or workload that uses it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text."""
        try:
            _what(str(value))
            if not value:
                Checked("name", "names.service_account").convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)
        return str(value)


@click.command("doctor", cls=HelpedCommand)
@common.name_argument(kind=AccountOrUser())
@shared("any namespace", text="Namespace to check. [default: all, or 'default' with NAME]")
@shared("all namespaces", text="Check all namespaces (the default without NAME).")
@shared("selector", "reach")
@shared("readers", text="Also read another account's IAM and CloudTrail by this role (repeat).")
@once_filled("--explain", metavar="ID", help="Explain a cause, without any call; 'all' lists them.")
@switch("--in-pod", help="Also run irsa preflight in a new pod of NAME, and delete it.")
@once_filled("--image", metavar="IMAGE", help="With --in-pod: image of irsa, with its digest.")
@once("--wait", type=Duration(within=("5s", "5m")), help="With --in-pod: time limit. [default: 2m]")
@shared("lock namespace")
@common.reported_output_options
def command(**options: Any) -> int:
    """Find out why a ServiceAccount cannot use its role.

    irsa checks everything from the cluster's issuer to the environment of the pods. It shows the problems,
    the most probable cause first, and how to fix each. NAME is a ServiceAccount, or a workload that uses
    it: pod/NAME, deployment/NAME. Without NAME, irsa checks the cluster and all ServiceAccounts that have
    or had a role. doctor changes nothing: it creates a pod with dryRun=All only. With --in-pod, it creates
    a Job under the ServiceAccount, reads its log, and deletes it.

    Exit code 5: something is wrong. Exit code 1: nothing is wrong, but something relevant could not be
    checked: the ServiceAccount, role, trust policy or provider, or there is no running pod.

    Examples:
      irsa doctor s3-reader -n backend -c prod
      irsa doctor pod/reader-6d4cf56db6-x2x9k -n backend -c prod
      irsa doctor -c prod
      irsa doctor -n backend -l tier=web -c prod
      irsa doctor s3-reader -n backend -c prod --in-pod --image registry.example.com/irsa@sha256:DIGEST
      irsa doctor --explain trust-subject
    """
    from irsa_cli.cli.output.results.doctor import explanation, of_diagnosis, overview
    from irsa_cli.core.doctor.diagnosis import Diagnosis, causes_envelope
    from irsa_cli.usecases.doctor.diagnose import Request, diagnose

    speaking = Speaking.take(options)
    identifier = options.pop("explain")
    if identifier is not None:
        output = form_of(speaking.output, "json", "yaml", "name")
        causes = explained(identifier, CAUSES, "cause", output)
        text = overview(causes) if identifier == "all" else explanation(causes[0])
        show(Report(causes_envelope(causes), text), output)
        return 0
    common.check_reachable(options)
    common.check_many(options)
    if options["everywhere"] and options["name"]:
        raise click.UsageError("NAME and --all-namespaces contradict each other")
    kind, name = _what(options["name"] or "")
    namespace = options["namespace"] or ("default" if name else "")
    place = common.take_lock_namespace(options)
    chosen, in_pod = options["selector"] or "", _in_pod(options, speaking.progress.note)
    target = targets.take_target(options)
    request = Request(target, namespace, name, options["readers"], kind, place, chosen, in_pod)
    failed = partial(Diagnosis, None)
    diagnosis = run_reading(lambda progress: diagnose(request, progress.wire), speaking, failed)
    return deliver(of_diagnosis(diagnosis, everything=speaking.verbose), speaking)


def _in_pod(options: dict[str, Any], tell: Callable[[str], None]) -> Any:
    """The request for a new pod; None without `--in-pod`."""
    from irsa_cli.core.doctor.facts import Subject
    from irsa_cli.usecases.doctor.in_pod import InPod

    image, seconds = options.pop("image") or "", options.pop("wait")
    if not options.pop("in_pod"):
        if image or seconds:
            raise click.UsageError("--image and --wait need --in-pod")
        return None
    asked = InPod(image, seconds or 120, tell)
    try:
        asked.job(Subject("default", "default"))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not options["name"]:
        raise click.UsageError("--in-pod needs NAME")
    return asked


def _what(text: str) -> tuple[str, str]:
    """The kind ('' for a ServiceAccount) and the name in NAME."""
    word, _, name = text.rpartition("/")
    kind = kind_of(word)
    if kind is None:
        raise click.BadParameter(
            f"'{word}' is not a kind with pods, such as pod/NAME or deployment/NAME", param_hint="NAME"
        )
    if text:
        Checked("name", "names.service_account").convert(name, None, None)
    return kind, name
