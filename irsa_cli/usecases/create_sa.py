"""`irsa create-sa`: from nothing (or a part) to a ServiceAccount that can use its role, or back to before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import uniform
from time import sleep
from typing import TYPE_CHECKING, Any

from irsa_cli.core import arn, names, policy, trust
from irsa_cli.core.binding import Cluster, Observed, Wish, digest
from irsa_cli.core.errors import Conflict, InvalidInput, IrsaError, Refused
from irsa_cli.core.issuer import DEFAULT_AUDIENCE
from irsa_cli.core.plan import Kind, Plan
from irsa_cli.core.planning import counts_on_others, plan, service_account_annotations
from irsa_cli.core.policy import Document
from irsa_cli.core.result import Ended, Left, Result
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
from irsa_cli.usecases.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.observe import observe
from irsa_cli.usecases.running import (
    Settings,
    came_between,
    execute,
    going_on,
    left_to_another,
    name_caller,
    naming_caller,
    planned,
    told_to_stop,
)
from irsa_cli.usecases.verify import verify

if TYPE_CHECKING:
    from irsa_cli.aws.session import AwsSession


ATTEMPTS = 3
"""How often a run looks and plans at most, when others work on the same objects at the same time."""


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
    connection = connect(
        request.target,
        kube=not request.role_only,
        log=log,
        check=lambda aws: _check_partitions(request, aws),
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
        result = _until_settled(connection, wish, request, settings, context)
    except Refused as error:
        error.next_steps += tuple(
            f"irsa recover {path.stem}  # takes back the run that was cut off" for path in earlier
        )
        raise
    if result.ended in (Ended.COMMITTED, Ended.UNCHANGED) and not settings.dry_run:
        supersede(earlier)
    name_caller(result.error, connection.aws.caller)
    return result


def _until_settled(
    connection: Connection, wish: Wish, request: Request, settings: Settings, context: Mapping[str, Any]
) -> Result:
    """Look, plan and act; again when another run came between, or may have taken away what this one found."""
    done: Result | None = None
    left: Result | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            result, unsure = _attempt(connection, wish, request, settings, context)
        except IrsaError as error:
            if done is None and left is None and isinstance(error, Conflict) and attempt < ATTEMPTS:
                _look_again(error, attempt, settings)
                continue
            if done is None and left is not None:
                return left
            if done is None:
                raise
            if isinstance(error, Refused):
                return _doubtful(done, error)
            done.notes.append(f"what another run had made could not be looked at again: {error}")
            return done
        last = attempt == ATTEMPTS or settings.seconds >= settings.timeout or told_to_stop()
        if result.ended is Ended.COMMITTED and unsure and not last:
            done = result
        elif result.ended is Ended.ROLLED_BACK and came_between(result.error) and not last:
            _look_again(result.error, attempt, settings)
        elif done is None and left is None and left_to_another(result) and not last:
            left = result
            _look_again(result.error, attempt, settings)
        else:
            break
    if left is not None and done is None and result.ended not in (Ended.COMMITTED, Ended.UNCHANGED):
        return _still_left(left, result)
    if left is not None:
        supersede([settings.state_dir / f"{left.transaction}.jsonl"])
    if done is None or result.ended is Ended.COMMITTED:
        return result
    if result.ended is Ended.UNCHANGED:
        return done
    return _doubtful(done, result.error)


def _look_again(error: Exception | None, attempt: int, settings: Settings) -> None:
    settings.note(f"Another run came between ({error}): looking again.")
    sleep(uniform(0.2, 0.6) * attempt)  # noqa: S311 - two runs that meet are to part, no secret


def _still_left(left: Result, result: Result) -> Result:
    """As the wish is not true, what was left to another run has to be told of: that one may fail yet."""
    told = {item.what for item in left.left}
    return replace(left, left=[*left.left, *(item for item in result.left if item.what not in told)])


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


def _doubtful(done: Result, error: Exception | None) -> Result:
    """What was done stands, and something is missing again that another run has taken back meanwhile."""
    why = f"another run has taken back what this one had found: {error}"
    repair = "run the same command again"
    made = [change for change in done.changes if change.state in ("done", "unchanged")]
    left = [Left(f"{item.change.kind.value} {item.change.name}", why, repair) for item in made]
    return replace(done, ended=Ended.INCOMPLETE, left=left, error=error)


def _check_partitions(request: Request, aws: AwsSession) -> None:
    """A policy of another partition can't be attached; the region tells the partition before any call."""
    for text in (*request.policies, request.permissions_boundary, request.attach_role_arn):
        if text and arn.Arn.parse(text).partition != aws.partition:
            raise InvalidInput(
                f"{text} belongs to another partition than the cluster",
                reason=f"region {aws.region} is in partition {aws.partition}",
            )


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
