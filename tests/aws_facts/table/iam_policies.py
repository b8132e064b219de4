"""Policies on roles, managed policies with their versions and tags, and what an account sums up."""

from typing import Any

from tests.aws_facts.fact import Call, Fact, Refusal, Success, fact, iam, managed, many_tags, policy, role
from tests.aws_facts.sources import (
    DETAILS,
    MANAGED,
    POLICIES,
    PROFILES,
    ROLES,
    ROLES_LATER,
    SIMULATED,
    SUMMARY,
    guide,
    issue,
    model,
)

_READER = "arn:aws:iam::<account>:policy/reader"


def _put(name: str = "in", role_name: str = "cart", document: str = "") -> Call:
    return iam("PutRolePolicy", RoleName=role_name, PolicyName=name, PolicyDocument=document or policy())


def _version(**more: Any) -> Call:
    return iam("CreatePolicyVersion", PolicyArn=_READER, PolicyDocument=policy("s3:ListBucket"), **more)


FACTS = (
    fact(
        "inline-get",
        "GetRolePolicy answers with the role, the name and the document.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam GetRolePolicy: {RoleName: cart, PolicyName: in}
        - answers: {'keys of ': [PolicyDocument, PolicyName, RoleName], PolicyDocument.Statement.0.Action:
            's3:GetObject'}""",
    ),
    fact(
        "inline-list",
        "ListRolePolicies has names in their order.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: b, PolicyDocument: $READS}
        - iam PutRolePolicy: {RoleName: cart, PolicyName: a, PolicyDocument: $READS}
        - iam ListRolePolicies: {RoleName: cart}
        - answers: {PolicyNames: [a, b], IsTruncated: false}""",
    ),
    fact(
        "inline-replace",
        "PutRolePolicy replaces a policy of the same name.",
        model("iam", "PutRolePolicy"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: {Version: '2012-10-17',
            Statement: [{Effect: Allow,
            Action: 's3:PutObject', Resource: '*'}]}}
        - iam GetRolePolicy: {RoleName: cart, PolicyName: in}
        - answers: {PolicyDocument.Statement.0.Action: 's3:PutObject'}""",
    ),
    fact(
        "inline-get-none",
        "GetRolePolicy of none.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam GetRolePolicy: {RoleName: cart, PolicyName: in}
        - refuses: NoSuchEntity 404 The role policy with name in cannot be found.""",
    ),
    fact(
        "inline-delete-none",
        "DeleteRolePolicy of none.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam DeleteRolePolicy: {RoleName: cart, PolicyName: in}
        - refuses: NoSuchEntity 404 The role policy with name in cannot be found.""",
    ),
    fact(
        "inline-delete-twice",
        "DeleteRolePolicy twice.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam DeleteRolePolicy: {RoleName: cart, PolicyName: in}
        - iam DeleteRolePolicy: {RoleName: cart, PolicyName: in}
        - refuses: NoSuchEntity 404 The role policy with name in cannot be found.""",
    ),
    fact(
        "inline-put-no-role",
        "PutRolePolicy on no role.",
        ROLES,
        """
        - iam PutRolePolicy: {RoleName: nobody, PolicyName: in, PolicyDocument: $READS}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "inline-getrolepolicy-no-role",
        "GetRolePolicy on no role.",
        ROLES,
        """
        - iam GetRolePolicy: {RoleName: nobody, PolicyName: in}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "inline-deleterolepolicy-no-role",
        "DeleteRolePolicy on no role.",
        ROLES,
        """
        - iam DeleteRolePolicy: {RoleName: nobody, PolicyName: in}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    Fact(
        "inline-size",
        "All inline policies of a role together have at most 10,240 characters, without white space.",
        guide("IAM/latest/UserGuide/reference_iam-quotas.html") + ", kubernetes/kops#12558",
        (
            role(),
            _put("a", document=policy(resource=[f"arn:aws:s3:::bucket-{n:04}" for n in range(250)])),
            _put("b", document=policy(resource=[f"arn:aws:s3:::bucket-{n:04}" for n in range(250)])),
        ),
        Refusal("LimitExceeded", 409, "Maximum policy size of 10240 bytes exceeded for role cart"),
    ),
    fact(
        "attached-list-none",
        "A role without attached policies has an empty list.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam ListAttachedRolePolicies: {RoleName: cart}
        - answers: {AttachedPolicies: [], IsTruncated: false}""",
    ),
    fact(
        "attached-list",
        "ListAttachedRolePolicies has name and ARN.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam ListAttachedRolePolicies: {RoleName: cart}
        - answers: {AttachedPolicies: [{PolicyName: reader, PolicyArn:
            'arn:aws:iam::<account>:policy/reader'}]}""",
    ),
    fact(
        "attach-twice",
        "Attaching what is attached is no error.",
        guide("IAM/latest/APIReference/API_AttachRolePolicy.html"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam ListAttachedRolePolicies: {RoleName: cart}
        - answers: {count of AttachedPolicies: 1}""",
    ),
    fact(
        "attach-none",
        "Attaching a policy that does not exist.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/nothing'}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/nothing does not exist or is not
            attachable.""",
    ),
    fact(
        "attach-no-role",
        "Attaching to no role.",
        model("iam", "AttachRolePolicy, NoSuchEntity"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam AttachRolePolicy: {RoleName: nobody, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "attach-no-arn",
        "Attaching what is no ARN is invalid.",
        ROLES_LATER,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: longpolicynamebutnoarn}
        - refuses: ValidationError 400 ARN longpolicynamebutnoarn is not valid.""",
    ),
    fact(
        "attach-aws-managed",
        "Policies that AWS manages have ARNs without an account.",
        ROLES_LATER,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'}
        - iam ListAttachedRolePolicies: {RoleName: cart}
        - answers: {AttachedPolicies.0.PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'}""",
    ),
    Fact(
        "attach-11th",
        "The 11th attached policy is over the quota.",
        issue("aws/eks-hybrid#741"),
        (
            role(),
            *(managed(f"reader-{number}") for number in range(11)),
            *(
                iam(
                    "AttachRolePolicy",
                    RoleName="cart",
                    PolicyArn=f"arn:aws:iam::<account>:policy/reader-{number}",
                )
                for number in range(11)
            ),
        ),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for PoliciesPerRole: 10"),
    ),
    fact(
        "detach",
        "DetachRolePolicy detaches.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam DetachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam ListAttachedRolePolicies: {RoleName: cart}
        - answers: {AttachedPolicies: []}""",
    ),
    fact(
        "detach-unattached",
        "Detaching what isn't attached.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam DetachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/reader was not found.""",
    ),
    fact(
        "detach-no-role",
        "Detaching from no role.",
        model("iam", "DetachRolePolicy, NoSuchEntity"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam DetachRolePolicy: {RoleName: nobody, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: NoSuchEntity 404""",
    ),
    fact(
        "policy-create",
        "CreatePolicy answers without tags and description.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Description: reads}
          save: policy
        - answers: {keys of Policy: [Arn, AttachmentCount, CreateDate, DefaultVersionId, IsAttachable, Path,
            PermissionsBoundaryUsageCount, PolicyId, PolicyName, UpdateDate], Policy.DefaultVersionId: v1,
            Policy.AttachmentCount: 0, Policy.PolicyId: '~ANPA[A-Z0-9]{17}'}""",
    ),
    fact(
        "policy-create-tags",
        "CreatePolicy answers with the tags that it was given.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Tags: [{Key: a, Value: '1'}]}
          save: policy
        - answers: {keys of Policy: [Arn, AttachmentCount, CreateDate, DefaultVersionId, IsAttachable, Path,
            PermissionsBoundaryUsageCount, PolicyId, PolicyName, UpdateDate, Tags], Policy.Tags: [
            {Key: a, Value: '1'}]}""",
    ),
    fact(
        "policy-create-path",
        "A policy's ARN has its path.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Path: /shop/}
          save: policy
        - answers: {Policy.Arn: 'arn:aws:iam::<account>:policy/shop/reader', Policy.Path: /shop/}""",
    ),
    fact(
        "policy-twice",
        "A policy of a name that is there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - refuses: EntityAlreadyExists 409 A policy called reader already exists. Duplicate names are not
            allowed.""",
    ),
    fact(
        "policy-twice-path",
        "The same name under another path is also refused.",
        model("iam", "CreatePolicy, PolicyName"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Path: /shop/}
          save: policy
        - refuses: EntityAlreadyExists 409""",
    ),
    fact(
        "policy-get",
        "GetPolicy has tags, though empty, and no description if none is set.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam GetPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {keys of Policy: [Arn, AttachmentCount, CreateDate, DefaultVersionId, IsAttachable, Path,
            PermissionsBoundaryUsageCount, PolicyId, PolicyName, UpdateDate, Tags], Policy.Tags: [],
            Policy.Description: (absent)}""",
    ),
    fact(
        "policy-get-description",
        "GetPolicy has the description.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Description: reads, Tags: [{Key:
            a, Value: '1'}]}
          save: policy
        - iam GetPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Policy.Description: reads, Policy.Tags: [{Key: a, Value: '1'}]}""",
    ),
    fact(
        "policy-get-counts",
        "GetPolicy counts attachments and uses as a boundary.",
        model("iam", "Policy, PermissionsBoundaryUsageCount"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam GetPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Policy.AttachmentCount: 1, Policy.PermissionsBoundaryUsageCount: 1}""",
    ),
    fact(
        "policy-get-none",
        "GetPolicy of none.",
        model("iam", "GetPolicy, NoSuchEntity"),
        """
        - iam GetPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing'}
        - refuses: NoSuchEntity 404""",
    ),
    fact(
        "policy-list-path",
        "ListPolicies by path: without tags and descriptions.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Path: /shop/, Description: reads,
            Tags: [{Key: a,
            Value: '1'}]}
          save: policy
        - iam ListPolicies: {Scope: Local, PathPrefix: /shop/}
        - answers: {count of Policies: 1, keys of Policies.0: [Arn, AttachmentCount, CreateDate,
            DefaultVersionId,
            IsAttachable, Path, PermissionsBoundaryUsageCount, PolicyId, PolicyName, UpdateDate]}""",
    ),
    fact(
        "policy-list-attached",
        "OnlyAttached leaves out what nobody has.",
        MANAGED,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicy: {PolicyName: writer, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam ListPolicies: {Scope: Local, OnlyAttached: true}
        - answers: {count of Policies: 1, Policies.0.PolicyName: reader}""",
    ),
    fact(
        "policy-delete-attached",
        "A policy that is attached can't be deleted.",
        ROLES_LATER,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam DeletePolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: DeleteConflict 409 Cannot delete a policy attached to entities.""",
    ),
    fact(
        "policy-delete-versions",
        "A policy with several versions can't be deleted.",
        guide("IAM/latest/APIReference/API_DeletePolicy.html"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', PolicyDocument:
            {Version: '2012-10-17',
            Statement: [{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}]}}
        - iam DeletePolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: DeleteConflict 409""",
    ),
    fact(
        "policy-delete-none",
        "DeletePolicy of none.",
        model("iam", "DeletePolicy, NoSuchEntity"),
        """
        - iam DeletePolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing'}
        - refuses: NoSuchEntity 404""",
    ),
    Fact(
        "policy-size",
        "A managed policy has at most 6,144 characters, without white space.",
        guide("IAM/latest/UserGuide/reference_iam-quotas.html"),
        (
            iam(
                "CreatePolicy",
                PolicyName="reader",
                PolicyDocument=policy(resource=[f"arn:aws:s3:::bucket-{n:04}" for n in range(300)]),
            ),
        ),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144"),
    ),
    fact(
        "version-create",
        "CreatePolicyVersion answers with the number, without the document.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', PolicyDocument:
            {Version: '2012-10-17',
            Statement: [{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}]}, SetAsDefault: true}
        - answers: {keys of PolicyVersion: [CreateDate, IsDefaultVersion, VersionId],
            PolicyVersion.VersionId: v2,
            PolicyVersion.IsDefaultVersion: true}""",
    ),
    fact(
        "version-list",
        "ListPolicyVersions has the newest first.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', PolicyDocument:
            {Version: '2012-10-17',
            Statement: [{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}]}}
        - iam ListPolicyVersions: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Versions.0.VersionId: v2, Versions.1.IsDefaultVersion: true, IsTruncated: false}""",
    ),
    Fact(
        "version-6th",
        "The sixth version of a policy.",
        POLICIES,
        (managed(), *(_version() for _ in range(5))),
        Refusal(
            "LimitExceeded",
            409,
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete "
            "an "
            "existing version.",
        ),
    ),
    fact(
        "version-set-default",
        "SetDefaultPolicyVersion makes another one the default.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', PolicyDocument:
            {Version: '2012-10-17',
            Statement: [{Effect: Allow, Action: 's3:ListBucket', Resource: '*'}]}}
        - iam SetDefaultPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: v2}
        - iam GetPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Policy.DefaultVersionId: v2}""",
    ),
    fact(
        "version-delete-default",
        "The default version can't be deleted.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam DeletePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: v1}
        - refuses: DeleteConflict 409 Cannot delete the default version of a policy.""",
    ),
    fact(
        "version-getpolicyversion-version",
        "GetPolicyVersion of a version that isn't there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam GetPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: v9}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/reader version v9 does not exist or
            is not attachable.""",
    ),
    fact(
        "version-getpolicyversion-policy",
        "GetPolicyVersion of a policy that isn't there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam GetPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing', VersionId: v9}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/nothing version v9 does not exist or
            is not attachable.""",
    ),
    fact(
        "version-deletepolicyversion-version",
        "DeletePolicyVersion of a version that isn't there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam DeletePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: v9}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/reader version v9 does not exist or
            is not attachable.""",
    ),
    fact(
        "version-setdefaultpolicyversion-version",
        "SetDefaultPolicyVersion of a version that isn't there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam SetDefaultPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: v9}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/reader version v9 does not exist or
            is not attachable.""",
    ),
    fact(
        "version-setdefaultpolicyversion-policy",
        "SetDefaultPolicyVersion of a policy that isn't there.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam SetDefaultPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing', VersionId: v9}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/nothing version v9 does not exist or
            is not attachable.""",
    ),
    fact(
        "version-number",
        "A version that is no v and number.",
        POLICIES,
        r"""
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam SetDefaultPolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', VersionId: wrong}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''versionId'' failed to satisfy
            constraint: Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?'""",
    ),
    fact(
        "policy-tags-case",
        "Keys of a policy's tags differ by case.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Tags: [{Key: A, Value: upper},
            {Key: a, Value: lower}]}
          save: policy
        - iam ListPolicyTags: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Tags: [{Key: A, Value: upper}, {Key: a, Value: lower}], IsTruncated: false}""",
    ),
    fact(
        "policy-tag-case",
        "So they do in TagPolicy and UntagPolicy.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam TagPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', Tags: [{Key: A, Value: upper},
            {Key: a,
            Value: lower}]}
        - iam UntagPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', TagKeys: [a]}
        - iam ListPolicyTags: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - answers: {Tags: [{Key: A, Value: upper}]}""",
    ),
    fact(
        "policy-tags-twice",
        "A key twice, in the same case.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Tags: [{Key: a, Value: '1'}, {Key:
            a, Value: '1'}]}
          save: policy
        - refuses: InvalidInput 400 Duplicate tag keys found.""",
    ),
    fact(
        "policy-tags-page",
        "MaxItems makes pages of a policy's tags.",
        POLICIES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS, Tags: [{Key: a, Value: '1'}, {Key:
            b, Value: '2'}]}
          save: policy
        - iam ListPolicyTags: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', MaxItems: 1}
        - answers: {Tags: [{Key: a, Value: '1'}], IsTruncated: true}""",
    ),
    Fact(
        "policy-tags-51",
        "51 tags of a policy.",
        POLICIES,
        (managed(Tags=many_tags(51)),),
        Refusal(
            "ValidationError",
            400,
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have "
            "length less than or equal to 50",
        ),
    ),
    fact(
        "policy-tag-none",
        "TagPolicy of none.",
        POLICIES,
        """
        - iam TagPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing', Tags: [{Key: a, Value: '1'}]}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/nothing was not found.""",
    ),
    fact(
        "policy-untag-none",
        "UntagPolicy of none.",
        POLICIES,
        """
        - iam UntagPolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/nothing', TagKeys: [a]}
        - refuses: NoSuchEntity 404 Policy arn:aws:iam::<account>:policy/nothing was not found.""",
    ),
    fact(
        "profile-second-role",
        "An instance profile has one role.",
        PROFILES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateRole: {RoleName: other, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateInstanceProfile: {InstanceProfileName: nodes}
        - iam AddRoleToInstanceProfile: {InstanceProfileName: nodes, RoleName: cart}
        - iam AddRoleToInstanceProfile: {InstanceProfileName: nodes, RoleName: other}
        - refuses: 'LimitExceeded 409 Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1'""",
    ),
    fact(
        "summary-rolesquota",
        "GetAccountSummary: RolesQuota is 1,000 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.RolesQuota: 1000}""",
    ),
    fact(
        "summary-assumerolepolicysizequota",
        "GetAccountSummary: AssumeRolePolicySizeQuota is 2,048 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.AssumeRolePolicySizeQuota: 2048}""",
    ),
    fact(
        "summary-attachedpoliciesperrolequota",
        "GetAccountSummary: AttachedPoliciesPerRoleQuota is 10 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.AttachedPoliciesPerRoleQuota: 10}""",
    ),
    fact(
        "summary-policiesquota",
        "GetAccountSummary: PoliciesQuota is 1,500 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.PoliciesQuota: 1500}""",
    ),
    fact(
        "summary-policysizequota",
        "GetAccountSummary: PolicySizeQuota is 6,144 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.PolicySizeQuota: 6144}""",
    ),
    fact(
        "summary-rolepolicysizequota",
        "GetAccountSummary: RolePolicySizeQuota is 10,240 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.RolePolicySizeQuota: 10240}""",
    ),
    fact(
        "summary-versionsperpolicyquota",
        "GetAccountSummary: VersionsPerPolicyQuota is 5 by default.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.VersionsPerPolicyQuota: 5}""",
    ),
    fact(
        "summary-no-provider-quota",
        "GetAccountSummary has no quota of OIDC providers.",
        SUMMARY,
        """
        - iam GetAccountSummary: {}
        - answers: {SummaryMap.OpenIDConnectProvidersQuota: (absent)}""",
    ),
    Fact(
        "summary-providers",
        "Providers in GetAccountSummary counts SAML and OIDC together.",
        SUMMARY,
        (
            iam("CreateOpenIDConnectProvider", Url="https://login.example.org", ThumbprintList=["a" * 40]),
            iam("CreateSAMLProvider", Name="saml", SAMLMetadataDocument="<a>" + "b" * 1000 + "</a>"),
            iam("GetAccountSummary"),
        ),
        Success({"SummaryMap.Providers": 2}),
    ),
    fact(
        "details-role",
        "GetAccountAuthorizationDetails: a role with its policies and tags, without longest session.",
        DETAILS,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'}]}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam GetAccountAuthorizationDetails: {Filter: [Role]}
        - answers: {count of RoleDetailList: 1, keys of RoleDetailList.0: [Arn, AssumeRolePolicyDocument,
            AttachedManagedPolicies,
            CreateDate, InstanceProfileList, Path, RoleId, RoleLastUsed, RoleName, RolePolicyList,
            Tags], RoleDetailList.0.RoleLastUsed: {}, Policies: [], UserDetailList: [], GroupDetailList:
            []}""",
    ),
    fact(
        "details-local-policies",
        "GetAccountAuthorizationDetails: own policies with their documents.",
        DETAILS,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam GetAccountAuthorizationDetails: {Filter: [LocalManagedPolicy]}
        - answers: {count of Policies: 1, Policies.0.PolicyVersionList.0.Document.Statement.0.Action:
            's3:GetObject',
            RoleDetailList: []}""",
    ),
    fact(
        "simulate-denied",
        "SimulatePrincipalPolicy of what no policy allows: an implicit deny.",
        SIMULATED,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam SimulatePrincipalPolicy: {PolicySourceArn: <role.Role.Arn>, ActionNames: ['s3:PutObject']}
        - answers: {EvaluationResults.0.EvalDecision: implicitDeny}""",
    ),
    fact(
        "simulate-allowed",
        "SimulatePrincipalPolicy of what a policy of the role allows.",
        SIMULATED,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam SimulatePrincipalPolicy: {PolicySourceArn: <role.Role.Arn>, ActionNames: ['s3:GetObject']}
        - answers: {EvaluationResults.0.EvalDecision: allowed}""",
    ),
    fact(
        "details-profile-roles",
        "GetAccountAuthorizationDetails: an instance profile names its role.",
        DETAILS,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateInstanceProfile: {InstanceProfileName: nodes}
        - iam AddRoleToInstanceProfile: {InstanceProfileName: nodes, RoleName: cart}
        - iam GetAccountAuthorizationDetails: {Filter: [Role]}
        - answers: {RoleDetailList.0.InstanceProfileList.0.Roles.0.RoleName: cart}""",
    ),
)
