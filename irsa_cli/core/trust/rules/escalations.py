"""The ways to administrator permissions, and the actions that read all data of a kind.

A maintained list; `irsa_cli.core.trust.rules.power` judges whether a role's policies allow a way. It follows
https://pathfinding.cloud and
https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SOURCE = "https://pathfinding.cloud"
DATE = "2025-12-17"
"""When the list was last compared with its source."""


class EscalationTarget(Enum):
    """The resource on which a way's actions must be allowed; the value describes it."""

    ANY = ""
    """Every resource of its kind."""
    SELF = "the role itself"
    POLICY = "a customer managed policy that is attached to the role"
    ADMINISTRATOR = "a role with (or with a way to) administrator permissions"
    SAME = "the same user or role for all actions"


@dataclass(frozen=True)
class Escalation:
    """A way to escalate that needs all of these actions; `by` describes it.

    `needs` must exist; `passed` has the services that get the role.
    """

    id: str
    actions: tuple[str, ...]
    by: str
    target: EscalationTarget = EscalationTarget.ANY
    needs: str = ""
    passed: tuple[str, ...] = ()


PASSES_ROLE = "iam:PassRole"


def _passing(identifier: str, service: str, by: str, *actions: str, needs: str = "") -> Escalation:
    """A way that passes a powerful role to a service, which then acts with it."""
    return Escalation(
        identifier, (PASSES_ROLE, *actions), by, EscalationTarget.ADMINISTRATOR, needs, (service,)
    )


ESCALATIONS = (
    Escalation(
        "iam-001",
        ("iam:CreatePolicyVersion",),
        "writing a new version of its own policy",
        EscalationTarget.POLICY,
    ),
    Escalation(
        "rhino-02",
        ("iam:SetDefaultPolicyVersion",),
        "changing the default version of its own policy",
        EscalationTarget.POLICY,
    ),
    Escalation("iam-002", ("iam:CreateAccessKey",), "creating access keys of a user"),
    Escalation(
        "iam-003", ("iam:CreateAccessKey", "iam:DeleteAccessKey"), "replacing the access keys of a user"
    ),
    Escalation("iam-004", ("iam:CreateLoginProfile",), "creating a password for a user"),
    Escalation("iam-005", ("iam:PutRolePolicy",), "adding an inline policy to a role", EscalationTarget.SELF),
    Escalation("iam-006", ("iam:UpdateLoginProfile",), "changing a user's password"),
    Escalation(
        "iam-007", ("iam:PutUserPolicy",), "adding an inline policy to a user", needs="it controls a user"
    ),
    Escalation(
        "iam-008", ("iam:AttachUserPolicy",), "attaching a policy to a user", needs="it controls a user"
    ),
    Escalation("iam-009", ("iam:AttachRolePolicy",), "attaching a policy to a role", EscalationTarget.SELF),
    Escalation(
        "iam-010",
        ("iam:AttachGroupPolicy",),
        "attaching a policy to a group",
        needs="it controls a user of the group",
    ),
    Escalation(
        "iam-011",
        ("iam:PutGroupPolicy",),
        "adding an inline policy to a group",
        needs="it controls a user of the group",
    ),
    Escalation(
        "iam-012",
        ("iam:UpdateAssumeRolePolicy",),
        "changing the trust policy of a role",
        EscalationTarget.ADMINISTRATOR,
    ),
    Escalation("iam-013", ("iam:AddUserToGroup",), "adding a user to a group", needs="it controls a user"),
    Escalation(
        "iam-014",
        ("iam:AttachRolePolicy", "sts:AssumeRole"),
        "attaching a policy to a role that it assumes",
        EscalationTarget.SAME,
        needs="that role trusts it",
    ),
    Escalation(
        "iam-015",
        ("iam:AttachUserPolicy", "iam:CreateAccessKey"),
        "attaching a policy to a user and creating its access keys",
        EscalationTarget.SAME,
    ),
    Escalation(
        "iam-016",
        ("iam:CreatePolicyVersion", "sts:AssumeRole"),
        "writing a new version of a policy of a role that it assumes",
        EscalationTarget.SAME,
        needs="that role has the policy and trusts it",
    ),
    Escalation(
        "iam-017",
        ("iam:PutRolePolicy", "sts:AssumeRole"),
        "adding an inline policy to a role that it assumes",
        EscalationTarget.SAME,
        needs="that role trusts it",
    ),
    Escalation(
        "iam-018",
        ("iam:PutUserPolicy", "iam:CreateAccessKey"),
        "adding an inline policy to a user and creating its access keys",
        EscalationTarget.SAME,
    ),
    Escalation(
        "iam-019",
        ("iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
        "attaching a policy to a role and changing its trust policy",
        EscalationTarget.SAME,
    ),
    Escalation(
        "iam-020",
        ("iam:CreatePolicyVersion", "iam:UpdateAssumeRolePolicy"),
        "writing a new version of a role's policy and changing its trust policy",
        EscalationTarget.SAME,
        needs="that role has the policy",
    ),
    Escalation(
        "iam-021",
        ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"),
        "adding an inline policy to a role and changing its trust policy",
        EscalationTarget.SAME,
    ),
    _passing("ec2-001", "ec2.amazonaws.com", "starting an instance with another role", "ec2:RunInstances"),
    Escalation(
        "ec2-002",
        ("ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"),
        "changing the start script of an instance",
        needs="an instance with a powerful role exists",
    ),
    _passing(
        "ec2-003",
        "ec2.amazonaws.com",
        "starting a spot instance with another role",
        "ec2:RequestSpotInstances",
    ),
    Escalation(
        "ec2-004",
        ("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
        "changing a launch template",
        needs="a launch template with a powerful role is in use",
    ),
    Escalation(
        "ec2instanceconnect-003",
        ("ec2-instance-connect:SendSSHPublicKey", "ec2:DescribeInstances"),
        "logging in on an instance",
        needs="an instance with a powerful role is reachable",
    ),
    _passing(
        "lambda-001",
        "lambda.amazonaws.com",
        "running a function with another role",
        "lambda:CreateFunction",
        "lambda:InvokeFunction",
    ),
    _passing(
        "lambda-002",
        "lambda.amazonaws.com",
        "running a function with another role",
        "lambda:CreateFunction",
        "lambda:CreateEventSourceMapping",
    ),
    Escalation(
        "lambda-003",
        ("lambda:UpdateFunctionCode",),
        "changing the code of a function with another role",
        needs="a function with a powerful role exists",
    ),
    Escalation(
        "lambda-004",
        ("lambda:UpdateFunctionCode", "lambda:InvokeFunction"),
        "changing the code of a function with another role",
        needs="a function with a powerful role exists",
    ),
    Escalation(
        "lambda-005",
        ("lambda:UpdateFunctionCode", "lambda:AddPermission"),
        "changing the code of a function with another role",
        needs="a function with a powerful role exists",
    ),
    _passing(
        "lambda-006",
        "lambda.amazonaws.com",
        "running a function with another role",
        "lambda:CreateFunction",
        "lambda:AddPermission",
    ),
    _passing(
        "cloudformation-001",
        "cloudformation.amazonaws.com",
        "creating a stack with another role",
        "cloudformation:CreateStack",
    ),
    Escalation(
        "cloudformation-002",
        ("cloudformation:UpdateStack",),
        "changing a stack with another role",
        needs="a stack with a powerful role exists",
    ),
    _passing(
        "cloudformation-003",
        "cloudformation.amazonaws.com",
        "creating a stack set with another role",
        "cloudformation:CreateStackSet",
        "cloudformation:CreateStackInstances",
    ),
    _passing(
        "cloudformation-004",
        "cloudformation.amazonaws.com",
        "changing a stack set with another role",
        "cloudformation:UpdateStackSet",
        needs="a stack set with a powerful role exists",
    ),
    Escalation(
        "cloudformation-005",
        ("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"),
        "changing a stack with another role through a change set",
        needs="a stack with a powerful role exists",
    ),
    _passing(
        "ecs-001",
        "ecs-tasks.amazonaws.com",
        "running a service with another role",
        "ecs:CreateCluster",
        "ecs:RegisterTaskDefinition",
        "ecs:CreateService",
    ),
    _passing(
        "ecs-002",
        "ecs-tasks.amazonaws.com",
        "running a task with another role",
        "ecs:CreateCluster",
        "ecs:RegisterTaskDefinition",
        "ecs:RunTask",
    ),
    _passing(
        "ecs-003",
        "ecs-tasks.amazonaws.com",
        "running a service with another role",
        "ecs:RegisterTaskDefinition",
        "ecs:CreateService",
    ),
    _passing(
        "ecs-004",
        "ecs-tasks.amazonaws.com",
        "running a task with another role",
        "ecs:RegisterTaskDefinition",
        "ecs:RunTask",
    ),
    _passing(
        "ecs-005",
        "ecs-tasks.amazonaws.com",
        "starting a task with another role",
        "ecs:RegisterTaskDefinition",
        "ecs:StartTask",
    ),
    _passing(
        "codebuild-001",
        "codebuild.amazonaws.com",
        "running a build with another role",
        "codebuild:CreateProject",
        "codebuild:StartBuild",
    ),
    Escalation(
        "codebuild-002",
        ("codebuild:StartBuild",),
        "running a build with its own commands",
        needs="a project with a powerful role exists",
    ),
    Escalation(
        "codebuild-003",
        ("codebuild:StartBuildBatch",),
        "running a batch build with its own commands",
        needs="a project with a powerful role exists",
    ),
    _passing(
        "codebuild-004",
        "codebuild.amazonaws.com",
        "running a build with another role",
        "codebuild:CreateProject",
        "codebuild:StartBuildBatch",
    ),
    _passing(
        "glue-001",
        "glue.amazonaws.com",
        "opening a Glue endpoint with another role",
        "glue:CreateDevEndpoint",
    ),
    Escalation(
        "glue-002",
        ("glue:UpdateDevEndpoint",),
        "opening an existing Glue endpoint",
        needs="a Glue endpoint with a powerful role exists",
    ),
    _passing(
        "glue-003",
        "glue.amazonaws.com",
        "starting a Glue job with another role",
        "glue:CreateJob",
        "glue:StartJobRun",
    ),
    _passing(
        "glue-004",
        "glue.amazonaws.com",
        "starting a Glue job with another role",
        "glue:CreateJob",
        "glue:CreateTrigger",
    ),
    _passing(
        "glue-005",
        "glue.amazonaws.com",
        "changing the role of a Glue job",
        "glue:UpdateJob",
        "glue:StartJobRun",
    ),
    _passing(
        "glue-006",
        "glue.amazonaws.com",
        "changing the role of a Glue job",
        "glue:UpdateJob",
        "glue:CreateTrigger",
    ),
    _passing(
        "sagemaker-001",
        "sagemaker.amazonaws.com",
        "opening a notebook with another role",
        "sagemaker:CreateNotebookInstance",
    ),
    _passing(
        "sagemaker-002",
        "sagemaker.amazonaws.com",
        "running a training job with another role",
        "sagemaker:CreateTrainingJob",
    ),
    _passing(
        "sagemaker-003",
        "sagemaker.amazonaws.com",
        "running a processing job with another role",
        "sagemaker:CreateProcessingJob",
    ),
    Escalation(
        "sagemaker-004",
        ("sagemaker:CreatePresignedNotebookInstanceUrl",),
        "opening an existing notebook",
        needs="a notebook with a powerful role exists",
    ),
    Escalation(
        "sagemaker-005",
        (
            "sagemaker:CreateNotebookInstanceLifecycleConfig",
            "sagemaker:StopNotebookInstance",
            "sagemaker:UpdateNotebookInstance",
            "sagemaker:StartNotebookInstance",
        ),
        "changing the start script of a notebook",
        needs="a notebook with a powerful role exists",
    ),
    _passing(
        "apprunner-001",
        "tasks.apprunner.amazonaws.com",
        "running an App Runner service with another role",
        "apprunner:CreateService",
    ),
    Escalation(
        "apprunner-002",
        ("apprunner:UpdateService",),
        "changing an App Runner service",
        needs="a service with a powerful role exists",
    ),
    _passing(
        "bedrock-001",
        "bedrock-agentcore.amazonaws.com",
        "running code in a code interpreter with another role",
        "bedrock-agentcore:CreateCodeInterpreter",
        "bedrock-agentcore:StartCodeInterpreterSession",
        "bedrock-agentcore:InvokeCodeInterpreter",
    ),
    Escalation(
        "bedrock-002",
        ("bedrock-agentcore:StartCodeInterpreterSession", "bedrock-agentcore:InvokeCodeInterpreter"),
        "running code in a code interpreter",
        needs="a code interpreter with a powerful role exists",
    ),
    Escalation(
        "datapipeline-001",
        (
            "iam:PassRole",
            "datapipeline:CreatePipeline",
            "datapipeline:PutPipelineDefinition",
            "datapipeline:ActivatePipeline",
        ),
        "running a pipeline with another role",
        EscalationTarget.ADMINISTRATOR,
        passed=("datapipeline.amazonaws.com", "elasticmapreduce.amazonaws.com"),
    ),
    Escalation(
        "ssm-001",
        ("ssm:StartSession",),
        "opening sessions on instances",
        needs="an instance with a powerful role exists",
    ),
    Escalation(
        "ssm-002",
        ("ssm:SendCommand",),
        "running commands on instances",
        needs="an instance with a powerful role exists",
    ),
    Escalation(
        "sts-001",
        ("sts:AssumeRole",),
        "assuming a role that trusts the account",
        needs="a role with more permissions trusts it",
    ),
    _passing(
        "irsa-01",
        "pods.eks.amazonaws.com",
        "associating another role with a pod",
        "eks:CreatePodIdentityAssociation",
    ),
    Escalation(
        "irsa-02",
        ("eks:CreateAccessEntry", "eks:AssociateAccessPolicy"),
        "becoming a cluster administrator",
        needs="a pod of the cluster has a powerful role",
    ),
)

READING: dict[str, tuple[str, ...]] = {
    "all objects in S3": ("s3:GetObject",),
    "all secrets": ("secretsmanager:GetSecretValue",),
    "all parameters": (
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
        "ssm:GetParameterHistory",
    ),
    "data encrypted with any KMS key": ("kms:Decrypt",),
}
"""The actions that read each kind of data; one of them is enough."""

KINDS: dict[str, tuple[str, ...]] = {
    "role": (
        "iam:PassRole",
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "sts:AssumeRole",
    ),
    "user": (
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "iam:CreateLoginProfile",
        "iam:UpdateLoginProfile",
        "iam:PutUserPolicy",
        "iam:AttachUserPolicy",
    ),
    "group": ("iam:AttachGroupPolicy", "iam:PutGroupPolicy", "iam:AddUserToGroup"),
    "policy": ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"),
}
"""The actions on each kind of IAM resource."""
