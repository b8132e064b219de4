"""The cause that a pod itself tells, if irsa was asked to start one (`--in-pod`)."""

from __future__ import annotations

from irsa_cli.core.doctor.causes.uncreated import to_see
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem, suspect
from irsa_cli.core.doctor.inside import EXPECTED, WRONG
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.unreadable import CannotTell, Unreadable
from irsa_cli.core.values.arn import Arn

INSIDE = "pod-inside"


def expected_role(subject: Subject) -> str:
    """The ARN of the role that new pods get, '' if irsa does not know it."""
    association = subject.association
    if isinstance(association, Association):
        return association.target_role_arn or association.role_arn
    try:
        return "" if isinstance(association, Unreadable) else str(subject.role_arn())
    except CannotTell:
        return ""


@check_of(INSIDE)
def _inside(facts: Facts) -> Judgement:
    answer, expected = facts.named.inside, expected_role(facts.named)
    if answer is None:
        raise CannotTell("no new pod was requested (--in-pod)")
    if isinstance(answer, Unreadable):
        return suspect(f"not examined from inside a pod: {answer.why}")
    evidence = {**answer.evidence, "expected": expected or "not known"}
    other = bool(answer.identity and expected) and not _is_session_of(answer.identity, expected)
    text = f"in a new pod: {answer.sentence}"
    if answer.verdict == WRONG or (other and answer.verdict != EXPECTED):
        return problem(text, fix=to_see(facts), **evidence)
    if answer.verdict == EXPECTED and not other:
        return ok(text, **evidence)
    return suspect(f"{text} But it is not the expected role." if other else text, **evidence)


def _is_session_of(identity: str, role: str) -> bool:
    """Whether a caller's ARN is that of a session of the role."""
    mine, theirs = Arn.parse(identity), Arn.parse(role)
    return mine.account == theirs.account and mine.resource.startswith(f"assumed-role/{theirs.name}/")
