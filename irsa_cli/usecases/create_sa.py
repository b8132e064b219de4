"""`irsa create-sa`: from nothing (or a part) to a ServiceAccount that can use its role, or back to before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import sleep
from typing import Any

from irsa_cli.core import arn, names, policy, trust
from irsa_cli.core.binding import Cluster, Observed, Wish, digest
from irsa_cli.core.errors import InvalidInput, Refused
from irsa_cli.core.issuer import DEFAULT_AUDIENCE
from irsa_cli.core.plan import Kind, Plan
from irsa_cli.core.planning import counts_on_others, plan, service_account_annotations
from irsa_cli.core.policy import Document
from irsa_cli.core.result import Ended, Result
from irsa_cli.core.states import (
    CLUSTER_TAG,
    SERVICE_ACCOUNT_TAG,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
    WISH_TAG,
    RoleState,
)
from irsa_cli.transaction.engine import Event, Step
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.recover import supersede
from irsa_cli.usecases.connect import Connection, Target, WireLog, check_partitions, connect
from irsa_cli.usecases.observe import observe
from irsa_cli.usecases.running import (
    Settings,
    execute,
    going_on,
    name_caller,
    naming_caller,
    planned,
)
from irsa_cli.usecases.settling import until_settled
from irsa_cli.usecases.verify import verify


@dataclass(frozen=True)
class Request:
    """What the user asked for, each value checked by its own rule already. Durations in seconds."""

    target: Target
    namespace: str
    name: str
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    attach_role_arn: str = ""
    role_name: str = ""
    role_path: str = ""
    description: str = ""
    max_session_duration: int = 3600
    permissions_boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    audience: str = DEFAULT_AUDIENCE
    sts_regional_endpoints: bool | None = None
    token_expiration: int | None = None
    subject_pattern: str = ""
    role_only: bool = False
    create_namespace: bool = True
    override: bool = False
    update_trust: bool = False
    associate: bool = False
    verify: bool = False


def create_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Make the ServiceAccount and its role as wished, in one transaction."""
    wanted = (*request.policies, request.permissions_boundary, request.attach_role_arn)
    connection = connect(
        request.target,
        kube=not request.role_only,
        log=log,
        check=lambda aws: check_partitions(wanted, aws),
    )
    wish = wish_of(request, connection.cluster)
    settings.note(
        f"{connection.cluster.name} · {connection.cluster.region} · account {connection.cluster.account}"
    )
    context = {
        "command": "create-sa",
        "cluster": wish.cluster.arn,
        "serviceAccount": f"{wish.namespace}/{wish.name}",
        "target": vars(request.target),
    }
    earlier = going_on(settings, context)
    try:
        result = until_settled(lambda: _attempt(connection, wish, request, settings, context), settings)
    except Refused as error:
        error.next_steps += tuple(
            f"irsa recover {path.stem}  # takes back the run that was cut off" for path in earlier
        )
        raise
    if result.ended in (Ended.COMMITTED, Ended.UNCHANGED) and not settings.dry_run:
        supersede(earlier)
    name_caller(result.error, connection.aws.caller)
    return result


def _attempt(
    connection: Connection, wish: Wish, request: Request, settings: Settings, context: Mapping[str, Any]
) -> tuple[Result, bool]:
    """One attempt, and whether it builds on what another run may be taking back."""
    with naming_caller(connection.aws.caller):
        observed = observe(connection, wish)
    todo = plan(wish, observed)
    result = _carry_out(connection, wish, todo, request, settings, context)
    result.facts = _facts(wish, observed, result)
    result.notes += _notes(wish, observed)
    return result, counts_on_others(wish, observed, todo)


def wish_of(request: Request, cluster: Cluster) -> Wish:
    """The wish that the request means for this cluster: names, ARNs and the trust policy filled in."""
    role_name = request.role_name or names.default_role_name(
        cluster.name, cluster.arn, request.namespace, request.name
    )
    path = request.role_path or names.default_role_path(cluster.name)
    own_arn = arn.iam_arn(cluster.partition, cluster.account, f"role{path}{role_name}")
    role_arn = request.attach_role_arn or own_arn
    extra = dict(request.annotations)
    if request.sts_regional_endpoints is not None:
        extra[STS_REGIONAL_ANNOTATION] = str(request.sts_regional_endpoints).lower()
    if request.token_expiration is not None:
        extra[TOKEN_EXPIRATION_ANNOTATION] = str(request.token_expiration)
    wish = Wish(
        cluster=cluster,
        namespace=request.namespace,
        name=request.name,
        role_arn=role_arn,
        audience=request.audience,
        policies=request.policies,
        inline=request.inline,
        annotations=service_account_annotations(role_arn, request.audience, DEFAULT_AUDIENCE, extra),
        labels=request.labels,
        subject_pattern=request.subject_pattern,
        create_namespace=request.create_namespace,
        role_only=request.role_only,
        override=request.override,
        update_trust=request.update_trust,
        associate=request.associate,
        gated=request.verify,
    )
    if request.attach_role_arn:
        return wish
    made = replace(wish, role=_role(request, wish, path))
    assert made.role is not None
    return replace(made, role=replace(made.role, tags={**made.role.tags, WISH_TAG: digest(made)}))


def _role(request: Request, wish: Wish, path: str) -> RoleState:
    identity = wish.identity
    if request.subject_pattern:
        identity = replace(identity, subject=names.subject(request.namespace, request.subject_pattern))
    document = trust.policy(identity, pattern=bool(request.subject_pattern))
    if not request.role_only and not trust.admits(document, wish.identity):
        raise InvalidInput(
            f"--subject-pattern '{request.subject_pattern}' does not match {request.name}",
            reason="the ServiceAccount would get a role that it can't assume",
        )
    if policy.size(document) > policy.TRUST_LIMIT:
        raise InvalidInput(
            "the trust policy would be too large", reason=f"IAM takes {policy.TRUST_LIMIT} characters"
        )
    return RoleState(
        path=path,
        trust=document,
        description=request.description,
        max_session_duration=request.max_session_duration,
        permissions_boundary=request.permissions_boundary,
        tags={
            **request.tags,
            CLUSTER_TAG: wish.cluster.arn,
            SERVICE_ACCOUNT_TAG: f"{wish.namespace}/{wish.name}",
        },
    )


def _carry_out(
    connection: Connection,
    wish: Wish,
    todo: Plan,
    request: Request,
    settings: Settings,
    context: Mapping[str, Any],
) -> Result:
    from irsa_cli.changes import handlers

    cluster = connection.cluster
    if settings.dry_run:
        result = planned(todo, cluster, settings)
        return result if len(todo) else replace(result, ended=Ended.UNCHANGED)
    verification: dict[str, Any] = {}

    def prove(run: Run) -> None:
        # Only what this run changes in IAM may still be spreading; a refusal of anything else is final.
        fresh = any(change.kind not in (Kind.NAMESPACE, Kind.SERVICE_ACCOUNT) for change in todo)
        seconds = run.remaining - 1 if fresh else 0
        verification.update(
            verify(connection, wish, seconds=seconds, pause=run.pause, listen=settings.listen)
        )

    if len(todo):
        found = handlers(connection.iam, None if wish.role_only else connection.kube)
        result = execute(todo, found, cluster, settings, context, gate=prove if request.verify else None)
    else:
        result = Result(Ended.UNCHANGED, cluster=cluster)
        if request.verify:
            settings.listen(Event(Step.GATE))
            verification.update(verify(connection, wish, seconds=0, pause=sleep, listen=settings.listen))
            settings.listen(Event(Step.GATE_PASSED))
    result.verification = verification or None
    result.seconds = settings.seconds
    return result


def _facts(wish: Wish, observed: Observed, result: Result) -> dict[str, Any]:
    created = wish.role is not None and observed.role is None and result.ended is Ended.COMMITTED
    account: dict[str, Any] | None = None
    if not wish.role_only:
        account = {"namespace": wish.namespace, "name": wish.name}
    return {"serviceAccount": account, "role": {"arn": wish.role_arn, "created": created}}


def _notes(wish: Wish, observed: Observed) -> list[str]:
    notes = []
    if observed.role_unreadable:
        notes.append(f"the trust policy of {wish.role_arn} was not checked: {observed.role_unreadable}")
    if wish.role_account != wish.cluster.account:
        notes.append(
            f"not checked: account {wish.role_account} needs an OIDC provider for {wish.cluster.issuer}, too"
        )
    return notes
