"""Whether a role that is only used (`--attach-role-arn`) trusts EKS Pod Identity for the ServiceAccount.

For tokens of the cluster it is judged in `irsa_cli.core.binding.attached_trust`. Pure.
"""

from __future__ import annotations

import json

from irsa_cli.core.binding.attached_trust import becoming
from irsa_cli.core.binding.current import CurrentRole, CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import pod_identity, trust_policy
from irsa_cli.core.trust.assuming import Said, lacking
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.rules.power import check_power
from irsa_cli.core.values.errors import Refused


def added(desired: DesiredState, role: CurrentRole) -> Document | None:
    """The statement that `--update-trust` adds; None if the trust policy is enough, or stays."""
    answers = _answers(desired, role.state.trust)
    enough = all(item.answer is not Answer.NO for item in answers)
    return desired.own_statement if desired.update_trust and not enough else None


def check(desired: DesiredState, role: CurrentRole) -> Document | None:
    """The statement to add; raises `Refused` if the role does not trust EKS Pod Identity after the run."""
    before, wanted = role.state.trust, added(desired, role)
    after = before if wanted is None else trust_policy.with_statement(before, wanted)
    refused = tuple(lacking(_answers(desired, after), Answer.NO))
    if refused:
        # Without irsa's mark: whoever adds it themselves keeps it.
        shown = {key: value for key, value in desired.own_statement.items() if key != "Sid"}
        missing = f"this statement is missing: {json.dumps(shown)}"
        raise Refused(
            f"the trust policy of {desired.role_arn} does not allow EKS Pod Identity for {desired.full_name}",
            reason="EKS would refuse the association, or pods would get no credentials",
            details=(
                *(f"{item.action}: {item.why}" for item in refused),
                *(becoming(before, after) if wanted is not None else (missing,)),
            ),
            next_steps=("run this again with --update-trust, which adds the statement",)
            if wanted is None
            else (),
        )
    if wanted is not None:
        check_power(desired.role_arn, desired.identity.subject, role.power, role.policies)
    return wanted


def notes(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes on a trust policy of which that can't be known, and on tags that differ."""
    wanted, there = desired.association, current.association
    if wanted is not None and there is not None and not wanted.tags.items() <= there.tags.items():
        kept = f"association {there.id} keeps its tags: irsa sets them only when it creates one"
        return [kept, *_unknown(desired, current)]
    return _unknown(desired, current)


def _unknown(desired: DesiredState, current: CurrentState) -> list[str]:
    if desired.role is not None or current.role is None or added(desired, current.role) is not None:
        return []
    open_ones = lacking(_answers(desired, current.role.state.trust), Answer.UNKNOWN)
    return [
        f"irsa can't tell whether the trust policy of {desired.role_arn} allows EKS Pod Identity"
        f" {item.action}: {item.why}"
        for item in open_ones
    ]


def _answers(desired: DesiredState, document: Document) -> tuple[Said, ...]:
    tagged = desired.association is None or not desired.association.without_session_tags
    return pod_identity.said_to_service(document, desired.cluster, desired, tagged=tagged)
