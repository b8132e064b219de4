"""Whether a role that is only used (`--attach-role-arn`, attachRoleARN) trusts the ServiceAccount.

Or, for an association, EKS Pod Identity for it. There are three answers: yes, no, and unknown because of a
condition. Unknown is neither refused nor turned into "yes" by a statement: irsa reports it. Pure; the role's
trust policy is evaluated in `irsa_cli.core.trust.evaluation`, what a new statement would void is found in
`irsa_cli.core.trust.restrictions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.role_power import power_of
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks import makers
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document, difference
from irsa_cli.core.trust import assuming, trust_policy
from irsa_cli.core.trust.added import AddedStatement, becoming
from irsa_cli.core.trust.assuming import Decision, lacking
from irsa_cli.core.trust.evaluation import Answer, Explanation, explain
from irsa_cli.core.trust.restrictions import Restriction, voided
from irsa_cli.core.values.errors import Refused


@dataclass(frozen=True)
class Attached:
    """How the trust policy of a role that is only used stands to the ServiceAccount.

    `after` is the policy after the run: with the statement if one is `added`. `voids` are the
    restrictions that the statement makes, or would make, worthless.
    """

    before: Document
    after: Document
    added: Document | None
    voids: tuple[Restriction, ...]
    explanation: Explanation
    """The answer of the current policy."""
    outlook: Explanation
    """The answer of the policy after the run."""


def judge(desired: DesiredState, role: Role) -> Attached:
    """The state of the role for the ServiceAccount, and the statement to add with `--update-trust`."""
    before = role.state.trust
    explanation = explain(before, desired.identity)
    statement = trust_policy.marked_statement(desired.identity)
    if explanation.allowed or not desired.update_trust:
        return Attached(before, before, None, (), explanation, explanation)
    after = trust_policy.with_statement(before, statement)
    voids = voided(before, desired.identity)
    return Attached(before, after, statement, voids, explanation, explain(after, desired.identity))


def added(desired: DesiredState, role: Role) -> Document | None:
    """The statement that `--update-trust` adds; None if the trust policy is enough, or stays."""
    if desired.association is None:
        return judge(desired, role).added
    enough = all(answer.answer is not Answer.NO for answer in _service_answers(desired, role.state.trust))
    return desired.own_statement if desired.update_trust and not enough else None


def check(desired: DesiredState, role: Role) -> Document | None:
    """The statement to add; raises `Refused` if the role certainly does not trust the ServiceAccount.

    And where the statement that is missing would void a restriction of one that is there, without `--force`,
    or would allow it a powerful role, without `--allow-wide-trust`.
    """
    statement = (
        _check_service(desired, role) if desired.association is not None else _check_tokens(desired, role)
    )
    if statement is not None:
        _adding(desired, role, statement).check_power(power_of(role), role.policies)
    return statement


def _adding(desired: DesiredState, role: Role, statement: Document) -> AddedStatement:
    return AddedStatement(desired.role_arn, desired.identity, role.state.trust, statement)


def _check_tokens(desired: DesiredState, role: Role) -> Document | None:
    attached = judge(desired, role)
    if attached.outlook.denied:
        raise Refused(
            f"the trust policy of {desired.role_arn} denies {desired.identity.subject}",
            reason="a Deny statement applies to it, and a Deny overrides every Allow",
            details=tuple(attached.outlook.text),
            rests_on=(desired.role_arn,),
        )
    if attached.added is not None and not desired.force:
        unchanged = "to use the role unchanged, run this again without --update-trust"
        steps = [unchanged] if attached.explanation.answer is Answer.UNKNOWN else []
        _adding(desired, role, attached.added).check_conditions(steps=steps)
    if attached.outlook.allowed is False:
        raise _not_admitted(desired, attached, makers.maker_of_role(role.state.tags))
    return attached.added


def _check_service(desired: DesiredState, role: Role) -> Document | None:
    before = role.state.trust
    statement = added(desired, role)
    after = before if statement is None else trust_policy.with_statement(before, statement)
    refused = tuple(lacking(_service_answers(desired, after), Answer.NO))
    if refused:
        # Without irsa's mark: whoever adds it themselves keeps it.
        shown = {key: value for key, value in desired.own_statement.items() if key != "Sid"}
        missing = f"this statement is missing: {json.dumps(shown)}"
        raise Refused(
            f"the trust policy of {desired.role_arn} does not allow EKS Pod Identity for {desired.full_name}",
            reason="EKS would refuse the association, or pods would get no credentials",
            details=(
                *(f"{answer.action}: {answer.why}" for answer in refused),
                *(becoming(before, after) if statement is not None else (missing,)),
            ),
            next_steps=("run this again with --update-trust, which adds the statement",)
            if statement is None
            else (),
            rests_on=(desired.role_arn,),
        )
    if statement is not None and not desired.force:
        _adding(desired, role, statement).check_conditions()
    return statement


def _not_admitted(desired: DesiredState, attached: Attached, maker: str) -> Refused:
    voids = voided(attached.before, desired.identity)
    flags = "--update-trust --force" if voids else "--update-trust"
    step = f"run this again with {flags}, which adds the statement"
    if voids:
        step += " and bypasses the conditions above"
    if maker not in ("irsa", makers.UNKNOWN):
        step += f"; {maker} may revert it: add it there too"
    missing = json.dumps(trust_policy.statement(desired.identity))
    return Refused(
        f"the trust policy of {desired.role_arn} does not allow {desired.identity.subject}",
        reason="STS would reject its token",
        details=(*(restriction.text for restriction in voids), f"this statement is missing: {missing}"),
        next_steps=(step,),
        rests_on=(desired.role_arn,),
    )


def notes(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes on a role that is not refused: what can't be known, and what is bypassed."""
    role = current.binding.seen_role
    if desired.role is not None or role is None or desired.association is not None:
        return []
    attached = judge(desired, role)
    texts = []
    if attached.outlook.answer is not Answer.YES:
        why = "; ".join(attached.outlook.conditions)
        texts.append(
            f"irsa can't tell whether the trust policy of {desired.role_arn} allows"
            f" {desired.identity.subject}: {why} (--verify checks with STS)"
        )
    if attached.added is not None and desired.force:
        texts += _bypassed(attached.voids)
    return texts


def _bypassed(voids: Iterable[Restriction]) -> list[str]:
    added = "bypassed, because --force adds a statement without this condition"
    return [f"{restriction.text}: {added}" for restriction in voids]


def facts(desired: DesiredState, current: CurrentState) -> dict[str, Any]:
    """The facts of a result about a trust policy with bypassed restrictions; empty for all others."""
    role = current.binding.seen_role
    if desired.role is not None or role is None or desired.association is not None:
        return {}
    attached = judge(desired, role)
    if attached.added is None or not attached.voids:
        return {}
    change = {
        "before": attached.before,
        "after": attached.after,
        "voids": [restriction.text for restriction in attached.voids],
    }
    return {"trustPolicy": {**change, "difference": difference(attached.before, attached.after)}}


def service_notes(desired: DesiredState, current: CurrentState) -> list[str]:
    """Notes on EKS Pod Identity: an unknown answer of a trust policy, and tags that differ."""
    role = current.binding.seen_role
    association = current.binding.known_association
    notes = list[str]()
    state = desired.association
    if state is not None and association is not None and not state.tags.items() <= association.tags.items():
        notes.append(f"association {association.id} keeps its tags: irsa sets them only when it creates one")
    if desired.role is not None or role is None:
        return notes
    if (statement := added(desired, role)) is not None:
        return [*notes, *_bypassed(_adding(desired, role, statement).voids)]
    unknown = lacking(_service_answers(desired, role.trust), Answer.UNKNOWN)
    trust = f"the trust policy of {desired.role_arn} allows EKS Pod Identity"
    return [*notes, *(f"irsa can't tell whether {trust} {answer.action}: {answer.why}" for answer in unknown)]


def _service_answers(desired: DesiredState, document: Document) -> tuple[Decision, ...]:
    tagged = desired.association is None or not desired.association.without_session_tags
    return assuming.said_to_service(document, desired.cluster, desired, tagged=tagged)
