"""Policies on roles, managed policies with their versions and tags, and what an account sums up."""

from typing import Any

from tests.aws_facts.fact import (
    ABSENT,
    Call,
    Fact,
    Refusal,
    Success,
    iam,
    managed,
    many_tags,
    policy,
    role,
    tags,
)
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
_NONE = "arn:aws:iam::<account>:policy/nothing"
_NO_ROLE = Refusal("NoSuchEntity", 404, "The role with name nobody cannot be found.")
_NO_INLINE = Refusal("NoSuchEntity", 404, "The role policy with name in cannot be found.")
_NO_ATTACHABLE = Refusal("NoSuchEntity", 404, f"Policy {_NONE} does not exist or is not attachable.")
_UNTAGGED = Refusal("NoSuchEntity", 404, f"Policy {_NONE} was not found.")
_ATTACH = iam("AttachRolePolicy", RoleName="cart", PolicyArn=_READER)
_LIST = iam("ListAttachedRolePolicies", RoleName="cart")
_MADE = (
    "Arn",
    "AttachmentCount",
    "CreateDate",
    "DefaultVersionId",
    "IsAttachable",
    "Path",
    "PermissionsBoundaryUsageCount",
    "PolicyId",
    "PolicyName",
    "UpdateDate",
)
_WRONG_VERSION = r"""Value at 'versionId' failed to satisfy constraint: Member must satisfy regular \
expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?""".replace("\\\n", "")


def _put(name: str = "in", role_name: str = "cart", document: str = "") -> Call:
    return iam("PutRolePolicy", RoleName=role_name, PolicyName=name, PolicyDocument=document or policy())


def _version(**more: Any) -> Call:
    return iam("CreatePolicyVersion", PolicyArn=_READER, PolicyDocument=policy("s3:ListBucket"), **more)


def _of(operation: str, arn: str = _READER, **more: Any) -> Call:
    return iam(operation, PolicyArn=arn, **more)


FACTS = (
    Fact(
        "inline-get",
        "GetRolePolicy answers with the role, the name and the document.",
        ROLES,
        (role(), _put(), iam("GetRolePolicy", RoleName="cart", PolicyName="in")),
        Success(
            {
                "keys of ": ("PolicyDocument", "PolicyName", "RoleName"),
                "PolicyDocument.Statement.0.Action": "s3:GetObject",
            }
        ),
    ),
    Fact(
        "inline-list",
        "ListRolePolicies has names in their order.",
        ROLES,
        (role(), _put("b"), _put("a"), iam("ListRolePolicies", RoleName="cart")),
        Success({"PolicyNames": ["a", "b"], "IsTruncated": False}),
    ),
    Fact(
        "inline-replace",
        "PutRolePolicy replaces a policy of the same name.",
        model("iam", "PutRolePolicy"),
        (
            role(),
            _put(),
            _put(document=policy("s3:PutObject")),
            iam("GetRolePolicy", RoleName="cart", PolicyName="in"),
        ),
        Success({"PolicyDocument.Statement.0.Action": "s3:PutObject"}),
    ),
    Fact(
        "inline-get-none",
        "GetRolePolicy of none.",
        ROLES,
        (role(), iam("GetRolePolicy", RoleName="cart", PolicyName="in")),
        _NO_INLINE,
    ),
    Fact(
        "inline-delete-none",
        "DeleteRolePolicy of none.",
        ROLES,
        (role(), iam("DeleteRolePolicy", RoleName="cart", PolicyName="in")),
        _NO_INLINE,
    ),
    Fact(
        "inline-delete-twice",
        "DeleteRolePolicy twice.",
        ROLES,
        (
            role(),
            _put(),
            iam("DeleteRolePolicy", RoleName="cart", PolicyName="in"),
            iam("DeleteRolePolicy", RoleName="cart", PolicyName="in"),
        ),
        _NO_INLINE,
    ),
    Fact("inline-put-no-role", "PutRolePolicy on no role.", ROLES, (_put(role_name="nobody"),), _NO_ROLE),
    *(
        Fact(
            f"inline-{operation.lower()}-no-role",
            f"{operation} on no role.",
            ROLES,
            (iam(operation, RoleName="nobody", PolicyName="in"),),
            _NO_ROLE,
        )
        for operation in ("GetRolePolicy", "DeleteRolePolicy")
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
    Fact(
        "attached-list-none",
        "A role without attached policies has an empty list.",
        ROLES,
        (role(), _LIST),
        Success({"AttachedPolicies": [], "IsTruncated": False}),
    ),
    Fact(
        "attached-list",
        "ListAttachedRolePolicies has name and ARN.",
        ROLES,
        (managed(), role(), _ATTACH, _LIST),
        Success({"AttachedPolicies": [{"PolicyName": "reader", "PolicyArn": _READER}]}),
    ),
    Fact(
        "attach-twice",
        "Attaching what is attached is no error.",
        guide("IAM/latest/APIReference/API_AttachRolePolicy.html"),
        (managed(), role(), _ATTACH, _ATTACH, _LIST),
        Success({"count of AttachedPolicies": 1}),
    ),
    Fact(
        "attach-none",
        "Attaching a policy that does not exist.",
        ROLES,
        (role(), iam("AttachRolePolicy", RoleName="cart", PolicyArn=_NONE)),
        _NO_ATTACHABLE,
    ),
    Fact(
        "attach-no-role",
        "Attaching to no role.",
        model("iam", "AttachRolePolicy, NoSuchEntity"),
        (managed(), iam("AttachRolePolicy", RoleName="nobody", PolicyArn=_READER)),
        _NO_ROLE,
    ),
    Fact(
        "attach-no-arn",
        "Attaching what is no ARN is invalid.",
        ROLES_LATER,
        (role(), iam("AttachRolePolicy", RoleName="cart", PolicyArn="longpolicynamebutnoarn")),
        Refusal("ValidationError", 400, "ARN longpolicynamebutnoarn is not valid."),
    ),
    Fact(
        "attach-aws-managed",
        "Policies that AWS manages have ARNs without an account.",
        ROLES_LATER,
        (
            role(),
            iam(
                "AttachRolePolicy",
                RoleName="cart",
                PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
            ),
            _LIST,
        ),
        Success({"AttachedPolicies.0.PolicyArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}),
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
    Fact(
        "detach",
        "DetachRolePolicy detaches.",
        ROLES,
        (managed(), role(), _ATTACH, iam("DetachRolePolicy", RoleName="cart", PolicyArn=_READER), _LIST),
        Success({"AttachedPolicies": []}),
    ),
    Fact(
        "detach-unattached",
        "Detaching what isn't attached.",
        ROLES,
        (managed(), role(), iam("DetachRolePolicy", RoleName="cart", PolicyArn=_READER)),
        Refusal("NoSuchEntity", 404, f"Policy {_READER} was not found."),
    ),
    Fact(
        "detach-no-role",
        "Detaching from no role.",
        model("iam", "DetachRolePolicy, NoSuchEntity"),
        (managed(), iam("DetachRolePolicy", RoleName="nobody", PolicyArn=_READER)),
        Refusal("NoSuchEntity", 404),
    ),
    Fact(
        "policy-create",
        "CreatePolicy answers without tags and description.",
        POLICIES,
        (managed(Description="reads"),),
        Success(
            {
                "keys of Policy": _MADE,
                "Policy.DefaultVersionId": "v1",
                "Policy.AttachmentCount": 0,
                "Policy.PolicyId": "~ANPA[A-Z0-9]{17}",
            }
        ),
    ),
    Fact(
        "policy-create-tags",
        "CreatePolicy answers with the tags that it was given.",
        POLICIES,
        (managed(Tags=tags(a="1")),),
        Success({"keys of Policy": (*_MADE, "Tags"), "Policy.Tags": tags(a="1")}),
    ),
    Fact(
        "policy-create-path",
        "A policy's ARN has its path.",
        POLICIES,
        (managed(Path="/shop/"),),
        Success({"Policy.Arn": "arn:aws:iam::<account>:policy/shop/reader", "Policy.Path": "/shop/"}),
    ),
    Fact(
        "policy-twice",
        "A policy of a name that is there.",
        POLICIES,
        (managed(), managed()),
        Refusal(
            "EntityAlreadyExists",
            409,
            "A policy called reader already exists. Duplicate names are not allowed.",
        ),
    ),
    Fact(
        "policy-twice-path",
        "The same name under another path is also refused.",
        model("iam", "CreatePolicy, PolicyName"),
        (managed(), managed(Path="/shop/")),
        Refusal("EntityAlreadyExists", 409),
    ),
    Fact(
        "policy-get",
        "GetPolicy has tags, though empty, and no description if none is set.",
        POLICIES,
        (managed(), _of("GetPolicy")),
        Success({"keys of Policy": (*_MADE, "Tags"), "Policy.Tags": [], "Policy.Description": ABSENT}),
    ),
    Fact(
        "policy-get-description",
        "GetPolicy has the description.",
        POLICIES,
        (managed(Description="reads", Tags=tags(a="1")), _of("GetPolicy")),
        Success({"Policy.Description": "reads", "Policy.Tags": tags(a="1")}),
    ),
    Fact(
        "policy-get-counts",
        "GetPolicy counts attachments and uses as a boundary.",
        model("iam", "Policy, PermissionsBoundaryUsageCount"),
        (managed(), role(PermissionsBoundary=_READER), _ATTACH, _of("GetPolicy")),
        Success({"Policy.AttachmentCount": 1, "Policy.PermissionsBoundaryUsageCount": 1}),
    ),
    Fact(
        "policy-get-none",
        "GetPolicy of none.",
        model("iam", "GetPolicy, NoSuchEntity"),
        (_of("GetPolicy", _NONE),),
        Refusal("NoSuchEntity", 404),
    ),
    Fact(
        "policy-list-path",
        "ListPolicies by path: without tags and descriptions.",
        POLICIES,
        (
            managed(Path="/shop/", Description="reads", Tags=tags(a="1")),
            iam("ListPolicies", Scope="Local", PathPrefix="/shop/"),
        ),
        Success({"count of Policies": 1, "keys of Policies.0": _MADE}),
    ),
    Fact(
        "policy-list-attached",
        "OnlyAttached leaves out what nobody has.",
        MANAGED,
        (
            managed(),
            managed("writer"),
            role(),
            _ATTACH,
            iam("ListPolicies", Scope="Local", OnlyAttached=True),
        ),
        Success({"count of Policies": 1, "Policies.0.PolicyName": "reader"}),
    ),
    Fact(
        "policy-delete-attached",
        "A policy that is attached can't be deleted.",
        ROLES_LATER,
        (managed(), role(), _ATTACH, _of("DeletePolicy")),
        Refusal("DeleteConflict", 409, "Cannot delete a policy attached to entities."),
    ),
    Fact(
        "policy-delete-versions",
        "A policy with several versions can't be deleted.",
        guide("IAM/latest/APIReference/API_DeletePolicy.html"),
        (managed(), _version(), _of("DeletePolicy")),
        Refusal("DeleteConflict", 409),
    ),
    Fact(
        "policy-delete-none",
        "DeletePolicy of none.",
        model("iam", "DeletePolicy, NoSuchEntity"),
        (_of("DeletePolicy", _NONE),),
        Refusal("NoSuchEntity", 404),
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
    Fact(
        "version-create",
        "CreatePolicyVersion answers with the number, without the document.",
        POLICIES,
        (managed(), _version(SetAsDefault=True)),
        Success(
            {
                "keys of PolicyVersion": ("CreateDate", "IsDefaultVersion", "VersionId"),
                "PolicyVersion.VersionId": "v2",
                "PolicyVersion.IsDefaultVersion": True,
            }
        ),
    ),
    Fact(
        "version-list",
        "ListPolicyVersions has the newest first.",
        POLICIES,
        (managed(), _version(), _of("ListPolicyVersions")),
        Success({"Versions.0.VersionId": "v2", "Versions.1.IsDefaultVersion": True, "IsTruncated": False}),
    ),
    Fact(
        "version-6th",
        "The sixth version of a policy.",
        POLICIES,
        (managed(), *(_version() for _ in range(5))),
        Refusal(
            "LimitExceeded",
            409,
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
            "existing version.",
        ),
    ),
    Fact(
        "version-set-default",
        "SetDefaultPolicyVersion makes another one the default.",
        POLICIES,
        (managed(), _version(), _of("SetDefaultPolicyVersion", VersionId="v2"), _of("GetPolicy")),
        Success({"Policy.DefaultVersionId": "v2"}),
    ),
    Fact(
        "version-delete-default",
        "The default version can't be deleted.",
        POLICIES,
        (managed(), _of("DeletePolicyVersion", VersionId="v1")),
        Refusal("DeleteConflict", 409, "Cannot delete the default version of a policy."),
    ),
    *(
        Fact(
            f"version-{operation.lower()}-{what}",
            f"{operation} of a {what} that isn't there.",
            POLICIES,
            (managed(), _of(operation, arn, VersionId="v9")),
            Refusal("NoSuchEntity", 404, f"Policy {arn} version v9 does not exist or is not attachable."),
        )
        for operation, what, arn in (
            ("GetPolicyVersion", "version", _READER),
            ("GetPolicyVersion", "policy", _NONE),
            ("DeletePolicyVersion", "version", _READER),
            ("SetDefaultPolicyVersion", "version", _READER),
            ("SetDefaultPolicyVersion", "policy", _NONE),
        )
    ),
    Fact(
        "version-number",
        "A version that is no v and number.",
        POLICIES,
        (managed(), _of("SetDefaultPolicyVersion", VersionId="wrong")),
        Refusal("ValidationError", 400, f"1 validation error detected: {_WRONG_VERSION}"),
    ),
    Fact(
        "policy-tags-case",
        "Keys of a policy's tags differ by case.",
        POLICIES,
        (managed(Tags=tags(A="upper", a="lower")), _of("ListPolicyTags")),
        Success({"Tags": tags(A="upper", a="lower"), "IsTruncated": False}),
    ),
    Fact(
        "policy-tag-case",
        "So they do in TagPolicy and UntagPolicy.",
        POLICIES,
        (
            managed(),
            _of("TagPolicy", Tags=tags(A="upper", a="lower")),
            _of("UntagPolicy", TagKeys=["a"]),
            _of("ListPolicyTags"),
        ),
        Success({"Tags": tags(A="upper")}),
    ),
    Fact(
        "policy-tags-twice",
        "A key twice, in the same case.",
        POLICIES,
        (managed(Tags=tags(a="1") * 2),),
        Refusal("InvalidInput", 400, "Duplicate tag keys found."),
    ),
    Fact(
        "policy-tags-page",
        "MaxItems makes pages of a policy's tags.",
        POLICIES,
        (managed(Tags=tags(a="1", b="2")), _of("ListPolicyTags", MaxItems=1)),
        Success({"Tags": tags(a="1"), "IsTruncated": True}),
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
    Fact(
        "policy-tag-none",
        "TagPolicy of none.",
        POLICIES,
        (_of("TagPolicy", _NONE, Tags=tags(a="1")),),
        _UNTAGGED,
    ),
    Fact(
        "policy-untag-none",
        "UntagPolicy of none.",
        POLICIES,
        (_of("UntagPolicy", _NONE, TagKeys=["a"]),),
        _UNTAGGED,
    ),
    Fact(
        "profile-second-role",
        "An instance profile has one role.",
        PROFILES,
        (
            role(),
            role("other"),
            iam("CreateInstanceProfile", InstanceProfileName="nodes"),
            iam("AddRoleToInstanceProfile", InstanceProfileName="nodes", RoleName="cart"),
            iam("AddRoleToInstanceProfile", InstanceProfileName="nodes", RoleName="other"),
        ),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"),
    ),
    *(
        Fact(
            f"summary-{name.lower()}",
            f"GetAccountSummary: {name} is {value:,} by default.",
            SUMMARY,
            (iam("GetAccountSummary"),),
            Success({f"SummaryMap.{name}": value}),
        )
        for name, value in (
            ("RolesQuota", 1000),
            ("AssumeRolePolicySizeQuota", 2048),
            ("AttachedPoliciesPerRoleQuota", 10),
            ("PoliciesQuota", 1500),
            ("PolicySizeQuota", 6144),
            ("RolePolicySizeQuota", 10240),
            ("VersionsPerPolicyQuota", 5),
        )
    ),
    Fact(
        "summary-no-provider-quota",
        "GetAccountSummary has no quota of OIDC providers.",
        SUMMARY,
        (iam("GetAccountSummary"),),
        Success({"SummaryMap.OpenIDConnectProvidersQuota": ABSENT}),
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
    Fact(
        "details-role",
        "GetAccountAuthorizationDetails: a role with its policies and tags, without longest session.",
        DETAILS,
        (
            managed(),
            role(Tags=tags(a="1")),
            _ATTACH,
            _put(),
            iam("GetAccountAuthorizationDetails", Filter=["Role"]),
        ),
        Success(
            {
                "count of RoleDetailList": 1,
                "keys of RoleDetailList.0": (
                    "Arn",
                    "AssumeRolePolicyDocument",
                    "AttachedManagedPolicies",
                    "CreateDate",
                    "InstanceProfileList",
                    "Path",
                    "RoleId",
                    "RoleLastUsed",
                    "RoleName",
                    "RolePolicyList",
                    "Tags",
                ),
                "RoleDetailList.0.RoleLastUsed": {},
                "Policies": [],
                "UserDetailList": [],
                "GroupDetailList": [],
            }
        ),
    ),
    Fact(
        "details-local-policies",
        "GetAccountAuthorizationDetails: own policies with their documents.",
        DETAILS,
        (managed(), iam("GetAccountAuthorizationDetails", Filter=["LocalManagedPolicy"])),
        Success(
            {
                "count of Policies": 1,
                "Policies.0.PolicyVersionList.0.Document.Statement.0.Action": "s3:GetObject",
                "RoleDetailList": [],
            }
        ),
    ),
    Fact(
        "simulate-denied",
        "SimulatePrincipalPolicy of what no policy allows: an implicit deny.",
        SIMULATED,
        (
            role(),
            iam(
                "SimulatePrincipalPolicy",
                PolicySourceArn="<role.Role.Arn>",
                ActionNames=["s3:PutObject"],
            ),
        ),
        Success({"EvaluationResults.0.EvalDecision": "implicitDeny"}),
    ),
    Fact(
        "simulate-allowed",
        "SimulatePrincipalPolicy of what a policy of the role allows.",
        SIMULATED,
        (
            role(),
            _put(),
            iam(
                "SimulatePrincipalPolicy",
                PolicySourceArn="<role.Role.Arn>",
                ActionNames=["s3:GetObject"],
            ),
        ),
        Success({"EvaluationResults.0.EvalDecision": "allowed"}),
    ),
    Fact(
        "details-profile-roles",
        "GetAccountAuthorizationDetails: an instance profile names its role.",
        DETAILS,
        (
            role(),
            iam("CreateInstanceProfile", InstanceProfileName="nodes"),
            iam("AddRoleToInstanceProfile", InstanceProfileName="nodes", RoleName="cart"),
            iam("GetAccountAuthorizationDetails", Filter=["Role"]),
        ),
        Success({"RoleDetailList.0.InstanceProfileList.0.Roles.0.RoleName": "cart"}),
    ),
)
