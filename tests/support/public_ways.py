"""Ways to administrator permissions, collected from public write-ups without a look at irsa's own list.

A line has the service that the administrator's role trusts (`-` for none) and the actions that the pods' role
has. Sources, read in 2026-12: https://pathfinding.cloud (data/paths of DataDog/pathfinding.cloud),
https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/,
https://github.com/BishopFox/iam-vulnerable, and AWS's guides of the services that take a role.
The lines from mediaconvert on were written after the rule, for services that irsa's list does not have.
"""

from __future__ import annotations

PASSING = """
lambda: lambda:CreateFunction lambda:InvokeFunction
lambda: lambda:CreateFunction lambda:CreateEventSourceMapping
lambda: lambda:CreateFunction lambda:AddPermission
lambda: lambda:CreateFunction lambda:CreateFunctionUrlConfig
lambda: lambda:UpdateFunctionConfiguration
lambda: synthetics:CreateCanary synthetics:StartCanary
ec2: ec2:RunInstances
ec2: ec2:RequestSpotInstances
ec2: ec2:CreateFleet ec2:CreateLaunchTemplate
ec2: ec2:AssociateIamInstanceProfile
ec2: ec2:ReplaceIamInstanceProfileAssociation
ec2: autoscaling:CreateLaunchConfiguration autoscaling:CreateAutoScalingGroup
ec2: imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateImage
ec2: eks:CreateNodegroup
ec2: elasticmapreduce:RunJobFlow
ec2: elasticbeanstalk:CreateEnvironment
ec2: batch:CreateComputeEnvironment
ec2: cloud9:CreateEnvironmentEC2
spotfleet: ec2:RequestSpotFleet
cloudformation: cloudformation:CreateStack
cloudformation: cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet
cloudformation: cloudformation:UpdateStack
cloudformation: cloudformation:CreateStackSet cloudformation:CreateStackInstances
cloudformation: cloudformation:UpdateStackSet
codebuild: codebuild:CreateProject codebuild:StartBuild
codebuild: codebuild:CreateProject codebuild:StartBuildBatch
codebuild: codebuild:UpdateProject codebuild:StartBuild
codepipeline: codepipeline:CreatePipeline
codedeploy: codedeploy:CreateDeploymentGroup
ecs-tasks: ecs:RegisterTaskDefinition ecs:RunTask
ecs-tasks: ecs:RegisterTaskDefinition ecs:CreateService
ecs-tasks: ecs:RegisterTaskDefinition ecs:StartTask
ecs-tasks: ecs:RegisterTaskDefinition ecs:UpdateService
ecs-tasks: ecs:RunTask
ecs-tasks: batch:RegisterJobDefinition batch:SubmitJob
ecs-tasks: batch:SubmitJob
glue: glue:CreateDevEndpoint
glue: glue:CreateJob glue:StartJobRun
glue: glue:CreateJob glue:CreateTrigger
glue: glue:UpdateJob glue:StartJobRun
glue: glue:CreateSession glue:RunStatement
sagemaker: sagemaker:CreateNotebookInstance sagemaker:CreatePresignedNotebookInstanceUrl
sagemaker: sagemaker:CreateTrainingJob
sagemaker: sagemaker:CreateProcessingJob
sagemaker: sagemaker:CreateModel sagemaker:CreateEndpointConfig sagemaker:CreateEndpoint
sagemaker: sagemaker:CreatePipeline sagemaker:StartPipelineExecution
sagemaker: sagemaker:CreateDomain sagemaker:CreateUserProfile
datapipeline: datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline
elasticmapreduce: elasticmapreduce:RunJobFlow
emr-serverless: emr-serverless:CreateApplication emr-serverless:StartJobRun
states: states:CreateStateMachine states:StartExecution
states: states:UpdateStateMachine
scheduler: scheduler:CreateSchedule
events: events:PutRule events:PutTargets
pipes: pipes:CreatePipe
ssm: ssm:StartAutomationExecution
ssm: ssm:CreateActivation
ssm: ssm:RegisterTaskWithMaintenanceWindow
ssm: config:PutRemediationConfigurations config:StartRemediationExecution
pods.eks: eks:CreatePodIdentityAssociation
pods.eks: eks:UpdatePodIdentityAssociation
pods.eks: eks:CreateAddon
eks-fargate-pods: eks:CreateFargateProfile
eks: eks:CreateCluster
tasks.apprunner: apprunner:CreateService
tasks.apprunner: apprunner:UpdateService
gamelift: gamelift:CreateBuild gamelift:CreateFleet
braket: braket:CreateJob
bedrock-agentcore: bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:StartCodeInterpreterSession
bedrock-agentcore: bedrock-agentcore:CreateAgentRuntime bedrock-agentcore:InvokeAgentRuntime
bedrock: bedrock:CreateAgent
kinesisanalytics: kinesisanalytics:CreateApplication kinesisanalytics:StartApplication
airflow-env: airflow:CreateEnvironment
airflow: airflow:UpdateEnvironment
amplify: amplify:CreateApp amplify:StartJob
elasticbeanstalk: elasticbeanstalk:CreateEnvironment
credentials.iot: iot:CreateRoleAlias
iot: iot:CreateTopicRule
fis: fis:CreateExperimentTemplate fis:StartExperiment
servicecatalog: servicecatalog:CreateConstraint servicecatalog:ProvisionProduct
databrew: databrew:CreateRecipeJob databrew:StartJobRun
omics: omics:StartRun
appstream: appstream:CreateFleet
appsync: appsync:CreateDataSource
apigateway: apigateway:POST apigateway:PUT
rolesanywhere: rolesanywhere:CreateProfile rolesanywhere:CreateTrustAnchor
ssm-incidents: ssm-incidents:CreateResponsePlan
chatbot: chatbot:CreateSlackChannelConfiguration
dms: dms:CreateEndpoint
firehose: firehose:CreateDeliveryStream
backup: backup:StartRestoreJob
dlm: dlm:CreateLifecyclePolicy
opsworks: opsworks:CreateStack
proton: proton:CreateEnvironment
robomaker: robomaker:CreateSimulationJob
datasync: datasync:CreateLocationS3
transfer: transfer:CreateUser
edgelambda: lambda:CreateFunction lambda:EnableReplication
greengrass: greengrass:AssociateServiceRoleToAccount
deadline: deadline:CreateQueue
vmie: ec2:ImportImage
export.rds: rds:StartExportTask
lambda: cloudformation:CreateStack lambda:CreateFunction
mediaconvert: mediaconvert:CreateJob
medialive: medialive:CreateChannel
transcribe: transcribe:StartTranscriptionJob
athena: athena:CreateWorkGroup athena:StartSession
lakeformation: lakeformation:RegisterResource
dms.eu-west-1: dms:CreateReplicationTask
osis-pipelines: osis:CreatePipeline
kafkaconnect: kafkaconnect:CreateConnector
rekognition: rekognition:CreateStreamProcessor
personalize: personalize:CreateSolutionVersion
comprehend: comprehend:StartEntitiesDetectionJob
textract: textract:StartDocumentAnalysis
iotevents: iotevents:CreateDetectorModel
batchoperations.s3: s3:CreateJob
redshift: redshift-serverless:CreateNamespace
macie: macie2:EnableMacie
appflow: appflow:CreateFlow
ssm: eks:RegisterCluster
quicksight: quicksight:CreateDataSource
fsx: fsx:CreateFileSystem
workspaces-web: workspaces-web:CreatePortal
m2: m2:CreateApplication
codestar-connections: codestar-connections:CreateSyncConfiguration
cognito-idp: cognito-idp:CreateUserPool
logs: logs:PutSubscriptionFilter
config: config:PutConfigurationRecorder
budgets: budgets:CreateBudgetAction
resources.cloudformation: cloudformation:RegisterType
malware-protection-plan.guardduty: guardduty:CreateMalwareProtectionPlan
bedrock: bedrock:CreateModelCustomizationJob
lexv2: lex:CreateBot
ec2: iam:AddRoleToInstanceProfile
glue: glue:CreateCrawler glue:StartCrawler
states: states:TestState
ecs-tasks: ecs:StartTask
"""
"""Each with iam:PassRole on the administrator's role."""

ALONE = """
-: iam:CreatePolicyVersion
-: iam:SetDefaultPolicyVersion
-: iam:CreateAccessKey
-: iam:CreateLoginProfile
-: iam:UpdateLoginProfile
-: iam:AttachUserPolicy iam:CreateAccessKey
-: iam:AttachRolePolicy
-: iam:AttachGroupPolicy iam:AddUserToGroup
-: iam:PutUserPolicy iam:CreateAccessKey
-: iam:PutRolePolicy
-: iam:AddUserToGroup
-: iam:UpdateAssumeRolePolicy
-: sso:PutInlinePolicyToPermissionSet
-: sso:AttachManagedPolicyToPermissionSet
-: sso:AttachCustomerManagedPolicyReferenceToPermissionSet
-: sso:CreateAccountAssignment
-: identitystore:CreateGroupMembership
-: sts:AssumeRoot
lambda: lambda:UpdateFunctionCode
lambda: lambda:UpdateFunctionConfiguration
ec2: ssm:SendCommand
ec2: ssm:StartSession
ec2: ssm:CreateAssociation
ec2: ssm:UpdateDocument
ssm: ssm:StartAutomationExecution
ec2: ec2-instance-connect:SendSSHPublicKey
ec2: ec2-instance-connect:SendSerialConsoleSSHPublicKey
ec2: ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances
ec2: ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate
ec2: elasticmapreduce:AddJobFlowSteps
ecs-tasks: ecs:ExecuteCommand
ecs-tasks: ecs:RunTask
codebuild: codebuild:StartBuild
codebuild: codebuild:StartBuildBatch
codebuild: codebuild:UpdateProject
glue: glue:UpdateDevEndpoint
glue: glue:UpdateJob
sagemaker: sagemaker:CreatePresignedNotebookInstanceUrl
sagemaker: sagemaker:CreatePresignedDomainUrl
sagemaker: sagemaker:CreateNotebookInstanceLifecycleConfig sagemaker:*NotebookInstance
cloudformation: cloudformation:UpdateStack
cloudformation: cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet
cloudformation: cloudformation:UpdateStackSet
datapipeline: datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline
states: states:UpdateStateMachine
apprunner: apprunner:UpdateService
bedrock-agentcore: bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter
servicecatalog: servicecatalog:ProvisionProduct
"""
"""Without iam:PassRole."""

HARMLESS_PASSING = """
ec2: ec2:DescribeInstances ec2:GetConsoleOutput
lambda: lambda:ListFunctions lambda:GetFunction
glue: glue:GetTables glue:BatchGetJobs glue:SearchTables
ecs-tasks: ecs:DescribeTasks ecs:ListTasks
states: states:DescribeExecution states:ListStateMachines
apigateway: apigateway:GET
sagemaker: sagemaker:DescribeEndpoint sagemaker:Search
cloudformation: cloudformation:ValidateTemplate cloudformation:DetectStackDrift
events: events:TestEventPattern
iot: iot:DescribeThing
ec2: s3:PutObject
lambda: sqs:SendMessage sns:Publish
ecs-tasks: dynamodb:PutItem
glue: logs:PutLogEvents
states: kms:Encrypt
codebuild: ecr:PutImage
events: cloudwatch:PutMetricData
monitoring.rds: ec2:RunInstances
pods.eks: ec2:RunInstances
-: iam:GetRole
"""
"""With iam:PassRole on the administrator's role, but no action that starts anything with it."""

HARMLESS_ALONE = """
lambda: lambda:InvokeFunction
ec2: ec2:CreateTags ec2:StopInstances
ec2: ec2:RunInstances
ec2: autoscaling:SetDesiredCapacity autoscaling:TerminateInstanceInAutoScalingGroup
ecs-tasks: ecs:UpdateService ecs:StopTask
states: states:StartExecution
events: events:PutEvents
scheduler: scheduler:DeleteSchedule
sagemaker: sagemaker:InvokeEndpoint
glue: glue:CreateTable glue:UpdatePartition
cloudformation: cloudformation:DeleteStack
codebuild: codebuild:StopBuild
ssm: ssm:PutParameter
firehose: firehose:PutRecord
iot: iot:Publish
backup: backup:StartBackupJob
appsync: appsync:GraphQL
bedrock: bedrock:InvokeModel
apigateway: execute-api:Invoke
batch: batch:TerminateJob
-: iam:ListRoles iam:GetPolicyVersion
-: iam:TagRole iam:UntagUser
-: iam:CreateRole iam:DeleteRole
-: iam:CreatePolicy
-: iam:CreateServiceLinkedRole
-: iam:ChangePassword
-: iam:GenerateCredentialReport iam:SimulatePrincipalPolicy
-: sso:ListPermissionSets sso:DescribePermissionSet
-: sts:GetCallerIdentity sts:DecodeAuthorizationMessage
-: eks:DescribeCluster eks:ListAccessEntries
-: iam:DeleteUserPolicy iam:DeleteUser
-: organizations:DescribeOrganization
"""
"""Daily work beside an administrator's role, without iam:PassRole."""


def ways_of(text: str) -> list[tuple[str, list[str]]]:
    """The service (its principal, or '') and the actions of each line."""
    rows: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        service, colon, actions = line.partition(": ")
        if colon:
            rows.append(("" if service == "-" else f"{service}.amazonaws.com", actions.split()))
    return rows
