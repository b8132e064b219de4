"""IAM roles, without their policies: creating, and deleting unchanged ones; parts are in `role_parts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes import common
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import COMMIT_TAG, NOBODY, TRANSACTION_TAG, RoleState, State
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.transaction.protocol import Applied, Claim, Run


class RoleHandler(common.OnIam):
    """Creates and deletes roles. CreateRole is the compare-and-set: a name is taken once."""

    repeats_deletions = True

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        name = change.target[0]
        if change.after is None:
            return self._delete(change, name, run, claim)
        desired = common.expect(RoleState, change.after)
        if claim is not None and self._is_back(change, name, desired, run):
            return Applied(changed=False)
        return common.create_once(
            lambda: self._create(name, desired, run.transaction),
            lambda: reading.role_state(self._iam, name),
            lambda found: self._own(found, run.transaction),
            run,
            common.conflict(change, "a role of that name was created"),
        )

    def _is_back(self, change: Change, name: str, desired: RoleState, run: Run) -> bool:
        """Whether a role whose deletion is rolled back exists: it never went, or has been recreated."""
        found = common.read_until(
            lambda: reading.role_state(self._iam, name),
            lambda it: it is None or same_role(it[0], desired),
            run,
        )
        if found is None:
            return False
        # Whosever mark it bears: what was there before is there.
        if not same_role(found[0], desired):
            raise common.conflict(change, "another role of that name is there")
        return True

    def _found(self, change: Change, transaction: str) -> Applied | None:
        found = reading.role_state(self._iam, change.target[0])
        if change.after is None:
            return Applied(changed=True) if found is None else None
        return None if found is None else self._own(found, transaction)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        name = change.target[0]
        if not isinstance(state, RoleState):
            return "DeleteRole", {"RoleName": name}
        return "CreateRole", self._asked(name, state, {TRANSACTION_TAG: transaction, **state.tags})

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """See `Handler.claimed`: another run that continues an incomplete role puts its own tag on it."""
        if change.after is None:
            return ""
        found = reading.role_state(self._iam, change.target[0]) if ours else None
        owner = transaction if found is None else found[0].tags.get(TRANSACTION_TAG, NOBODY)
        return "" if owner == transaction else f"transaction {owner} has claimed {change.name}"

    def _create(self, name: str, desired: RoleState, transaction: str) -> Applied:
        # Only AWS may put its own tags (`aws:cloudformation:…`) on a recreated role.
        own = {key: value for key, value in desired.tags.items() if not key.startswith("aws:")}
        asked = self._asked(name, desired, {**own, TRANSACTION_TAG: transaction})
        answer = call(self._iam.create_role, **asked)
        return Applied(changed=True, identity={"RoleId": answer["Role"]["RoleId"]})

    @staticmethod
    def _asked(name: str, desired: RoleState, tags: Mapping[str, str]) -> dict[str, Any]:
        optional = {"Description": desired.description, "PermissionsBoundary": desired.permissions_boundary}
        return {
            "RoleName": name,
            "Path": desired.path,
            "AssumeRolePolicyDocument": policy.dump(desired.trust),
            "MaxSessionDuration": desired.max_session_duration,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            **{key: value for key, value in optional.items() if value},
        }

    def _own(self, found: tuple[RoleState, str], transaction: str) -> Applied | None:
        """The existing role, if this run created it; another's may still be rolled back."""
        if found[0].tags.get(TRANSACTION_TAG) != transaction:
            return None
        return Applied(changed=True, identity={"RoleId": found[1]})

    def _delete(self, change: Change, name: str, run: Run, claim: Claim | None) -> Applied:
        before, owner = common.expect(RoleState, change.before), claim or Claim(run.transaction)

        def is_ours(found: tuple[RoleState, str] | None) -> bool:
            if found is None or owner.identity.get("RoleId", found[1]) != found[1]:
                return False
            # A run that deletes a role on purpose has put its own mark on it first.
            return found[0].tags.get(TRANSACTION_TAG) == owner.transaction and same_role(found[0], before)

        spreading = common.while_spreading(run)
        while True:
            with common.telling(Outcome.REFUSED):
                found = common.read_until(lambda: reading.role_state(self._iam, name), is_ours, run)
            if found is None:
                return Applied(changed=False)
            if owner.identity.get("RoleId", found[1]) != found[1]:
                raise common.not_ours(change, owner, f"RoleId {found[1]}")
            common.check_tag(change, found[0].tags, owner)
            if not same_role(found[0], before):
                raise common.conflict(change, "its trust policy, tags or settings differ from what was there")
            try:
                done = common.delete_once(lambda: self._send(change, run.transaction))
                return replace(done, identity={"RoleId": found[1]})
            except ServiceError as error:
                if error.code != "DeleteConflict":
                    raise
                # IAM may not have heard of a detaching yet, by this run or by one before it.
                if not next(spreading, False):
                    self._explain(change, name)
                    raise

    def _explain(self, change: Change, name: str) -> None:
        extra = [*reading.attached_policies(self._iam, name), *reading.inline_policy_names(self._iam, name)]
        if extra:
            raise common.conflict(change, f"it has policies that this run did not add: {', '.join(extra)}")


def same_role(one: RoleState, other: RoleState) -> bool:
    """Whether two states are the same but for the marks of runs and the form of the trust policy."""
    return policy.equal(one.trust, other.trust) and _plain(one) == _plain(other)


def _plain(state: RoleState) -> RoleState:
    marks = (TRANSACTION_TAG, COMMIT_TAG)
    tags = {key: value for key, value in state.tags.items() if key not in marks and key[:4] != "aws:"}
    return replace(state, trust={}, tags=tags)
