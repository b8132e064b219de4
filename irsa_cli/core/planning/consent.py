"""Whether a ServiceAccount may get its role a second way: by the trust policy, and by the user; pure.

Whom the role's owner allows the one way gets the other. An annotation is no consent: anybody may write one.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from irsa_cli.core.binding.role_power import power_of
from irsa_cli.core.marks import makers
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.planning.ways import Ways
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.added import AddedStatement
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import Refused


@dataclass(frozen=True)
class Permitted:
    """The permissions of the user for one run.

    `others`: to change what other tools manage. `force`: to bypass a condition. `wide_trust`: to add trust in
    a powerful role.
    """

    others: bool = False
    force: bool = False
    wide_trust: bool = False


NOTHING = Permitted()


def check_consent(to: IdentitySource, ways: Ways) -> None:
    """Raise `Refused` unless the ServiceAccount can use the role the other way, by the owner's statement.

    Else whoever may annotate a ServiceAccount would get the role by it. irsa's mark on the role is no consent
    either: a statement that is gone may have been revoked. For IRSA, the association must be there as well.
    """
    binding = ways.binding
    first = to.other
    answer, why = ways.answer(first, binding.trust)
    if first is IdentitySource.POD_IDENTITY and ways.association is None:
        answer = Answer.NO
        why = (f"{binding.full_name} has no association",)
    if answer is Answer.YES:
        return
    known = answer is Answer.NO
    raise Refused(
        f"{binding.full_name} can't use {binding.role_arn} by {first.title}"
        if known
        else f"irsa can't tell whether {binding.full_name} can use {binding.role_arn} by {first.title}",
        reason="irsa migrate adds a second way to one that works; an annotation alone gives no role",
        details=why,
        next_steps=(f"to give it this role: {_named_in_words(to, ways)}",),
    )


def _named_in_words(to: IdentitySource, ways: Ways) -> str:
    """The command that gives the role to the ServiceAccount, and names both.

    The role can be what somebody wrote into an annotation. So the command has no flag that bypasses a
    condition or allows a powerful role: `create-sa` judges that, and says which flag it would take.
    """
    binding = ways.binding
    association = ways.association
    words = [binding.command("create-sa")]
    if to is IdentitySource.POD_IDENTITY:
        words.append("--pod-identity")
        words += ["--disable-session-tags"] if association is not None and association.without_tags else []
    elif binding.audience != DEFAULT_AUDIENCE:
        words += ["--audience", shlex.quote(binding.audience)]
    words += ["--attach-role-arn", shlex.quote(binding.role_arn), "--update-trust"]
    return " ".join(words)


def check_statement(to: IdentitySource, ways: Ways, statement: Document, allowed: Permitted) -> None:
    """Raise `Refused` for a statement that its role's tool removes again, or that gives too much."""
    binding = ways.binding
    added = AddedStatement(binding.role_arn, binding.identity, binding.trust, statement)
    maker = binding.role_maker
    if maker not in _KEEP_STATEMENTS and not allowed.others:
        shown = {key: value for key, value in statement.items() if key != "Sid"}
        again = makers.writes_again(maker) or "its next run"
        raise Refused(
            f"role {binding.role_arn} is managed by {maker}",
            reason=f"{again} would remove irsa's statement, and pods would lose the role by {to.title}",
            details=(f"this statement is missing: {json.dumps(shown)}",),
            next_steps=(
                f"add the statement with {maker}, then run this again",
                f"or let irsa add it: {binding.command('migrate')} --to {to.value} --include-managed",
            ),
        )
    if not allowed.force:
        added.check_conditions()
    if not allowed.wide_trust and ways.judged is not None:
        role = ways.judged()
        added.check_power(power_of(role), role.policies)


_STACKS = (makers.EKSCTL, makers.CLOUDFORMATION, makers.CDK)
"""Tools whose roles are in stacks: an update changes the trust policy only where the template did."""
_KEEP_STATEMENTS = (makers.IRSA, makers.UNKNOWN, *_STACKS)


def notes_of_maker(plan: Plan, ways: Ways) -> list[str]:
    """A note if the plan adds a statement to a role that another tool manages."""
    binding = ways.binding
    maker = binding.role_maker
    adds = (change.kind is Kind.TRUST_STATEMENT and change.after for change in plan)
    if maker in (makers.IRSA, makers.UNKNOWN) or not any(adds):
        return []
    if maker not in _STACKS:
        undone = f"{makers.writes_again(maker) or 'its next run'} may remove irsa's statement"
        return [f"role {binding.role_name} is managed by {maker}: {undone}; add it there too"]
    undone = "an update of the stack may remove irsa's statement"
    return [f"role {binding.role_name} belongs to a stack of {maker}: {undone}; add it to the template"]
