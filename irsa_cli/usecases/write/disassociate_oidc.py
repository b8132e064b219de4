"""`irsa disassociate-oidc`: the cluster's OIDC provider goes from IAM, unless roles still trust it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from irsa_cli.aws import iam
from irsa_cli.aws import iam as reading
from irsa_cli.aws.gone import recognize
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.marks.makers import UNKNOWN, maker_of_role
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import CLUSTER_TAG, ProviderState
from irsa_cli.core.planning.deletion_checks import check_known
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.transaction.reading import everything
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.settings import Settings

SHOWN = 20
"""How many roles are named at most."""


@dataclass(frozen=True)
class Request:
    """Which cluster, as whom; `force`: even if it is others', or in use, or that can't be known."""

    target: Target
    force: bool = False


def disassociate_oidc(request: Request, settings: Settings, log: WireLog) -> Result:
    """Delete the provider; without one there is nothing to do. Raises `Refused` while roles trust it."""
    connection = connect(request.target, kube=False, log=log, gone=recognize)
    _check_known_issuer(connection)
    begin(connection, settings)
    context = RunContext.of(Command.DISASSOCIATE_OIDC, connection, None)
    earlier = going_on(settings, context, everything)
    return Loop(connection, settings, context, earlier).run(partial(_draft, connection, request))


def _draft(connection: Connection, request: Request) -> Draft:
    """The deletion of the provider, if there is one."""
    cluster = connection.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    provider = reading.provider(connection.iam, arn) if cluster.issuer else None
    if provider is None:
        return Draft(Plan.of([]), [None], describe=partial(_describe, cluster, arn, [], []))
    changes = [Change(Kind.PROVIDER, (arn,), provider, None)]
    notes = [*_check_known(changes, request), *_check_ours(cluster, request, provider)]
    trusting, documents = _check_unused(connection, request, arn)
    notes += trusting
    others = [audience for audience in provider.audiences if audience != DEFAULT_AUDIENCE]
    if others:
        notes.append(f"it also accepted the audiences {', '.join(others)}")
    return Draft(
        Plan.of(changes),
        [provider],
        documents=lambda: documents,
        guard=partial(Guard, losses=request.force, loss_flag="--force"),
        describe=partial(_describe, cluster, arn, provider.audiences, notes),
    )


def _describe(
    cluster: Cluster, arn: str, audiences: Sequence[str], notes: Sequence[str], result: Result
) -> None:
    deleted = result.ended is Ended.COMMITTED
    result.facts = {
        "provider": {"arn": arn, "url": cluster.issuer, "audiences": list(audiences), "deleted": deleted}
    }
    result.notes += notes


def _check_known_issuer(connection: Connection) -> None:
    """Raise `Refused` for a cluster that is gone and has marks on several providers: one has to be named."""
    if connection.gone is not None and len(connection.gone.marked) > 1:
        cluster = connection.cluster
        raise Refused(
            f"{len(connection.gone.marked)} OIDC providers have irsa's tag for {cluster.arn}",
            next_steps=[
                f"irsa disassociate-oidc -c {cluster.name} -r {cluster.region} --account {cluster.home}"
                f" --issuer-url {shlex.quote(state.url)}"
                for state in connection.gone.marked.values()
            ],
        )


def _check_ours(cluster: Cluster, request: Request, present: ProviderState) -> list[str]:
    """Refuse a provider that irsa did not create; with --force, return a note."""
    if CLUSTER_TAG in present.tags:
        return []
    maker = maker_of_role(present.tags)
    made = "creator unknown" if maker == UNKNOWN else f"created by {maker}"
    if request.force:
        return [f"irsa did not create the provider ({made})"]
    raise Refused(
        f"irsa did not create the OIDC provider of {cluster.name}",
        reason=f"it has no tag {CLUSTER_TAG}: {made}",
        next_steps=(
            "delete it with the tool that manages it (eksctl, Terraform, CloudFormation)",
            "or delete it anyway: run this again with --force",
        ),
    )


def _check_known(changes: list[Change], request: Request) -> list[str]:
    """Refuse a provider with more than irsa could bring back; with --force it is noted."""
    try:
        check_known(changes)
    except Refused as error:
        if not request.force:
            raise
        return [f"{error}: these are lost"]
    return []


def _check_unused(connection: Connection, request: Request, arn: str) -> tuple[list[str], Documents]:
    """Refuse while roles trust the provider; with --force they are noted. And the roles as they are."""
    clusters = (connection.cluster,)
    try:
        roles = iam.list_roles(connection.iam).roles
    except ServiceError as error:
        if error.status != 403 or not request.force:
            raise
        return [f"not checked whether roles trust the provider: {error.reason}"], Documents(clusters)
    trusts = {role.arn: role.trust for role in roles if names_provider(role.trust, arn)}
    trusting = [*trusts]
    there = Documents(clusters, trusts, has_all_roles=True)
    if not trusting:
        return [], there
    shown = [*trusting[:SHOWN], *([f"and {len(trusting) - SHOWN} more"] if len(trusting) > SHOWN else [])]
    if request.force:
        return [f"AWS no longer accepts the cluster's tokens for: {', '.join(shown)}"], there
    raise Refused(
        f"{len(trusting)} role{'s trust' if len(trusting) != 1 else ' trusts'} the OIDC provider of"
        f" {connection.cluster.name}",
        reason="without the provider, STS refuses the tokens of the pods that use them",
        details=shown,
        next_steps=(
            "delete them first: irsa delete-sa NAME -n NAMESPACE",
            "or delete it anyway: run this again with --force",
        ),
    )
