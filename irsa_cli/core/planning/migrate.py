"""The plans that move a ServiceAccount between IRSA and EKS Pod Identity; pure.

`addition` puts the new way next to the old one and removes nothing: from then on a pod gets the role by
whichever way it was started. `retirement` removes the old way of this cluster, and nothing of other
clusters, other ServiceAccounts or other tools. The use case reads what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from irsa_cli.core.binding.changes import account_changes
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.marks.notes import with_marks, wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.planning.differences import check_provider
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust import pod_identity, trust_policy
from irsa_cli.core.values.errors import Refused


class Way(str, Enum):
    """How pods get a role; the value is what `--to` takes."""

    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"

    @property
    def other(self) -> Way:
        """The way that is left."""
        return Way.IRSA if self is Way.POD_IDENTITY else Way.POD_IDENTITY


@dataclass(frozen=True)
class Ways:
    """A ServiceAccount with its role and its association, as they are.

    `pods` are its running pods by the way that gave them credentials; those with none of both are left out.
    """

    pair: Pairing
    association: Association | None
    pods: dict[Way, tuple[str, ...]]

    @property
    def role_arn(self) -> str:
        """The role that pods get, by the annotation or else by the association."""
        return self.pair.role_arn or (self.association.role_arn if self.association else "")

    @property
    def subject_statements(self) -> list[Document]:
        """The statements in irsa's form that trust the cluster's tokens for this ServiceAccount."""
        identity = self.pair.identity(self.pair.audience)
        found = trust_policy.marked_for(self._trust, identity)
        plain = trust_policy.found(self._trust, trust_policy.statement(identity))
        return [item for item in (found, plain) if item is not None]

    @property
    def pod_statements(self) -> list[Document]:
        """The statements that irsa writes for EKS Pod Identity and this ServiceAccount."""
        names = (self.pair.cluster, self.pair.namespace, self.pair.name)
        return [
            item for item in as_list(self._trust.get("Statement", [])) if pod_identity.is_for(item, *names)
        ]

    @property
    def _trust(self) -> Document:
        return self.pair.role.state.trust if self.pair.role is not None else {}

    def has(self, way: Way) -> bool:
        """Whether new pods can get the role this way: both ends are there."""
        if way is Way.POD_IDENTITY:
            given = self.association is not None and self.association.role_arn == self.role_arn
            return given and trust_policy.trusts_service(self._trust, pod_identity.SERVICE)
        identity = self.pair.identity(self.pair.audience)
        return bool(self.pair.role_arn) and trust_policy.admits(self._trust, identity)


def addition(to: Way, ways: Ways) -> Plan:
    """The changes after which pods get the role both ways; empty if they do already. Raises `Refused`."""
    return _add_association(ways) if to is Way.POD_IDENTITY else _add_annotation(ways)


def _statement(ways: Ways, wanted: Document) -> list[Change]:
    role, subject = ways.role_arn.rsplit("/", 1)[-1], ways.pair.identity(ways.pair.audience).subject
    return [Change(Kind.TRUST_STATEMENT, (role, subject), None, states.DocumentState(wanted))]


def _add_association(ways: Ways) -> Plan:
    pair, there = ways.pair, ways.association
    cluster = pair.cluster
    if there is not None and (there.role_arn != ways.role_arn or there.owner):
        owner = f", owned by {there.owner}" if there.owner else ""
        raise Refused(
            f"{pair.full_name} has the association {there.id} with another role",
            reason=f"it gives {there.role_arn}{owner}, and the annotation names {ways.role_arn}",
            next_steps=(f"aws eks delete-pod-identity-association --cluster-name {cluster.name}"
                        f" --association-id {there.id}",),
        )  # fmt: skip
    if ways.role_arn.split(":")[4] != cluster.account:
        raise Refused(
            f"role {ways.role_arn} is not in the cluster's account {cluster.account}",
            reason="EKS Pod Identity assumes roles of that account only",
            next_steps=("create a role there, and name this one as its target role (--target-role)",),
        )
    wanted = pod_identity.statement(cluster, pair.namespace, pair.name)
    # A statement of somebody else may allow it: judged by whoever reads, it is not counted on.
    first = [] if ways.pod_statements else _statement(ways, wanted)
    marks = {states.CLUSTER_TAG: cluster.arn, states.SERVICE_ACCOUNT_TAG: pair.full_name}
    state = states.AssociationState(ways.role_arn, tags=marks)
    target = (cluster.name, pair.namespace, pair.name)
    return Plan.of(first, [] if there is not None else [Change(Kind.ASSOCIATION, target, None, state)])


def _add_annotation(ways: Ways) -> Plan:
    pair = ways.pair
    there = pair.account.annotations.get(states.ROLE_ARN_ANNOTATION)
    if there not in (None, ways.role_arn):
        raise Refused(
            f"{pair.full_name} names another role than its association gives",
            reason=f"the annotation is {there}, the association gives {ways.role_arn}",
            next_steps=(pair.command("doctor"),),
        )
    check_provider(pair.cluster, pair.audience, pair.provider)
    identity = replace(pair, named_role=ways.role_arn).identity(pair.audience)
    own = pair.role is not None and pair.role.state.tags.get(states.SERVICE_ACCOUNT_TAG) == pair.full_name
    wanted = trust_policy.statement(identity) if own else trust_policy.marked_statement(identity)
    trusted = pair.role is not None and trust_policy.admits(pair.role.state.trust, identity)
    annotations = with_marks({states.ROLE_ARN_ANNOTATION: ways.role_arn})
    target = (pair.namespace, pair.name)
    account = [] if there else account_changes(target, pair.account, annotations, {})
    return Plan.of([] if trusted else _statement(ways, wanted), account)


def retirement(to: Way, ways: Ways, *, others: bool = False) -> tuple[Plan, list[str]]:
    """The changes that remove the old way, and what stays and why. Raises `Refused`.

    `others`: also what irsa did not write goes.
    """
    pair = ways.pair
    if not ways.has(to):
        raise Refused(
            f"{pair.full_name} does not get its role by {to.value} yet",
            next_steps=(
                f"irsa migrate --to {to.value} {pair.name} -n {pair.namespace} {pair.cluster.options}",
            ),
        )
    left = ways.pods.get(to.other, ())
    if left:
        raise Refused(
            f"{len(left)} running pods of {pair.full_name} still use {to.other.value}",
            details=left[:10],
            next_steps=(f"restart them: irsa migrate --to {to.value} {pair.name} -n {pair.namespace}"
                        f" {pair.cluster.options} --restart",),
        )  # fmt: skip
    return _retire_annotation(ways, others) if to is Way.POD_IDENTITY else _retire_association(ways, others)


def _retire_annotation(ways: Ways, others: bool) -> tuple[Plan, list[str]]:
    pair, notes = ways.pair, list[str]()
    there = pair.account.annotations
    gone: dict[str, str | None] = {}
    if states.ROLE_ARN_ANNOTATION in there:
        if others or wrote(there, states.ROLE_ARN_ANNOTATION):
            keys = (*states.WEBHOOK_ANNOTATIONS, *states.MARKS.values())
            gone = {key: None for key in keys if key in there}
        else:
            notes.append(
                f"the annotation of {pair.full_name} stays: irsa did not write it (--include-managed)"
            )
    account = account_changes((pair.namespace, pair.name), pair.account, gone, {})
    return Plan.of(account, _without(ways, ways.subject_statements, notes)), notes


def _retire_association(ways: Ways, others: bool) -> tuple[Plan, list[str]]:
    pair, there, notes = ways.pair, ways.association, list[str]()
    if there is None:
        return Plan.of(_without(ways, ways.pod_statements, notes)), notes
    ours = there.tags.get(states.SERVICE_ACCOUNT_TAG) == pair.full_name
    if there.owner or not (ours or others):
        notes.append(f"the association {there.id} stays: irsa did not create it (--include-managed)")
        return Plan(()), notes
    target = (pair.cluster.name, pair.namespace, pair.name)
    state = replace(there.state, tags=dict(there.tags))
    statements = _without(ways, ways.pod_statements, notes)
    return Plan.of([Change(Kind.ASSOCIATION, target, state, None)], statements), notes


def _without(ways: Ways, unwanted: Sequence[Document], notes: list[str]) -> list[Change]:
    """The removal of statements, unless a trust policy without any would be left."""
    role = ways.role_arn.rsplit("/", 1)[-1]
    subject = ways.pair.identity(ways.pair.audience).subject
    if not unwanted:
        notes.append(f"the trust policy of {role} has no statement of irsa for {subject}: it stays as it is")
    return [
        Change(Kind.TRUST_STATEMENT, (role, subject), states.DocumentState(item), None) for item in unwanted
    ]
