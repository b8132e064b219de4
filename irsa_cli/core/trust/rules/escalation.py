"""The permissions by which their holder can become administrator: a maintained list, with its sources.

The ways are those of Rhino Security Labs' list
(https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/) and of
https://pathfinding.cloud, as far as a role's own permissions are enough and no user has to be there.
What of a role's policies allows them is found in `irsa_cli.core.trust.rules.power`.
"""

from __future__ import annotations

from dataclasses import dataclass

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
