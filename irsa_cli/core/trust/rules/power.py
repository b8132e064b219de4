"""What of a role's policies makes its holder administrator, or lets him become one: in words.

Pure, and by the plainest signs: AWS's own policies of that kind, statements that allow all actions, or all of
IAM, on everything, and the ways of a maintained list (`ESCALATIONS`), allowed on everything without a
condition. What conditions or narrower resources leave open is not said to be much.

The ways are those of Rhino Security Labs' list
(https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/) and of
https://pathfinding.cloud, as far as a role's own permissions are enough and no user has to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import covers, statements
from irsa_cli.core.values.errors import Refused

SOURCE = "https://pathfinding.cloud"


@dataclass(frozen=True)
class Escalation:
    """One way: all these actions, allowed on every resource; `by` says what one does with them."""

    actions: tuple[str, ...]
    by: str


def _way(by: str, *actions: str) -> Escalation:
    return Escalation(actions, by)


_HAND_ON = "iam:PassRole"

ESCALATIONS: tuple[Escalation, ...] = (
    _way("writing a policy that it has", "iam:CreatePolicyVersion"),
    _way("choosing another version of a policy that it has", "iam:SetDefaultPolicyVersion"),
    _way("attaching a policy to a role", "iam:AttachRolePolicy"),
    _way("writing a policy into a role", "iam:PutRolePolicy"),
    _way("changing whom a role admits", "iam:UpdateAssumeRolePolicy"),
    _way("attaching a policy to a user", "iam:AttachUserPolicy"),
    _way("writing a policy into a user", "iam:PutUserPolicy"),
    _way("attaching a policy to a group", "iam:AttachGroupPolicy"),
    _way("writing a policy into a group", "iam:PutGroupPolicy"),
    _way("adding a user to a group", "iam:AddUserToGroup"),
    _way("creating access keys of a user", "iam:CreateAccessKey"),
    _way("giving a user a password", "iam:CreateLoginProfile"),
    _way("changing a user's password", "iam:UpdateLoginProfile"),
    _way("starting an instance with another role", _HAND_ON, "ec2:RunInstances"),
    _way("running a function with another role", _HAND_ON, "lambda:CreateFunction", "lambda:InvokeFunction"),
    _way("running a function with another role", _HAND_ON, "lambda:CreateFunction", "lambda:AddPermission"),
    _way(
        "running a function with another role",
        _HAND_ON,
        "lambda:CreateFunction",
        "lambda:CreateEventSourceMapping",
    ),
    _way("changing what a function with another role does", "lambda:UpdateFunctionCode"),
    _way("creating a stack with another role", _HAND_ON, "cloudformation:CreateStack"),
    _way("running a task with another role", _HAND_ON, "ecs:RegisterTaskDefinition", "ecs:RunTask"),
    _way("building with another role", _HAND_ON, "codebuild:CreateProject", "codebuild:StartBuild"),
    _way("starting a Glue job with another role", _HAND_ON, "glue:CreateJob", "glue:StartJobRun"),
    _way("opening a Glue endpoint with another role", _HAND_ON, "glue:CreateDevEndpoint"),
    _way(
        "opening a notebook with another role",
        _HAND_ON,
        "sagemaker:CreateNotebookInstance",
        "sagemaker:CreatePresignedNotebookInstanceUrl",
    ),
    _way(
        "running a pipeline with another role",
        _HAND_ON,
        "datapipeline:CreatePipeline",
        "datapipeline:PutPipelineDefinition",
    ),
    _way("giving a pod another role", _HAND_ON, "eks:CreatePodIdentityAssociation"),
    _way("running commands on instances", "ssm:SendCommand"),
    _way("opening sessions on instances", "ssm:StartSession"),
    _way("becoming administrator of a cluster", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy"),
    _way("becoming any role that trusts the account", "sts:AssumeRole"),
)
ACTIONS: frozenset[str] = frozenset(action for way in ESCALATIONS for action in way.actions)
"""All actions of the list."""


_MANAGED = re.compile(r"arn:[\w-]+:iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)")
_ALL = {"*", "*:*", "iam:*"}
SHOWN_WAYS = 2
"""Ways to become administrator that are named; of more the number is told."""


def check_power(role_arn: str, who: str, much: str, policies: Iterable[str]) -> None:
    """Raise `Refused` where a role would be given to somebody that may do much, or nobody knows what."""
    if much:
        raise Refused(
            f"{role_arn} would be given to {who}: {much}",
            reason="whose role is it? whoever runs as that ServiceAccount would have all of it",
            details=[f"policy {name}" for name in policies],
            next_steps=("if it has to be so: run this again with --allow-wide-trust",),
        )


@dataclass(frozen=True)
class Granted:
    """What one policy allows, or denies, on everything and without a condition.

    `much` are patterns that mean all actions, or all of IAM; `allowed` and `denied` actions of the list.
    """

    much: tuple[str, ...] = ()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    denies_all: bool = False


def granted(document: Any) -> Granted:
    """What a policy grants on everything. Documents that are none grant nothing."""
    much: list[str] = []
    allowed: set[str] = set()
    denied: set[str] = set()
    for item in statements(document):
        if not _is_for_everything(item):
            continue
        patterns = tuple(map(str, as_list(item.get("Action", []))))
        if item.get("Effect") == "Deny":
            denied |= set() if item.get("Condition") else _covered(item, patterns)
        elif item.get("Effect") == "Allow":
            much += [text for text in patterns if text.lower() in _ALL]
            allowed |= set() if item.get("Condition") else _covered(item, patterns)
    everything = any(
        item.get("Effect") == "Deny"
        and not item.get("Condition")
        and "*" in as_list(item.get("Action", []))
        and _is_for_everything(item)
        for item in statements(document)
    )
    return Granted(tuple(much), frozenset(allowed), frozenset(denied), everything)


def _is_for_everything(item: Mapping[str, Any]) -> bool:
    """Whether it is about all resources; what an Allow leaves out of them holds nobody back for long."""
    if "NotResource" in item:
        return item.get("Effect") == "Allow"
    return any(text and not str(text).strip("*") for text in as_list(item.get("Resource", [])))


def _covered(item: Mapping[str, Any], patterns: tuple[str, ...]) -> set[str]:
    if "NotAction" in item:
        spared = tuple(map(str, as_list(item["NotAction"])))
        return {action for action in ACTIONS if not covers(spared, action)}
    return {action for action in ACTIONS if covers(patterns, action)}


def power(
    attached: Iterable[str],
    inline: Mapping[str, Any] | None = None,
    boundary: str = "",
    limit: Mapping[str, Any] | None = None,
) -> str:
    """What is much of a role's policies, '' when nothing is.

    `attached` are the ARNs of managed policies, `inline` documents by name (or ARN). With a permissions
    `boundary` it is said that there is one: a role may do what both allow. Where its document is known
    (`limit`), what it does not allow on everything is not much.
    """
    documents = {name: granted(document) for name, document in sorted((inline or {}).items())}
    return power_of(attached, documents, boundary, None if limit is None else granted(limit))


def power_of(
    attached: Iterable[str],
    documents: Mapping[str, Granted],
    boundary: str = "",
    limit: Granted | None = None,
) -> str:
    """The same by what each policy grants: for many roles that share policies."""
    found = [match[1] for arn in sorted(attached) if (match := _MANAGED.fullmatch(arn))]
    for name, item in documents.items():
        if not _MANAGED.fullmatch(name):
            found += [f"{action} by the policy {name}" for action in item.much]
    if limit is not None and not limit.much:
        found = []
    if any(item.denies_all for item in documents.values()):
        return ""
    found = found or _ways(documents, limit)
    if not found:
        return ""
    said = " and ".join(dict.fromkeys(found))
    return f"{said} (as far as its permissions boundary allows)" if boundary else said


def _ways(documents: Mapping[str, Granted], limit: Granted | None) -> list[str]:
    """The ways to become administrator that the policies leave open."""
    allowed = frozenset().union(*(item.allowed for item in documents.values()))
    allowed -= frozenset().union(*(item.denied for item in documents.values()))
    if limit is not None:
        allowed &= limit.allowed - limit.denied
    if not allowed:
        return []
    ways = {
        way.by: f"{' with '.join(way.actions)} (a way to become administrator by {way.by})"
        for way in ESCALATIONS
        if allowed.issuperset(way.actions)
    }
    named = list(ways.values())
    more = [f"{len(named) - SHOWN_WAYS} more such ways"] if len(named) > SHOWN_WAYS else []
    return [*named[:SHOWN_WAYS], *more]
