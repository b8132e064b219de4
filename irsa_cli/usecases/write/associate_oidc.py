"""`irsa associate-oidc`: the cluster's issuer becomes an IAM OIDC provider that accepts the audience."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from irsa_cli.aws import iam as reading
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.planning.create import provider_changes
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.connect import Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.settings import Settings


@dataclass(frozen=True)
class Request:
    """The request, with checked values."""

    target: Target
    audiences: tuple[checked.Audience, ...] = (DEFAULT_AUDIENCE,)
    thumbprints: tuple[checked.Thumbprint, ...] = ()
    tags: checked.Tags = field(default_factory=dict)


def associate_oidc(request: Request, settings: Settings, log: WireLog) -> Result:
    """Create the provider, or add missing audiences to it."""
    connection = connect(request.target, kube=False, log=log)
    cluster = connection.cluster
    begin(connection, settings)
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    context = RunContext.of(Command.ASSOCIATE_OIDC, connection, None)

    def covers(_story: Story, change: Change) -> bool:
        """Whether what an earlier run did is asked for by this one: it created no audience that isn't."""
        created = change.after.audiences if isinstance(change.after, ProviderState) else change.target[1:]
        return set(created) <= set(request.audiences)

    earlier = going_on(settings, context, covers)

    def draft() -> Draft:
        present = reading.provider(connection.iam, arn)
        _check_present(request, present, arn)
        changes = provider_changes(
            cluster, request.audiences, present, thumbprints=request.thumbprints, tags=request.tags
        )
        there = Documents((cluster,), providers={arn: None if present is None else present.audiences})

        def describe(result: Result) -> None:
            before = present.audiences if present else []
            audiences = [*before, *(item for item in request.audiences if item not in before)]
            result.facts = {"provider": {"arn": arn, "url": cluster.issuer, "audiences": audiences}}
            if present is not None:
                accepted = ", ".join(before) or "(none)"
                result.notes.append(f"the provider was there already, for the audiences {accepted}")

        return Draft(Plan.of(changes), [present], documents=lambda: there, describe=describe)

    result = Loop(connection, settings, context, earlier, covers).run(draft)
    error = result.error
    creation = ("LimitExceeded", "CreateOpenIDConnectProvider")
    if isinstance(error, ServiceError) and (error.code, error.operation) == creation:
        steps = (
            "remove providers whose clusters are gone: aws iam list-open-id-connect-providers",
            "or ask for a higher quota of OIDC providers (IAM in Service Quotas)",
        )
        result.error = error.but(next_steps=steps)
    return result


def _check_present(request: Request, present: ProviderState | None, arn: str) -> None:
    """Refuse when what the user asked for is set otherwise; nobody's setting is overwritten."""
    if present is None:
        return
    steps = []
    details = []
    on_provider = f"--open-id-connect-provider-arn {shlex.quote(arn)}"
    if request.thumbprints and sorted(request.thumbprints) != sorted(present.thumbprints):
        present_ones = ", ".join(present.thumbprints) or "none"
        desired_ones = ", ".join(request.thumbprints)
        details.append(f"thumbprints: {present_ones} (requested: {desired_ones})")
        desired = shlex.join(request.thumbprints)
        steps.append(
            f"aws iam update-open-id-connect-provider-thumbprint {on_provider} --thumbprint-list {desired}"
        )
    for key, value in request.tags.items():
        if present.tags.get(key) != value:
            details.append(f"tag {key}: {present.tags.get(key, 'not there')} (requested: {value})")
            tag = shlex.quote(f"Key={key},Value={value}")
            steps.append(f"aws iam tag-open-id-connect-provider {on_provider} --tags {tag}")
    if details:
        raise Refused("the OIDC provider is there and differs", reason=arn, details=details, next_steps=steps)
