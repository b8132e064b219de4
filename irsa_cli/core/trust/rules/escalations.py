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
    PROVIDER = "a provider that a role with administrator permissions trusts"
    UNKNOWN_PROVIDER = "a provider of which irsa does not know enough"


@dataclass(frozen=True)
class Escalation:
    """A way to escalate that needs all of these actions; `by` describes it.

    `needs` must exist (of a provider: it must be so if no such role is known); `passed` has the services
    that get, or have, the role.
    """

    id: str
    actions: tuple[str, ...]
    by: str
    target: EscalationTarget = EscalationTarget.ANY
    needs: str = ""
    passed: tuple[str, ...] = ()


PASSES_ROLE = "iam:PassRole"


def _running(service: str, by: str, needs: str, *actions: str) -> Escalation:
    """A way that changes, or enters, something that a service runs with a powerful role already."""
    return Escalation("", actions, by, needs=needs, passed=(f"{service}.amazonaws.com",))


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
    _passing(
        "irsa-03",
        "pods.eks.amazonaws.com",
        "changing the role that is associated with a pod",
        "eks:UpdatePodIdentityAssociation",
    ),
    _passing(
        "irsa-04",
        "pods.eks.amazonaws.com",
        "associating another role with a pod of an add-on",
        "eks:CreateAddon",
    ),
    _passing(
        "irsa-05",
        "pods.eks.amazonaws.com",
        "associating another role with a pod of an add-on",
        "eks:UpdateAddon",
    ),
    _passing(
        "irsa-06",
        "lambda.amazonaws.com",
        "running a function with another role",
        "lambda:CreateFunction",
        "lambda:CreateFunctionUrlConfig",
    ),
    _passing(
        "irsa-07",
        "lambda.amazonaws.com",
        "changing the role and the layers of a function",
        "lambda:UpdateFunctionConfiguration",
    ),
    _passing(
        "irsa-08",
        "lambda.amazonaws.com",
        "running a canary with another role",
        "synthetics:CreateCanary",
        "synthetics:StartCanary",
    ),
    _passing(
        "irsa-09",
        "ec2.amazonaws.com",
        "attaching another role to an instance",
        "ec2:AssociateIamInstanceProfile",
    ),
    _passing(
        "irsa-10",
        "ec2.amazonaws.com",
        "replacing the role of an instance",
        "ec2:ReplaceIamInstanceProfileAssociation",
    ),
    _passing(
        "irsa-11",
        "ec2.amazonaws.com",
        "starting a fleet of instances with another role",
        "ec2:CreateLaunchTemplate",
        "ec2:CreateFleet",
    ),
    _passing(
        "irsa-12",
        "ec2.amazonaws.com",
        "starting a fleet of spot instances with another role",
        "ec2:RequestSpotFleet",
    ),
    _passing(
        "irsa-13",
        "ec2.amazonaws.com",
        "starting instances of an Auto Scaling group with another role",
        "autoscaling:CreateLaunchConfiguration",
        "autoscaling:CreateAutoScalingGroup",
    ),
    _passing(
        "irsa-14",
        "ec2.amazonaws.com",
        "starting instances of an Auto Scaling group with another role",
        "ec2:CreateLaunchTemplate",
        "autoscaling:CreateAutoScalingGroup",
    ),
    _passing(
        "irsa-15",
        "ec2.amazonaws.com",
        "building an image on an instance with another role",
        "imagebuilder:CreateInfrastructureConfiguration",
        "imagebuilder:CreateImage",
    ),
    _passing(
        "irsa-16",
        "ec2.amazonaws.com",
        "starting nodes with another role",
        "eks:CreateNodegroup",
    ),
    _passing(
        "irsa-17",
        "cloudformation.amazonaws.com",
        "creating a stack with another role by a change set",
        "cloudformation:CreateChangeSet",
        "cloudformation:ExecuteChangeSet",
    ),
    _passing(
        "irsa-18",
        "ecs-tasks.amazonaws.com",
        "running a task with another role",
        "ecs:RunTask",
    ),
    _passing(
        "irsa-19",
        "ecs-tasks.amazonaws.com",
        "changing the role of a service",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
    ),
    _passing(
        "irsa-20",
        "ecs-tasks.amazonaws.com",
        "running a batch job with another role",
        "batch:RegisterJobDefinition",
        "batch:SubmitJob",
    ),
    _passing(
        "irsa-21",
        "codebuild.amazonaws.com",
        "changing the role of a project",
        "codebuild:UpdateProject",
        "codebuild:StartBuild",
    ),
    _passing(
        "irsa-22",
        "codepipeline.amazonaws.com",
        "running a pipeline with another role",
        "codepipeline:CreatePipeline",
    ),
    _passing(
        "irsa-23",
        "glue.amazonaws.com",
        "opening a Glue session with another role",
        "glue:CreateSession",
        "glue:RunStatement",
    ),
    _passing(
        "irsa-24",
        "sagemaker.amazonaws.com",
        "running a pipeline of SageMaker with another role",
        "sagemaker:CreatePipeline",
        "sagemaker:StartPipelineExecution",
    ),
    _passing(
        "irsa-25",
        "states.amazonaws.com",
        "running a state machine with another role",
        "states:CreateStateMachine",
        "states:StartExecution",
    ),
    _passing(
        "irsa-26",
        "states.amazonaws.com",
        "changing the role of a state machine",
        "states:UpdateStateMachine",
        "states:StartExecution",
    ),
    _passing(
        "irsa-27",
        "states.amazonaws.com",
        "testing a state with another role",
        "states:TestState",
    ),
    _passing(
        "irsa-28",
        "scheduler.amazonaws.com",
        "calling an API on a schedule with another role",
        "scheduler:CreateSchedule",
    ),
    _passing(
        "irsa-29",
        "scheduler.amazonaws.com",
        "calling an API on a schedule with another role",
        "scheduler:UpdateSchedule",
    ),
    _passing(
        "irsa-30",
        "events.amazonaws.com",
        "starting a target with another role",
        "events:PutRule",
        "events:PutTargets",
    ),
    _passing(
        "irsa-31",
        "ssm.amazonaws.com",
        "running a runbook with another role",
        "ssm:StartAutomationExecution",
    ),
    _passing(
        "irsa-32",
        "ssm.amazonaws.com",
        "registering a machine with another role",
        "ssm:CreateActivation",
    ),
    _passing(
        "irsa-33",
        "elasticmapreduce.amazonaws.com",
        "running a cluster of EMR with another role",
        "elasticmapreduce:RunJobFlow",
    ),
    _passing(
        "irsa-34",
        "emr-serverless.amazonaws.com",
        "running a job of EMR with another role",
        "emr-serverless:CreateApplication",
        "emr-serverless:StartJobRun",
    ),
    _passing(
        "irsa-35",
        "tasks.apprunner.amazonaws.com",
        "changing the role of an App Runner service",
        "apprunner:UpdateService",
    ),
    _passing(
        "irsa-36",
        "gamelift.amazonaws.com",
        "starting a fleet of GameLift with another role",
        "gamelift:CreateFleet",
    ),
    _passing(
        "irsa-37",
        "braket.amazonaws.com",
        "running a job of Braket with another role",
        "braket:CreateJob",
    ),
    _passing(
        "irsa-38",
        "bedrock-agentcore.amazonaws.com",
        "running an agent with another role",
        "bedrock-agentcore:CreateAgentRuntime",
        "bedrock-agentcore:InvokeAgentRuntime",
    ),
    _passing(
        "irsa-39",
        "kinesisanalytics.amazonaws.com",
        "running an application of Flink with another role",
        "kinesisanalytics:CreateApplication",
        "kinesisanalytics:StartApplication",
    ),
    _passing(
        "irsa-40",
        "credentials.iot.amazonaws.com",
        "getting credentials of another role for a thing",
        "iot:CreateRoleAlias",
    ),
    _passing(
        "irsa-41",
        "rolesanywhere.amazonaws.com",
        "getting credentials of another role for a certificate",
        "rolesanywhere:CreateTrustAnchor",
        "rolesanywhere:CreateProfile",
    ),
    Escalation(
        "irsa-42",
        ("sts:AssumeRoot",),
        "acting as the root user of another account",
        needs="it is in the organization's management account, or one that manages root access",
    ),
    Escalation(
        "irsa-43",
        ("eks:CreateAccessEntry",),
        "naming a group of a cluster in a new access entry",
        needs="a powerful group of the cluster exists",
    ),
    Escalation(
        "irsa-44",
        ("eks:UpdateAccessEntry",),
        "naming a group of a cluster in an access entry",
        needs="a powerful group of the cluster exists",
    ),
    Escalation(
        "irsa-45",
        ("eks:AssociateAccessPolicy",),
        "adding an access policy to its access entry",
        needs="it has an access entry, and a pod of the cluster has a powerful role",
    ),
    Escalation(
        "irsa-46",
        ("eks:AssociateIdentityProviderConfig",),
        "adding an identity provider to a cluster",
        needs="a powerful group of the cluster exists",
    ),
    Escalation(
        "irsa-47",
        ("identitystore:CreateGroupMembership",),
        "adding a user to a group of IAM Identity Center",
        needs="it controls a user",
    ),
    Escalation(
        "irsa-48", ("sso:PutInlinePolicyToPermissionSet",), "adding an inline policy to a permission set"
    ),
    Escalation(
        "irsa-49", ("sso:AttachManagedPolicyToPermissionSet",), "attaching a policy to a permission set"
    ),
    Escalation(
        "irsa-50",
        ("sso:AttachCustomerManagedPolicyReferenceToPermissionSet",),
        "attaching a policy to a permission set",
    ),
    Escalation("irsa-51", ("sso:CreateAccountAssignment",), "assigning a permission set"),
    Escalation(
        "irsa-52",
        ("iam:UpdateSAMLProvider",),
        "replacing the metadata of a SAML provider",
        EscalationTarget.PROVIDER,
        "a powerful role trusts the provider",
    ),
    Escalation(
        "irsa-53",
        ("iam:DeleteSAMLProvider", "iam:CreateSAMLProvider"),
        "replacing a SAML provider",
        EscalationTarget.PROVIDER,
        "a powerful role trusts the provider",
    ),
    Escalation(
        "irsa-54",
        ("iam:CreateSAMLProvider",),
        "creating a SAML provider",
        EscalationTarget.UNKNOWN_PROVIDER,
        "a powerful role trusts a missing provider of that name",
    ),
    Escalation(
        "irsa-55",
        ("iam:CreateOpenIDConnectProvider",),
        "creating an OIDC provider",
        EscalationTarget.UNKNOWN_PROVIDER,
        "a powerful role trusts a missing provider, and it controls that issuer",
    ),
    Escalation(
        "irsa-56",
        ("iam:AddClientIDToOpenIDConnectProvider",),
        "adding an audience to an OIDC provider",
        EscalationTarget.UNKNOWN_PROVIDER,
        "a powerful role trusts tokens for that audience",
    ),
    Escalation(
        "irsa-57",
        ("iam:UpdateOpenIDConnectProviderThumbprint",),
        "changing the thumbprint of an OIDC provider",
        EscalationTarget.UNKNOWN_PROVIDER,
        "a powerful role trusts the provider, and it can answer as that issuer",
    ),
    _passing(
        "irsa-58",
        "cloudformation.amazonaws.com",
        "changing a stack and its role",
        "cloudformation:UpdateStack",
    ),
    _passing(
        "irsa-59",
        "ec2.amazonaws.com",
        "running a cluster of EMR with another role on its instances",
        "elasticmapreduce:RunJobFlow",
    ),
    _passing(
        "irsa-60",
        "sagemaker.amazonaws.com",
        "running a model with another role",
        "sagemaker:CreateModel",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateEndpoint",
    ),
    _passing(
        "irsa-61",
        "ec2.amazonaws.com",
        "replacing the role of an instance profile",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:AddRoleToInstanceProfile",
    ),
    _passing(
        "irsa-62",
        "ec2.amazonaws.com",
        "adding another role to an instance profile",
        "iam:AddRoleToInstanceProfile",
        needs="an instance profile without a role is in use",
    ),
    Escalation(
        "irsa-63",
        ("sso:DeletePermissionsBoundaryFromPermissionSet",),
        "removing the boundary of a permission set",
        needs="a boundary limits a powerful permission set",
    ),
    Escalation(
        "irsa-64",
        ("sso:PutPermissionsBoundaryToPermissionSet",),
        "changing the boundary of a permission set",
        needs="a boundary limits a powerful permission set",
    ),
    Escalation(
        "irsa-65",
        ("sso:DeleteInlinePolicyFromPermissionSet",),
        "removing a Deny of a permission set",
        needs="a Deny limits a powerful permission set",
    ),
    Escalation(
        "irsa-66",
        ("emr-containers:StartJobRun",),
        "running a job of EMR on EKS",
        needs="a powerful role trusts the ServiceAccounts of such jobs",
    ),
    _passing(
        "irsa-67",
        "ecs-tasks.amazonaws.com",
        "starting a task with another role in place of its own",
        "ecs:StartTask",
    ),
)

RUNNING = (
    _running(
        "lambda",
        "adding a layer to a function with another role",
        "a function with a powerful role exists",
        "lambda:UpdateFunctionConfiguration",
    ),
    _running(
        "cloudformation",
        "changing a stack set with another role",
        "a stack set with a powerful role exists",
        "cloudformation:UpdateStackSet",
    ),
    _running(
        "ecs-tasks",
        "running commands in tasks",
        "a task with a powerful role is running",
        "ecs:ExecuteCommand",
    ),
    _running(
        "ecs-tasks",
        "running a task with its own command",
        "a task definition with a powerful role exists",
        "ecs:RunTask",
    ),
    _running(
        "codebuild",
        "changing the commands of a project",
        "a project with a powerful role exists",
        "codebuild:UpdateProject",
    ),
    _running(
        "glue",
        "changing the script of a Glue job",
        "a Glue job with a powerful role exists",
        "glue:UpdateJob",
    ),
    _running(
        "states",
        "changing a state machine",
        "a state machine with a powerful role exists",
        "states:UpdateStateMachine",
    ),
    _running(
        "datapipeline",
        "changing a pipeline",
        "a pipeline with a powerful role exists",
        "datapipeline:PutPipelineDefinition",
        "datapipeline:ActivatePipeline",
    ),
    _running(
        "ec2",
        "running steps on a cluster of EMR",
        "a cluster of EMR with a powerful role exists",
        "elasticmapreduce:AddJobFlowSteps",
    ),
    _running(
        "sagemaker",
        "opening SageMaker Studio as a user",
        "a user profile with a powerful role exists",
        "sagemaker:CreatePresignedDomainUrl",
    ),
    _running(
        "servicecatalog",
        "provisioning a product",
        "a product with a powerful launch role exists",
        "servicecatalog:ProvisionProduct",
    ),
    _running(
        "ssm",
        "running a runbook",
        "a runbook with a powerful role exists",
        "ssm:StartAutomationExecution",
    ),
    _running(
        "ec2",
        "running commands on instances by an association",
        "an instance with a powerful role exists",
        "ssm:CreateAssociation",
    ),
    _running(
        "ec2",
        "changing a document that instances run",
        "an instance with a powerful role exists",
        "ssm:UpdateDocument",
    ),
    _running(
        "ec2",
        "logging in on an instance",
        "an instance with a powerful role is reachable",
        "ec2-instance-connect:SendSSHPublicKey",
    ),
    _running(
        "ec2",
        "logging in on the serial console of an instance",
        "an instance with a powerful role exists",
        "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
    ),
    _running(
        "servicecatalog",
        "changing a provisioned product",
        "a product with a powerful launch role exists",
        "servicecatalog:UpdateProvisionedProduct",
    ),
    _running(
        "ec2",
        "running commands on instances by an association",
        "an instance with a powerful role exists",
        "ssm:UpdateAssociation",
    ),
    _running(
        "ec2",
        "replacing the disk of an instance",
        "an instance with a powerful role exists",
        "ec2:CreateReplaceRootVolumeTask",
    ),
    _running(
        "ec2",
        "deploying code to instances",
        "an instance with a powerful role exists",
        "codedeploy:CreateDeployment",
    ),
    _running(
        "ecs-tasks",
        "running a batch job with its own command",
        "a job definition with a powerful role exists",
        "batch:SubmitJob",
    ),
    _running(
        "glue",
        "running code in a Glue session",
        "a Glue session with a powerful role exists",
        "glue:RunStatement",
    ),
    _running(
        "amplify",
        "changing the build of an app",
        "an app with a powerful role exists",
        "amplify:UpdateApp",
    ),
    _running(
        "kinesisanalytics",
        "changing an application of Flink",
        "an application with a powerful role exists",
        "kinesisanalytics:UpdateApplication",
    ),
    _running(
        "airflow",
        "running commands in an environment of Airflow",
        "an environment with a powerful role exists",
        "airflow:CreateCliToken",
    ),
    _running(
        "airflow",
        "opening an environment of Airflow",
        "an environment with a powerful role exists",
        "airflow:CreateWebLoginToken",
    ),
    _running(
        "appstream",
        "opening an instance of AppStream",
        "a fleet with a powerful role exists",
        "appstream:CreateStreamingURL",
    ),
    _running(
        "rolesanywhere",
        "trusting another issuer of certificates",
        "a profile with a powerful role exists",
        "rolesanywhere:CreateTrustAnchor",
    ),
    _running(
        "rolesanywhere",
        "changing the issuer of certificates",
        "a profile with a powerful role exists",
        "rolesanywhere:UpdateTrustAnchor",
    ),
)
"""The ways that count only if a powerful role trusts the service: it needs no `iam:PassRole`."""

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

LIMITS = {
    "boundary": ("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"),
    "inline": ("iam:DeleteRolePolicy",),
    "attached": ("iam:DetachRolePolicy",),
    "policy": ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"),
    "tags": ("iam:TagRole",),
}
"""The actions that remove a role's own limits, by the kind of limit; one of them is enough.

A policy can be a boundary or contain a Deny, and a condition can ask for a tag of the role.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""
