"""Causes in the role apart from its trust policy. A broad trust policy is only a hint."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

from irsa_cli.core.doctor.clues.exchanges import why_no_call
from irsa_cli.core.doctor.clues.meant import admitting
from irsa_cli.core.doctor.clues.trust_flaws import require_admitted
from irsa_cli.core.doctor.commands import in_account, is_made_for, make
from irsa_cli.core.doctor.facts import Facts, known
from irsa_cli.core.doctor.finding import Judgement, check_of, ok, problem, unknown
from irsa_cli.core.doctor.subjects import annotations_of, audience_of, listed, provider_of
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.notes import wrote
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import Unreadable, have
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import actions_of, allowing
from irsa_cli.core.trust.rules.judge import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import in_one_line

_SPREADING = timedelta(seconds=60)
"""For how long IAM may still be spreading what is new; public reports measure 2 to 60 seconds."""


@check_of("role-new")
def _new(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if role.created is None:
        return unknown("IAM did not return when the role was created")
    age = facts.now - role.created
    if age < _SPREADING:
        return unknown(f"the role was created {max(0, int(age.total_seconds()))} s ago", role=role.arn)
    return ok("the role is old enough", created=role.created.isoformat())


@check_of("role-incomplete")
def _incomplete(facts: Facts) -> Judgement:
    role, life = _under_way(facts)
    if life.is_over:
        return ok("no irsa run is changing the role or was interrupted")
    again = f"{make(facts, facts.named)} # run the same command again to complete the role"
    return problem(
        f"the role is {life.stage.value}: {life.why}",
        # Pasted, only the first does something: to give the role up is a decision.
        fix="\n".join(
            (
                again,
                "# or, to delete it:",
                *(f"# {line}" for line in life.deletion(facts.reach.irsa)),
            )
        ),
        role=role.arn,
    )


def _under_way(facts: Facts) -> tuple[Role, lifecycle.Lifecycle]:
    subject = facts.named
    annotations = annotations_of(subject)
    for item in () if annotations.get(ROLE_ARN_ANNOTATION) else admitting(subject):
        if isinstance(item.role, Role) and is_made_for(facts, subject, item.role):
            return item.role, lifecycle.of(item.role.tags, named=False)
    role = subject.annotated_role()
    ended = not is_made_for(facts, subject, role) or wrote(annotations, ROLE_ARN_ANNOTATION)
    return role, lifecycle.of(role.tags, named=True, recorded=ended)


@check_of("permissions-boundary")
def _boundary(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if not role.boundary:
        return ok("the role has no permissions boundary")
    document = have(role.boundary_policy)
    if document is None:
        return unknown("the boundary policy does not exist", boundary=role.boundary)
    allowed = allowed_actions(have(role.policies).values())
    within = allowed_actions([document])
    if not allowed or any(overlap(one, other) for one in allowed for other in within):
        return ok("the boundary and the policies have actions in common", boundary=role.boundary)
    return problem(
        "the boundary and the role's policies have no action in common",
        fix=in_account(facts, role.account, f"iam get-policy --policy-arn {shlex.quote(role.boundary)}"),
        policies=listed(sorted(allowed)),
        boundary=listed(sorted(within)) or "nothing",
    )


def allowed_actions(documents: Iterable[Document]) -> frozenset[str]:
    """The patterns of actions that policies allow, in lower case; `*` for what NotAction leaves."""
    return frozenset(
        action.lower()
        for document in documents
        for _, item in allowing(document)
        for action in (("*",) if "NotAction" in item else actions_of(item))
    )


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns of `*` and `?`."""
    if not one or not other:
        return not (one + other).replace("*", "")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])


@check_of("role-without-permissions")
def _permissions(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    if have(role.policies):
        names = (name.rsplit("/", 1)[-1] for name in sorted(have(role.policies)))
        return ok("the role has policies", policies=listed(names))
    return unknown("the role has no policies; only resource policies can give it permissions", role=role.arn)


@check_of("organization-policy")
def _organization(facts: Facts) -> Judgement:
    subject, role = facts.named, facts.named.annotated_role()
    require_admitted(facts)
    mine = [event for event in known(subject.events) if event.role_arn == role.arn]
    admitted = next((event for event in mine if not event.error), None)
    if admitted is not None:
        return ok("STS has accepted the ServiceAccount's token", last=admitted.time.isoformat())
    denied = next((event for event in mine if event.error == "AccessDenied"), None)
    if denied is None:
        return unknown(why_no_call(facts, "irsa cannot read organization policies"))
    return unknown(
        "STS denied the token, although the current trust policy allows it; irsa cannot read organization"
        " policies",
        last=denied.time.isoformat(),
    )


@check_of("role-wide-trust")
def _wide(facts: Facts) -> Judgement:
    subject, role = facts.named, facts.named.annotated_role()
    # Whom the trust lets in is known without the policies; how much that matters is not.
    policies = {} if isinstance(role.policies, Unreadable) else role.policies
    much = power(policies, policies, role.boundary)
    found = wide_trusts(role.trust, (provider_of(facts, subject),), audience_of(facts, subject), power=much)
    if not found:
        return ok("the trust policy allows only the ServiceAccounts that it names")
    return unknown(
        f"nothing is broken, but the trust policy is broad: {in_one_line(found)}",
        role=role.arn,
        tighter="; ".join(dict.fromkeys(item.suggestion for item in found)),
        explained="; ".join(dict.fromkeys(item.explained_by for item in found)),
    )
