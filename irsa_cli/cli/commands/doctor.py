"""`irsa doctor`: its options; the work is in `irsa_cli.usecases.doctor.diagnose`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.help.environment import form_of
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import (
    NAME_OR_SELECTOR,
    NAMESPACE_OR_ALL,
    all_namespaces_flag,
    any_namespace_flag,
    name_flag,
    selector_flag,
)
from irsa_cli.cli.options.contradictions import Excludes, check
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import SERVICE_ACCOUNT, TEXT, ValueKind, WholeSeconds
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ReachFlags, readers_flag
from irsa_cli.cli.options.running import lock_namespace_flag, lock_namespace_in_force
from irsa_cli.cli.options.values import explained
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import deliver, show
from irsa_cli.cli.session import run_reading
from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.usecases.read.users_of_pods import kind_of

if TYPE_CHECKING:
    from irsa_cli.usecases.doctor.in_pod import InPod


class AccountOrUser(ValueKind[str]):
    """The name of a ServiceAccount, or of a pod or workload that uses it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text."""
        try:
            _kind_and_name(str(value))
            if not value:
                SERVICE_ACCOUNT.convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)
        return str(value)


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """The ServiceAccounts that are checked, and how."""

    name: str | None = name_flag(kind=AccountOrUser())
    namespace: str | None = any_namespace_flag("Namespace to check. [default: all, or 'default' with NAME]")
    everywhere: bool = all_namespaces_flag("Check all namespaces (the default without NAME).")
    selector: str | None = selector_flag()
    reach: ReachFlags = group(ReachFlags)
    readers: tuple[str, ...] = readers_flag(
        "Also read another account's IAM and CloudTrail by this role (repeat)."
    )
    explain: str | None = once(
        "--explain", kind=TEXT, metavar="ID", help="Explain a cause, without any call; 'all' lists them."
    )
    in_pod: bool = switch("--in-pod", help="Also run irsa preflight in a new pod of NAME, and delete it.")
    image: str | None = once(
        "--image", kind=TEXT, metavar="IMAGE", help="With --in-pod: image of irsa, with its digest."
    )
    wait: int | None = once(
        "--wait", kind=WholeSeconds("5s", "5m"), help="With --in-pod: time limit. [default: 2m]"
    )
    lock_namespace: str | None = lock_namespace_flag()
    output: ReportedOutputFlags = group(ReportedOutputFlags)


CONTRADICTIONS = (
    NAMESPACE_OR_ALL,
    NAME_OR_SELECTOR,
    Excludes("everywhere", ("name",), "NAME and --all-namespaces contradict each other"),
)


@click.command("doctor", cls=HelpedCommand)
@bound(DoctorOptions)
def command(options: DoctorOptions) -> int:
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
    from irsa_cli.cli.output.results.doctor import of_diagnosis
    from irsa_cli.core.doctor.diagnosis import Diagnosis
    from irsa_cli.usecases.doctor.diagnose import Request, diagnose

    speaking = options.output.speaking()
    if options.explain is not None:
        return _explain(options.explain, form_of(speaking.output, "json", "yaml", "name"))
    reach = options.reach.joined()
    reach.check_reachable()
    check(options, CONTRADICTIONS)
    kind, name = _kind_and_name(options.name or "")
    place = lock_namespace_in_force(options.lock_namespace)
    in_pod = _in_pod(options, speaking.progress.note)
    request = Request(
        reach.target(),
        options.namespace or ("default" if name else ""),
        name,
        options.readers,
        kind,
        place,
        options.selector or "",
        in_pod,
    )
    failed = partial(Diagnosis, None)
    diagnosis = run_reading(lambda progress: diagnose(request, progress.wire), speaking, failed)
    return deliver(of_diagnosis(diagnosis, everything=speaking.verbose), speaking)


def _explain(identifier: str, output: str) -> int:
    """Print the explanation of a cause, or the list of all."""
    from irsa_cli.cli.output.results.doctor import explanation, overview
    from irsa_cli.core.doctor.diagnosis import causes_envelope

    causes = explained(identifier, CAUSES, "cause", output)
    text = overview(causes) if identifier == "all" else explanation(causes[0])
    show(Report(causes_envelope(causes), text), output)
    return 0


def _in_pod(options: DoctorOptions, tell: Callable[[str], None]) -> InPod | None:
    """The request for a new pod; None without `--in-pod`."""
    from irsa_cli.core.doctor.facts import Subject
    from irsa_cli.usecases.doctor.in_pod import InPod

    if not options.in_pod:
        if options.image or options.wait:
            raise click.UsageError("--image and --wait need --in-pod")
        return None
    in_pod = InPod(options.image or "", options.wait or 120, tell)
    try:
        in_pod.job(Subject("default", "default"))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not options.name:
        raise click.UsageError("--in-pod needs NAME")
    return in_pod


def _kind_and_name(text: str) -> tuple[str, str]:
    """The kind ('' for a ServiceAccount) and the name in NAME."""
    word, _, name = text.rpartition("/")
    kind = kind_of(word)
    if kind is None:
        raise click.BadParameter(
            f"'{word}' is not a kind with pods, such as pod/NAME or deployment/NAME", param_hint="NAME"
        )
    if text:
        SERVICE_ACCOUNT.convert(name, None, None)
    return kind, name
