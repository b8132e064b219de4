"""EKS Pod Identity associations: created, changed and deleted only as they were read.

EKS keeps one association for a ServiceAccount, without a version to compare, and still refuses a new one for
some seconds after a deletion. An association bears the mark of the run that created it as a tag.
https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from irsa_cli.aws.bindings import association
from irsa_cli.aws.errors import call
from irsa_cli.aws.recent_writes import may_be_late, recent_writes
from irsa_cli.changes import common
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import TRANSACTION_TAG, AssociationState
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.core.values.patience import persist
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

IN_USE = "ResourceInUseException"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterException"


class AssociationHandler(common.Settled):
    """Creates, changes and deletes an association; the target is `(cluster, namespace, ServiceAccount)`."""

    def __init__(self, eks: EKSClient, iam: IAMClient) -> None:
        self._eks = eks
        self._iam = iam

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        if change.after is None:
            return self._delete(change, run, claim)
        desired = common.expect(AssociationState, change.after)
        if change.before is not None:
            return self._update(change, common.expect(AssociationState, change.before), desired)
        if claim is not None:
            # Its deletion is rolled back: it was never deleted, or is there again. EKS may still show one
            # that is deleted: only a creation tells, unless it stays.
            back = common.read_until(lambda: self._read(change), lambda listed: listed is None, run)
            if back is not None and not back.is_like(desired):
                raise common.conflict(change, f"association {back.id} is there instead")
            if back is not None:
                return Applied(changed=False)
        return common.create_once(
            lambda: self._create(change, desired, run),
            lambda: self._read(change),
            lambda present: _own(present, desired.tags.get(TRANSACTION_TAG, run.transaction)),
            run,
            common.conflict(change, "an association of that ServiceAccount was created"),
            exists=IN_USE,
        )

    def _found(self, change: Change, transaction: str) -> Applied | None:
        present = self._read(change)
        if change.after is None:
            return common.found_if(present is None)
        if present is None or not _is_done(change, present):
            return None
        return _own(present, transaction) if change.before is None else Applied(changed=True)

    def _read(self, change: Change) -> Association | None:
        return association(self._eks, *change.target, whole=True)

    def _create(self, change: Change, desired: AssociationState, run: Run) -> Applied:
        """Create it, with the same token each time: EKS answers a repeated request as it did the first."""
        cluster, namespace, name = change.target
        token = uuid.uuid5(uuid.NAMESPACE_OID, "\0".join((run.transaction, *change.target)))
        optional: dict[str, Any] = {}
        if desired.target_role_arn:
            optional["targetRoleArn"] = desired.target_role_arn
        if desired.session_policy:
            optional["policy"] = policy.dump(desired.session_policy)
        if desired.without_session_tags:
            optional["disableSessionTags"] = True
        answer = self._call_with_role(
            "create_pod_identity_association",
            desired.role_arn,
            clusterName=cluster,
            namespace=namespace,
            serviceAccount=name,
            clientRequestToken=str(token),
            tags={TRANSACTION_TAG: run.transaction, **desired.tags},
            **optional,
        )
        return Applied(changed=True, identity={"associationId": answer["association"]["associationId"]})

    def _update(self, change: Change, before: AssociationState, desired: AssociationState) -> Applied:
        present = self._read(change)
        if present is None:
            raise common.conflict(change, "it is gone")
        if _is_done(change, present):
            return Applied(changed=False)
        if not present.is_like(before) and not present.is_like(desired):
            raise common.conflict(change, f"association {present.id} is another")
        put = {key: text for key, text in desired.tags.items() if before.tags.get(key) != text}
        if put:
            call(self._eks.tag_resource, resourceArn=present.arn, tags=put)
        gone = [key for key in before.tags if key not in desired.tags]
        if gone:
            call(self._eks.untag_resource, resourceArn=present.arn, tagKeys=gone)
        if present.is_like(desired):
            return Applied(changed=True)
        # EKS keeps the rest.
        changed: dict[str, Any] = {}
        if desired.session_policy != before.session_policy:
            changed["policy"] = policy.dump(desired.session_policy) if desired.session_policy else ""
        self._call_with_role(
            "update_pod_identity_association",
            desired.role_arn,
            clusterName=change.target[0],
            associationId=present.id,
            targetRoleArn=desired.target_role_arn,
            disableSessionTags=desired.without_session_tags,
            **changed,
        )
        return Applied(changed=True)

    def _call_with_role(self, method: str, role_arn: str, **parameters: Any) -> Any:
        """Call EKS about a role, again while EKS may not know yet what was written of the role in IAM.

        https://github.com/hashicorp/terraform-provider-aws/issues/34711
        """
        written = recent_writes(self._iam).has_written(role_arn.rsplit("/", 1)[-1])

        def ask() -> Any:
            try:
                return call(getattr(self._eks, method), roleArn=role_arn, **parameters)
            except ServiceError as error:
                late = error.code == INVALID and (written or may_be_late())
                raise error.knowing(transient=late or error.transient) from error

        return persist(ask, writes=True)

    def _delete(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        before = common.expect(AssociationState, change.before)
        identity = claim.identity if claim else {}
        known_id = identity.get("associationId") or before.association_id
        with common.telling(Outcome.REFUSED):
            # A late read must not hide an association that is still there.
            present = common.read_until(lambda: self._read(change), lambda listed: listed is not None, run)
        if present is None:
            return Applied(changed=False)
        if claim is not None:
            common.check_tag(change, present.tags, claim)
        if (known_id and present.id != known_id) or not present.is_like(before):
            raise common.conflict(change, f"association {present.id} is not the one that was there")
        delete = self._eks.delete_pod_identity_association
        parameters = {"clusterName": change.target[0]}
        return common.delete_once(lambda: call(delete, **parameters, associationId=present.id), NOT_FOUND)


def _is_done(change: Change, present: Association) -> bool:
    """Whether an association is as the change leaves it; of its tags, those that the change is about."""
    after = common.expect(AssociationState, change.after)
    if change.before is None or not present.is_like(after):
        return present.is_like(after)
    before = common.expect(AssociationState, change.before)
    keys = {*before.tags, *after.tags}
    return all(present.tags.get(key) == after.tags.get(key) for key in keys)


def _own(present: Association, transaction: str) -> Applied | None:
    """The association that is there, if this run created it."""
    if present.transaction != transaction:
        return None
    return Applied(changed=True, identity={"associationId": present.id})
