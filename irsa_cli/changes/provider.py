"""IAM OIDC providers and the audiences they accept.

A provider belongs to the whole cluster: a rollback deletes it only if its run created it, and removes neither
it nor an audience while roles of others use it. Audiences of others are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes import common
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import DONE, TRANSACTION_TAG, CommitState, ProviderState, State
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.trust.evaluation import takes_audience
from irsa_cli.core.values.errors import Claimed, Outcome
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

OVER = (None, CommitState(DONE))
"""The commit state in a role's tags if its run is over, or if no run of irsa created it."""
LOOKED_AT = 32
"""Roles that are read at once to find one that counts on a provider: mostly the first ones tell."""


class ProviderHandler(common.OnIam):
    """Creates and deletes an OIDC provider; the target is `(provider ARN,)`."""

    repeats_deletions = True

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        if change.after is None:
            return self._delete(change, run, claim)
        desired = common.expect(ProviderState, change.after)
        if claim is None:
            return self._create(change, desired, run.transaction, run)
        # Its deletion is rolled back: it gets the mark that it had, if any.
        state = reading.provider(self._iam, change.target[0])
        if state is None:
            return self._create(change, desired, desired.tags.get(TRANSACTION_TAG, ""), run)
        if set(state.audiences) != set(desired.audiences):
            raise common.conflict(change, f"its audiences are {', '.join(state.audiences)}")
        return Applied(changed=False)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        state = reading.provider(self._iam, change.target[0])
        if change.after is None:
            return common.found_if(state is None)
        desired = common.expect(ProviderState, change.after)
        return None if state is None else self._own(state, desired, transaction)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        if not isinstance(state, ProviderState):
            return "DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": change.target[0]}
        return "CreateOpenIDConnectProvider", self._asked(state, {TRANSACTION_TAG: transaction, **state.tags})

    @staticmethod
    def _asked(desired: ProviderState, tags: Mapping[str, str]) -> dict[str, Any]:
        # Without a thumbprint IAM checks the issuer's certificate by its own CA store; one that is
        # fetched from here may be an intercepting proxy's.
        thumbprints = {"ThumbprintList": desired.thumbprints} if desired.thumbprints else {}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {"Url": desired.url, "ClientIDList": desired.audiences, "Tags": listed, **thumbprints}

    def _create(self, change: Change, desired: ProviderState, transaction: str, run: Run) -> Applied:
        tags = {**desired.tags, TRANSACTION_TAG: transaction} if transaction else desired.tags
        parameters = self._asked(desired, tags)

        def create() -> Applied:
            call(self._iam.create_open_id_connect_provider, **parameters)
            return Applied(changed=True)

        return common.create_once(
            create,
            lambda: reading.provider(self._iam, change.target[0]),
            lambda state: self._own(state, desired, transaction),
            run,
            common.conflict(change, "a provider of that issuer was created"),
        )

    def _own(self, state: ProviderState, desired: ProviderState, transaction: str) -> Applied | None:
        """The existing provider, if this run created it, or nobody rolls it back and it is as desired."""
        if state.tags.get(TRANSACTION_TAG) == transaction:
            return Applied(changed=True)
        if TRANSACTION_TAG in state.tags:
            return None  # Another run's, which may still roll it back: a new run claims it first.
        # Somebody else's provider is as good when it accepts what we need.
        return Applied(changed=False) if set(desired.audiences) <= set(state.audiences) else None

    def _delete(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        arn = change.target[0]
        before = common.expect(ProviderState, change.before)

        def is_ours(state: ProviderState | None) -> bool:
            if state is None or set(state.audiences) != set(before.audiences):
                return False
            return claim is None or state.tags.get(TRANSACTION_TAG) == claim.transaction

        with common.telling(Outcome.REFUSED):
            state = common.read_until(lambda: reading.provider(self._iam, arn), is_ours, run)
        if state is None:
            return Applied(changed=False)
        if claim is not None:
            common.check_tag(change, state.tags, claim)
        if set(state.audiences) != set(before.audiences):
            raise common.conflict(change, f"its audiences are {', '.join(state.audiences)}")
        if claim is not None:
            _check_unused(self._iam, change, claim, lambda trust: names_provider(trust, arn))
        return common.delete_once(lambda: self._send(change, run.transaction))


class AudienceHandler(common.OnIam):
    """Adds and removes one audience of a provider; the target is `(provider ARN, audience)`."""

    repeats_deletions = True

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """Both calls are idempotent at IAM."""
        arn, audience = change.target
        if change.after is None:
            with common.telling(Outcome.REFUSED):
                accepts = self._accepts(arn, audience)
            if not accepts:
                return Applied(changed=False)
            if claim is not None:
                _check_unused(self._iam, change, claim, lambda trust: takes_audience(trust, arn, audience))
        self._send(change, run.transaction)
        return Applied(changed=True)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        accepts = self._accepts(*change.target)
        return common.found_if(accepts == (change.after is not None))

    def _accepts(self, arn: str, audience: str) -> bool:
        state = reading.provider(self._iam, arn)
        return state is not None and audience in state.audiences

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        parameters = {"OpenIDConnectProviderArn": change.target[0], "ClientID": change.target[1]}
        removes = state is None
        return (
            "RemoveClientIDFromOpenIDConnectProvider" if removes else "AddClientIDToOpenIDConnectProvider",
            parameters,
        )


def _check_unused(
    iam: IAMClient, change: Change, claim: Claim, counts_on_it: Callable[[Document], bool]
) -> None:
    """Raise `Claimed` when roles count on it that the claim's run did not make.

    ListRoles shows no tags, and for a while what was true before: who is found so is read by name.
    Raises `ServiceError` when the roles can't be read: then nobody knows, and it stays.
    """
    names = [role.name for role in reading.list_roles(iam).roles if counts_on_it(role.trust)]
    for first in range(0, len(names), LOOKED_AT):
        roles = reading.read_roles(iam, names[first : first + LOOKED_AT])
        theirs = [role for role in roles if role.tags.get(TRANSACTION_TAG) != claim.transaction]
        dependents = [role for role in theirs if counts_on_it(role.trust)]
        if dependents:
            raise _counted_on(change, claim, dependents)


def _counted_on(change: Change, claim: Claim, roles: Sequence[Role]) -> Claimed:
    names = [role.name for role in roles]
    some = ", ".join(names if len(names) <= 3 else [*names[:3], "…"])
    return Claimed(
        f"{change.kind.value} {change.name} was left alone",
        reason=f"it is trusted by roles that transaction {claim.transaction} did not create: {some}",
        ended=all(lifecycle.commit_of(role.tags) in OVER for role in roles),
    )
