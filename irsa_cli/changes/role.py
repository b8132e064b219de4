"""IAM roles and their policies: created, and deleted only unchanged; other parts are in `role_parts`.

Attaching and detaching are idempotent at IAM. For inline policies IAM has no conditional write: on a role
that this run did not make, what is there is read and compared before each write, and a window of one round
trip remains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes import common
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import COMMIT_TAG, NOBODY, TRANSACTION_TAG, DocumentState, RoleState, State
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
            lambda: reading.read_role(self._iam, name),
            lambda role: self._own(role, run.transaction),
            run,
            common.conflict(change, "a role of that name was created"),
        )

    def _is_back(self, change: Change, name: str, desired: RoleState, run: Run) -> bool:
        """Whether a role whose deletion is rolled back exists: it never went, or has been recreated."""
        role = common.read_until(
            lambda: reading.read_role(self._iam, name),
            lambda listed: listed is None or same_role(listed.state, desired),
            run,
        )
        if role is None:
            return False
        # Whosever mark it bears: what was there before is there.
        if not same_role(role.state, desired):
            raise common.conflict(change, "another role of that name is there")
        return True

    def _found(self, change: Change, transaction: str) -> Applied | None:
        role = reading.read_role(self._iam, change.target[0])
        if change.after is None:
            return common.found_if(role is None)
        return None if role is None else self._own(role, transaction)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        name = change.target[0]
        if not isinstance(state, RoleState):
            return "DeleteRole", {"RoleName": name}
        return "CreateRole", self._asked(name, state, {TRANSACTION_TAG: transaction, **state.tags})

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """See `Handler.claimed`: another run that continues an incomplete role puts its own tag on it."""
        if change.after is None:
            return ""
        role = reading.read_role(self._iam, change.target[0]) if ours else None
        owner = transaction if role is None else role.tags.get(TRANSACTION_TAG, NOBODY)
        return "" if owner == transaction else f"transaction {owner} has claimed {change.name}"

    def _create(self, name: str, desired: RoleState, transaction: str) -> Applied:
        # Only AWS may put its own tags (`aws:cloudformation:…`) on a recreated role.
        own = {key: value for key, value in desired.tags.items() if not key.startswith("aws:")}
        parameters = self._asked(name, desired, {**own, TRANSACTION_TAG: transaction})
        answer = call(self._iam.create_role, **parameters)
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

    def _own(self, role: Role, transaction: str) -> Applied | None:
        """The existing role, if this run created it; another's may still be rolled back."""
        if role.tags.get(TRANSACTION_TAG) != transaction:
            return None
        return Applied(changed=True, identity={"RoleId": role.role_id})

    def _delete(self, change: Change, name: str, run: Run, claim: Claim | None) -> Applied:
        before = common.expect(RoleState, change.before)
        owner = claim or Claim(run.transaction)

        def is_ours(role: Role | None) -> bool:
            if role is None or owner.identity.get("RoleId", role.role_id) != role.role_id:
                return False
            # A run that deletes a role on purpose has put its own mark on it first.
            return role.tags.get(TRANSACTION_TAG) == owner.transaction and same_role(role.state, before)

        spreading = common.while_spreading(run)
        while True:
            with common.telling(Outcome.REFUSED):
                role = common.read_until(lambda: reading.read_role(self._iam, name), is_ours, run)
            if role is None:
                return Applied(changed=False)
            if owner.identity.get("RoleId", role.role_id) != role.role_id:
                raise common.not_ours(change, owner, f"RoleId {role.role_id}")
            common.check_tag(change, role.tags, owner)
            if not same_role(role.state, before):
                raise common.conflict(change, "its trust policy, tags or settings differ from what was there")
            try:
                deleted = common.delete_once(lambda: self._send(change, run.transaction))
                return replace(deleted, identity={"RoleId": role.role_id})
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


def same_role(present: RoleState, desired: RoleState) -> bool:
    """Whether two states are the same but for the marks of runs and the form of the trust policy."""
    return policy.equal(present.trust, desired.trust) and _plain(present) == _plain(desired)


def _plain(state: RoleState) -> RoleState:
    marks = (TRANSACTION_TAG, COMMIT_TAG)
    tags = {key: value for key, value in state.tags.items() if key not in marks and key[:4] != "aws:"}
    return replace(state, trust={}, tags=tags)


class AttachmentHandler(common.OnIam):
    """Attaches and detaches one managed policy; the target is `(role name, policy ARN)`.

    A change from present to present attaches again what another run may be about to remove.
    """

    repeats_deletions = True

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A policy has no owner: the claim adds nothing to the target."""
        role, arn = change.target
        if change.after is None:
            return common.delete_once(lambda: self._send(change, run.transaction))
        common.check_role_is_there(self._iam, change, run, claim)
        if claim is not None and not run.has_made(Kind.ROLE, role) and self._is_attached(role, arn):
            return Applied(changed=False)  # It was never detached, or not yet.
        self._send(change, run.transaction)
        return Applied(changed=change.before is None)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        if self._is_attached(*change.target) != (change.after is not None):
            return None
        return Applied(changed=change.before is None or change.after is None)

    def look(self, change: Change, transaction: str) -> bool:
        return self._found(change, transaction) is not None

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        parameters = {"RoleName": change.target[0], "PolicyArn": change.target[1]}
        return "DetachRolePolicy" if state is None else "AttachRolePolicy", parameters

    def _is_attached(self, role: str, arn: str) -> bool:
        try:
            return arn in reading.attached_policies(self._iam, role)
        except ServiceError as error:
            if error.code != reading.NOT_THERE:
                raise
            return False  # Nor is the role there.


class InlinePolicyHandler(common.OnIam):
    """Puts and deletes one inline policy; the target is `(role name, policy name)`."""

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A policy has no owner: its document is compared instead."""
        if change.after is None:
            return self._delete(change, run)
        common.check_role_is_there(self._iam, change, run, claim)
        document = common.expect(DocumentState, change.after).document
        if not run.has_made(Kind.ROLE, change.target[0]) and self._is_there(change, document, run):
            return Applied(changed=False)
        self._send(change, run.transaction)
        return Applied(changed=True)

    def _is_there(self, change: Change, document: policy.Document, run: Run) -> bool:
        """Whether the document is there already; raises `Conflict` when neither it nor the old one is."""
        before = change.before.document if isinstance(change.before, DocumentState) else None
        # From present to present: put again what another run may be about to remove.
        may_be_gone = before is None or policy.equal(before, document)

        def fits(present: policy.Document | None) -> bool:
            if present is None:
                return may_be_gone
            return policy.equal(present, document) or (before is not None and policy.equal(present, before))

        with common.telling(Outcome.REFUSED):
            present = self._read_until(change, fits, run)
        if not fits(present):
            gone = "it was deleted" if present is None else "an inline policy of that name was added"
            raise common.conflict(change, gone)
        return present is not None and policy.equal(present, document)

    def _read_until(
        self, change: Change, fits: Callable[[policy.Document | None], bool], run: Run
    ) -> policy.Document | None:
        return common.read_until(lambda: reading.inline_policy(self._iam, *change.target), fits, run)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        present = reading.inline_policy(self._iam, *change.target)
        if present is None or not isinstance(change.after, DocumentState):
            return common.found_if(present is None and change.after is None)
        return common.found_if(policy.equal(present, change.after.document))

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        parameters = {"RoleName": change.target[0], "PolicyName": change.target[1]}
        if isinstance(state, DocumentState):
            return "PutRolePolicy", {**parameters, "PolicyDocument": policy.dump(state.document)}
        return "DeleteRolePolicy", parameters

    def _delete(self, change: Change, run: Run) -> Applied:
        before = common.expect(DocumentState, change.before).document
        with common.telling(Outcome.REFUSED):
            present = self._read_until(
                change, lambda document: document is not None and policy.equal(document, before), run
            )
        if present is None:
            return Applied(changed=False)
        if not policy.equal(present, before):
            raise common.conflict(change, "its document differs from what was written")
        return common.delete_once(lambda: self._send(change, run.transaction))
