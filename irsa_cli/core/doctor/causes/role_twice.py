"""A cause in settings of the application: it is told to assume the role that it has already."""

from __future__ import annotations

import re

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok, suspect
from irsa_cli.core.doctor.subjects import ROLE_ENV, injected_users, role_arn_of, role_of, where
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.kinds import Container
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import covers
from irsa_cli.core.values.arn import Arn

_ASSUME = re.compile(r"assume", re.IGNORECASE)


@cause(
    "pod-role-twice",
    Group.PODS,
    40,
    title="The application is told the role a second time: it may assume it once more, from itself.",
    symptom="User: .../assumed-role/ROLE/... is not authorized to perform: sts:AssumeRole on resource: ROLE",
    looks_at="variables and arguments of the pods' containers that name the role, and its trust policy",
    remedy="Take the role out of the application's own settings: its SDK has assumed it already.",
    source="https://aws.amazon.com/blogs/security/announcing-an-update-to-iam-role-trust-policy-behavior/",
)
def _twice(facts: Facts) -> Judgement:
    subject = facts.named
    arn = str(role_arn_of(subject))
    found = [(pod, item) for pod, item in injected_users(subject) if _names_role(item, arn)]
    if not found:
        return ok("no setting of the containers names the role once more")
    if _trusts_itself(role_of(subject)):
        return ok("settings name the role, whose trust policy lets it assume itself", containers=where(found))
    asked = [(pod, item) for pod, item in found if _is_to_assume(item, arn)]
    if asked:
        return suspect(
            "settings tell the application to assume the role, which it has already, and which does not trust"
            " itself",
            containers=where(asked),
            role=arn,
        )
    return hint(
        "settings name the role; what the application does with it can't be seen from outside, and the role"
        " does not trust itself",
        containers=where(found),
        role=arn,
    )


def _names_role(container: Container, arn: str) -> bool:
    return bool(_variables(container, arn)) or any(arn in argument for argument in container.arguments)


def _variables(container: Container, arn: str) -> list[str]:
    return [name for name in container.env.naming(arn) if name != ROLE_ENV]


def _is_to_assume(container: Container, arn: str) -> bool:
    """Whether the name of a variable or an argument says that the role is to be assumed."""
    names = _variables(container, arn)
    # What stands before the role: its own argument's name, or the argument before it.
    words = " ".join(container.arguments)
    names += [words[:place].rpartition(" -")[2] for place in _places(words, arn)]
    return any(_ASSUME.search(name) for name in names)


def _places(text: str, part: str) -> list[int]:
    return [number for number in range(len(text)) if text.startswith(part, number)]


def _trusts_itself(role: Role) -> bool:
    """Whether a statement of its trust policy names it, or its whole account, for sts:AssumeRole."""
    arn = Arn.parse(role.arn)
    names = {role.arn, arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", "*"}
    return any(
        isinstance(item, dict)
        and item.get("Effect") == "Allow"
        and any(_fits(str(action)) for action in as_list(item.get("Action", [])))
        and not names.isdisjoint(_aws_principals(item.get("Principal", {})))
        for item in as_list(role.trust.get("Statement", []))
    )


def _fits(action: str) -> bool:
    return covers((action,), "sts:AssumeRole")


def _aws_principals(principal: object) -> list[str]:
    found = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return [str(item) for item in as_list(found)]
