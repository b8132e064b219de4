"""`irsa verify`: proves that ServiceAccounts can use their roles, or says what keeps them from it.

One ServiceAccount goes through its steps in `irsa_cli.usecases.verification.verifier`. The gate of
`create-sa --verify` is in `irsa_cli.usecases.verification.gate`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.results.verification import Verification, VerificationReport
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.doing import Count
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.namespaces import check_namespace
from irsa_cli.usecases.command.pasting import pasted_options
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.reads import WORKERS, Reads
from irsa_cli.usecases.verification.verifier import Verifier, Wanted

if TYPE_CHECKING:
    from irsa_cli.kube.client import Json


@dataclass(frozen=True)
class Request:
    """What the user asked for. Without `name` it is every annotated ServiceAccount, of `namespace` or of all.

    `selector` is a label selector, for many.

    `pod` is the name of a pod that the token is to be bound to; `readers` are roles by which the IAM of other
    accounts is read.
    """

    target: Target
    namespace: str = ""
    name: str = ""
    pod: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    readers: tuple[str, ...] = ()
    selector: str = ""


def verify_accounts(request: Request, log: WireLog, note: Callable[[str], None]) -> VerificationReport:
    """Verify one ServiceAccount or many; raises `IrsaError` when the cluster can't be reached.

    What keeps it from beginning after that is the report's error.
    """
    started = monotonic()
    connection = connect(request.target, kube=True, log=log, check=lambda aws: None)
    cluster = connection.cluster
    connection.announce(note)
    many = not request.name
    try:
        with naming_caller(connection.caller), Reads(connection, request.readers) as reads:
            reads.begin()
            options = looking_options(request)
            verifier = Verifier(connection, reads, request.wanted, options, many)
            items = _many(verifier, request) if many else (_one(verifier, request),)
    except IrsaError as error:
        return VerificationReport(cluster, many=many, error=error)
    where = f"-n {request.namespace}" if request.namespace else ""
    look = " ".join(filter(None, ("irsa doctor", where, options))) if many else items[0].look
    return VerificationReport(cluster, items, many=many, seconds=monotonic() - started, look=look)


def looking_options(request: Request) -> str:
    """The options by which `irsa doctor` looks at the same cluster, and into the same accounts."""
    readers = (f"--iam-assume-role {shlex.quote(arn)}" for arn in request.readers)
    return " ".join((pasted_options(request.target), *readers))


def _one(verifier: Verifier, request: Request) -> Verification:
    account = NamedServiceAccount(verifier.connection, request.namespace, request.name)
    with ThreadPoolExecutor(1) as pool:
        pod = pool.submit(_pod, verifier.connection, request)
        try:
            injection = account.settings_with_role()
        except Refused as error:
            raise naming_roles(error, verifier.connection, request.namespace, request.name) from error
    wanted = replace(verifier.wanted, pod=pod.result())
    return replace(verifier, wanted=wanted).verify(request.namespace, request.name, injection)


def _pod(connection: Connection, request: Request) -> tuple[str, str] | None:
    """The pod's name and uid; raises `Refused` when there is none, or it has another ServiceAccount."""
    if not request.pod:
        return None
    found = connection.kube.pod(request.namespace, request.pod)
    if found is None:
        raise Refused(f"there is no pod {request.namespace}/{request.pod}")
    used = found["spec"].get("serviceAccountName") or "default"
    if used != request.name:
        raise Refused(
            f"pod {request.namespace}/{request.pod} does not use {request.name}",
            reason=f"its ServiceAccount is {used}",
        )
    return request.pod, str(found["metadata"]["uid"])


def _many(verifier: Verifier, request: Request) -> tuple[Verification, ...]:
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(
            verifier.connection.kube.service_accounts, request.namespace or None, request.selector
        )
        if request.namespace:
            check_namespace(verifier.connection, request.namespace)
        accounts = listing.result()
    annotated = [item for item in accounts if ROLE_ARN_ANNOTATION in _annotations(item)]
    count = Count("ServiceAccounts", len(annotated))

    def one(item: Json) -> Verification:
        found = _of_list(verifier, item)
        count.one()
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        return tuple(pool.map(one, annotated))


def _annotations(item: Json) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("annotations") or {}
    return found


def _of_list(verifier: Verifier, item: Json) -> Verification:
    """One of many: an error of its own does not end the others."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    injection = Injection.read(_annotations(item))
    try:
        role_arn(injection.role_arn)
        return verifier.verify(namespace, name, injection)
    except InvalidInput as error:
        wrong = Refused(f"the annotation {ROLE_ARN_ANNOTATION} can't be right", reason=str(error))
        return Verification(namespace, name, injection.role_arn, injection.audience, error=wrong)
    except IrsaError as error:
        return Verification(namespace, name, injection.role_arn, injection.audience, error=error)
