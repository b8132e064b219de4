"""Roles: making, reading, changing and deleting them, and their tags."""

from tests.aws_facts.fact import Fact, Refusal, fact, iam, many_tags, role, tags
from tests.aws_facts.sources import ROLES, guide, issue, model, pasted

_AT = "1 validation error detected: Value at"


def _unfit(field: str, rule: str) -> Refusal:
    return Refusal("ValidationError", 400, f"{_AT} '{field}' failed to satisfy constraint: {rule}")


FACTS = (
    fact(
        "role-create-members",
        "CreateRole answers with six members, and without MaxSessionDuration, RoleLastUsed and Tags.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, MaxSessionDuration: 7200}
          save: role
        - answers: {keys of Role: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName],
            Role.Path: /,
            Role.RoleId: '~AROA[A-Z0-9]{17}'}""",
    ),
    fact(
        "role-create-no-description",
        "CreateRole does not repeat the description.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Description: carts}
          save: role
        - answers: {Role.Description: (absent)}""",
    ),
    fact(
        "role-create-tags",
        "CreateRole answers with the tags that it was given.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'}]}
          save: role
        - answers: {keys of Role: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName, Tags],
            Role.Tags: [{Key: a, Value: '1'}]}""",
    ),
    fact(
        "role-create-boundary",
        "CreateRole answers with the boundary, of type Policy.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
          save: role
        - answers: {Role.PermissionsBoundary: {PermissionsBoundaryType: Policy, PermissionsBoundaryArn:
            'arn:aws:iam::<account>:policy/reader'}}""",
    ),
    fact(
        "role-create-path",
        "A role's ARN has its path.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - answers: {Role.Arn: 'arn:aws:iam::<account>:role/shop/cart', Role.Path: /shop/}""",
    ),
    fact(
        "role-twice",
        "A role of a name that is there is refused.",
        model("iam", "CreateRole, EntityAlreadyExists"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - refuses: EntityAlreadyExists 409 Role with name cart already exists.""",
    ),
    fact(
        "role-twice-path",
        "Names are one in an account, whatever the path.",
        model("iam", "CreateRole, RoleName"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - refuses: EntityAlreadyExists 409""",
    ),
    fact(
        "role-twice-case",
        "Names that differ in case only are one.",
        model("iam", "CreateRole, RoleName"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateRole: {RoleName: CART, AssumeRolePolicyDocument: $EC2}
          save: role
        - refuses: EntityAlreadyExists 409""",
    ),
    fact(
        "role-get-members",
        "GetRole adds MaxSessionDuration and an empty RoleLastUsed, and has neither Tags nor Description.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam GetRole: {RoleName: cart}
        - answers: {keys of Role: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName,
            MaxSessionDuration,
            RoleLastUsed], Role.MaxSessionDuration: 3600, Role.RoleLastUsed: {}}""",
    ),
    fact(
        "role-get-all",
        "GetRole has description, tags and boundary if they are set.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Description: carts, Tags: [{Key:
            a, Value: '1'}],
            PermissionsBoundary: 'arn:aws:iam::<account>:policy/reader'}
          save: role
        - iam GetRole: {RoleName: cart}
        - answers: {keys of Role: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName,
            MaxSessionDuration,
            RoleLastUsed, Description, Tags, PermissionsBoundary], Role.Description: carts,
            Role.PermissionsBoundary.PermissionsBoundaryType: Policy,
            Role.Tags: [{Key: a, Value: '1'}]}""",
    ),
    fact(
        "role-get-none",
        "GetRole of none.",
        ROLES,
        """
        - iam GetRole: {RoleName: nobody}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "role-update-none",
        "UpdateRole of none.",
        ROLES,
        """
        - iam UpdateRole: {RoleName: nobody, Description: x}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "role-delete-none",
        "DeleteRole of none.",
        ROLES,
        """
        - iam DeleteRole: {RoleName: nobody}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "role-list-members",
        "ListRoles has neither tags, boundary nor last use.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Path: /shop/, Tags: [{Key: a,
            Value: '1'}],
            PermissionsBoundary: 'arn:aws:iam::<account>:policy/reader', Description: carts}
          save: role
        - iam ListRoles: {PathPrefix: /shop/}
        - answers: {keys of Roles.0: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName,
            MaxSessionDuration,
            Description], count of Roles: 1, IsTruncated: false}""",
    ),
    fact(
        "role-list-none",
        "A path without roles gives an empty list.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam ListRoles: {PathPrefix: /nowhere/}
        - answers: {Roles: [], IsTruncated: false}""",
    ),
    fact(
        "role-list-prefix",
        "PathPrefix leaves out roles of other paths.",
        ROLES,
        """
        - iam CreateRole: {RoleName: one, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateRole: {RoleName: two, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam ListRoles: {PathPrefix: /shop/}
        - answers: {count of Roles: 1, Roles.0.RoleName: two}""",
    ),
    fact(
        "role-list-pages",
        "MaxItems makes pages, with a Marker for the next.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart-0, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam CreateRole: {RoleName: cart-1, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam CreateRole: {RoleName: cart-2, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam ListRoles: {PathPrefix: /shop/, MaxItems: 2}
        - answers: {count of Roles: 2, IsTruncated: true, Marker: ~.+}""",
    ),
    fact(
        "role-list-next-page",
        "The Marker leads to the rest.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart-0, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam CreateRole: {RoleName: cart-1, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam CreateRole: {RoleName: cart-2, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - iam ListRoles: {PathPrefix: /shop/, MaxItems: 2}
          save: page
        - iam ListRoles: {PathPrefix: /shop/, Marker: <page.Marker>}
        - answers: {count of Roles: 1, IsTruncated: false, Marker: (absent)}""",
    ),
    fact(
        "role-update",
        "UpdateRole changes description and longest session.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Description: old}
          save: role
        - iam UpdateRole: {RoleName: cart, Description: new, MaxSessionDuration: 7200}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.Description: new, Role.MaxSessionDuration: 7200}""",
    ),
    fact(
        "role-update-answer",
        "UpdateRole answers with nothing.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateRole: {RoleName: cart, Description: new}
        - answers: {'keys of ': []}""",
    ),
    fact(
        "role-update-nothing",
        "UpdateRole without values keeps them.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Description: old,
            MaxSessionDuration: 7200}
          save: role
        - iam UpdateRole: {RoleName: cart}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.Description: old, Role.MaxSessionDuration: 7200}""",
    ),
    fact(
        "role-update-description",
        "UpdateRoleDescription answers with the role, without its longest session.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateRoleDescription: {RoleName: cart, Description: new}
        - answers: {keys of Role: [Arn, AssumeRolePolicyDocument, CreateDate, Path, RoleId, RoleName,
            Description],
            Role.Description: new}""",
    ),
    fact(
        "role-delete-attached",
        "A role with an attached policy can't be deleted.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam AttachRolePolicy: {RoleName: cart, PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - iam DeleteRole: {RoleName: cart}
        - refuses: DeleteConflict 409 Cannot delete entity, must detach all policies first.""",
    ),
    fact(
        "role-delete-inline",
        "A role with an inline policy can't be deleted.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: $READS}
        - iam DeleteRole: {RoleName: cart}
        - refuses: DeleteConflict 409 Cannot delete entity, must delete policies first.""",
    ),
    fact(
        "role-delete-profile",
        "A role in an instance profile can't be deleted.",
        pasted("99designs/iamy#68, redhat-performance/cloud-governance#946", "2025-11-07"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam CreateInstanceProfile: {InstanceProfileName: nodes}
        - iam AddRoleToInstanceProfile: {InstanceProfileName: nodes, RoleName: cart}
        - iam DeleteRole: {RoleName: cart}
        - refuses: DeleteConflict 409 Cannot delete entity, must remove roles from instance profile
            first.""",
    ),
    fact(
        "role-delete-boundary",
        "A boundary does not keep a role from being deleted.",
        guide("IAM/latest/UserGuide/id_roles_manage_delete.html"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
          save: role
        - iam DeleteRole: {RoleName: cart}
        - answers: {}""",
    ),
    fact(
        "role-again-other-id",
        "A role made again under its name has another unique id.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: first
        - iam DeleteRole: {RoleName: cart}
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - answers: {Role.RoleId: '~(?!<first.Role.RoleId>)AROA.*', Role.Arn: <first.Role.Arn>}""",
    ),
    fact(
        "boundary-deleted",
        "DeleteRolePermissionsBoundary removes it from GetRole.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
          save: role
        - iam DeleteRolePermissionsBoundary: {RoleName: cart}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.PermissionsBoundary: (absent)}""",
    ),
    fact(
        "boundary-put",
        "PutRolePermissionsBoundary sets it.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePermissionsBoundary: {RoleName: cart, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.PermissionsBoundary.PermissionsBoundaryArn:
            'arn:aws:iam::<account>:policy/reader'}""",
    ),
    fact(
        "boundary-put-no-arn",
        "A boundary that is no ARN of a policy is refused as invalid input.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePermissionsBoundary: {RoleName: cart, PermissionsBoundary:
            'arn:aws:iam::<account>:not_a_policy/reader'}
        - refuses: InvalidInput 400 ARN arn:aws:iam::<account>:not_a_policy/reader is not valid.""",
    ),
    fact(
        "boundary-create-no-arn",
        "CreateRole says the same of it.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:not_a_policy/reader'}
          save: role
        - refuses: InvalidInput 400 ARN arn:aws:iam::<account>:not_a_policy/reader is not valid.""",
    ),
    fact(
        "boundary-put-none",
        "A boundary that does not exist is refused.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePermissionsBoundary: {RoleName: cart, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/nothing'}
        - refuses: 'NoSuchEntity 404 Scope ARN: arn:aws:iam::<account>:policy/nothing does not exist or is
            not
            attachable.'""",
    ),
    fact(
        "boundary-create-none",
        "CreateRole says the same of it.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/nothing'}
          save: role
        - refuses: 'NoSuchEntity 404 Scope ARN: arn:aws:iam::<account>:policy/nothing does not exist or is
            not
            attachable.'""",
    ),
    fact(
        "boundary-no-role",
        "A boundary for a role that does not exist.",
        ROLES,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam PutRolePermissionsBoundary: {RoleName: nobody, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "boundary-in-use",
        "A policy that is a boundary can't be deleted.",
        guide("IAM/latest/UserGuide/access_policies_boundaries.html"),
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, PermissionsBoundary:
            'arn:aws:iam::<account>:policy/reader'}
          save: role
        - iam DeletePolicy: {PolicyArn: 'arn:aws:iam::<account>:policy/reader'}
        - refuses: DeleteConflict 409""",
    ),
    fact(
        "role-tag",
        "TagRole adds tags, and GetRole shows them.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: a, Value: '1'}, {Key: b, Value: '2'}]}
        - iam GetRole: {RoleName: cart}
        - answers: {Role.Tags: [{Key: a, Value: '1'}, {Key: b, Value: '2'}]}""",
    ),
    fact(
        "role-tag-replaces",
        "TagRole replaces the value of a key that is there.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'},
            {Key: b, Value: '2'}]}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: a, Value: '3'}]}
        - iam ListRoleTags: {RoleName: cart}
        - answers: {Tags: [{Key: a, Value: '3'}, {Key: b, Value: '2'}], IsTruncated: false}""",
    ),
    fact(
        "role-tag-case",
        "Keys of a role's tags are the same without regard to case.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: Team, Value: '1'}]}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: team, Value: '2'}]}
        - iam ListRoleTags: {RoleName: cart}
        - answers: {count of Tags: 1, Tags.0.Value: '2'}""",
    ),
    fact(
        "role-untag",
        "UntagRole removes one.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'},
            {Key: b, Value: '2'}]}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys: [a]}
        - iam ListRoleTags: {RoleName: cart}
        - answers: {Tags: [{Key: b, Value: '2'}]}""",
    ),
    fact(
        "role-untag-all",
        "Without tags the list is empty.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'}]}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys: [a]}
        - iam ListRoleTags: {RoleName: cart}
        - answers: {Tags: [], IsTruncated: false}""",
    ),
    fact(
        "role-untag-absent",
        "UntagRole of a key that isn't there is no error.",
        guide("IAM/latest/APIReference/API_UntagRole.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys: [a]}
        - answers: {}""",
    ),
    fact(
        "role-tag-none",
        "TagRole of none.",
        ROLES,
        """
        - iam TagRole: {RoleName: nobody, Tags: [{Key: a, Value: '1'}]}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "role-untag-none",
        "UntagRole of none.",
        ROLES,
        """
        - iam UntagRole: {RoleName: nobody, TagKeys: [a]}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    fact(
        "role-list-tags-none",
        "ListRoleTags of none.",
        ROLES,
        """
        - iam ListRoleTags: {RoleName: nobody}
        - refuses: NoSuchEntity 404 The role with name nobody cannot be found.""",
    ),
    Fact(
        "role-create-51-tags",
        "CreateRole with 51 tags.",
        ROLES,
        (role(Tags=many_tags(51)),),
        _unfit("tags", "Member must have length less than or equal to 50"),
    ),
    Fact(
        "role-tag-51",
        "TagRole with 51 tags is refused before the role is looked for.",
        ROLES,
        (iam("TagRole", RoleName="nobody", Tags=many_tags(51)),),
        _unfit("tags", "Member must have length less than or equal to 50"),
    ),
    fact(
        "role-create-tags-twice",
        "A key twice.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'},
            {Key: a, Value: '1'}]}
          save: role
        - refuses: InvalidInput 400 Duplicate tag keys found. Please note that Tag keys are case
            insensitive.""",
    ),
    fact(
        "role-create-tags-case",
        "A key twice in another case.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: '1'},
            {Key: A, Value: '1'}]}
          save: role
        - refuses: InvalidInput 400 Duplicate tag keys found. Please note that Tag keys are case
            insensitive.""",
    ),
    fact(
        "role-tag-twice",
        "TagRole with a key twice.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: a, Value: '1'}, {Key: a, Value: '1'}]}
        - refuses: InvalidInput 400 Duplicate tag keys found. Please note that Tag keys are case
            insensitive.""",
    ),
    fact(
        "role-tag-twice-case",
        "TagRole with a key twice in another case.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: a, Value: '1'}, {Key: A, Value: '1'}]}
        - refuses: InvalidInput 400 Duplicate tag keys found. Please note that Tag keys are case
            insensitive.""",
    ),
    fact(
        "role-create-tag-key-has-129-characters",
        "CreateRole: a tag whose key has 129 characters.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, Tags: [{Key:
            kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk,
            Value: v}], AssumeRolePolicyDocument: $EC2}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.key'' failed to
            satisfy constraint: Member must have length less than or equal to 128'""",
    ),
    fact(
        "role-create-tag-value-has-257-characters",
        "CreateRole: a tag whose value has 257 characters.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, Tags: [{Key: k, Value:
            vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv}],
            AssumeRolePolicyDocument: $EC2}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.value'' failed
            to satisfy constraint: Member must have length less than or equal to 256'""",
    ),
    fact(
        "role-create-tag-key-has-an-exclamation-mark",
        "CreateRole: a tag whose key has an exclamation mark.",
        ROLES,
        r"""
        - iam CreateRole: {RoleName: cart, Tags: [{Key: k!, Value: v}], AssumeRolePolicyDocument: $EC2}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.key'' failed to
            satisfy constraint: Member must satisfy regular expression pattern:
            [\p{L}\p{Z}\p{N}_.:/=+\-@]+'""",
    ),
    fact(
        "role-tag-tag-key-has-129-characters",
        "TagRole: a tag whose key has 129 characters.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key:
            kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk,
            Value: v}]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.key'' failed to
            satisfy constraint: Member must have length less than or equal to 128'""",
    ),
    fact(
        "role-tag-tag-value-has-257-characters",
        "TagRole: a tag whose value has 257 characters.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: k, Value:
            vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv}]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.value'' failed
            to satisfy constraint: Member must have length less than or equal to 256'""",
    ),
    fact(
        "role-tag-tag-key-has-an-exclamation-mark",
        "TagRole: a tag whose key has an exclamation mark.",
        ROLES,
        r"""
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam TagRole: {RoleName: cart, Tags: [{Key: k!, Value: v}]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tags.1.member.key'' failed to
            satisfy constraint: Member must satisfy regular expression pattern:
            [\p{L}\p{Z}\p{N}_.:/=+\-@]+'""",
    ),
    fact(
        "role-untag-51",
        "UntagRole with 51 keys.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys: [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12,
            k13, k14,
            k15, k16, k17, k18, k19, k20, k21, k22, k23, k24, k25, k26, k27, k28, k29, k30, k31, k32,
            k33, k34, k35, k36, k37, k38, k39, k40, k41, k42, k43, k44, k45, k46, k47, k48, k49, k50]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tagKeys'' failed to satisfy
            constraint:
            Member must have length less than or equal to 50'""",
    ),
    fact(
        "role-untag-long",
        "UntagRole with a key of 129 characters.",
        ROLES,
        r"""
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys:
            [kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tagKeys'' failed to satisfy
            constraint:
            Member must satisfy constraint: [Member must have length less than or equal to 128, Member
            must have length greater than or equal to 1, Member must satisfy regular expression pattern:
            [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]'""",
    ),
    fact(
        "role-untag-mark",
        "UntagRole with a key that has an exclamation mark.",
        ROLES,
        r"""
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UntagRole: {RoleName: cart, TagKeys: [k!]}
        - refuses: 'ValidationError 400 1 validation error detected: Value at ''tagKeys'' failed to satisfy
            constraint:
            Member must satisfy constraint: [Member must have length less than or equal to 128, Member
            must have length greater than or equal to 1, Member must satisfy regular expression pattern:
            [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]'""",
    ),
    fact(
        "role-tag-reserved",
        "Keys that begin with aws: are AWS's own.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: 'aws:team', Value:
            '1'}]}
          save: role
        - refuses: InvalidInput 400""",
    ),
    fact(
        "role-tag-empty-value",
        "A tag's value may be empty.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Tags: [{Key: a, Value: ''}]}
          save: role
        - iam ListRoleTags: {RoleName: cart}
        - answers: {Tags: [{Key: a, Value: ''}]}""",
    ),
    Fact(
        "role-tag-50-and-one",
        "The 51st tag of a role is over the quota.",
        guide("IAM/latest/UserGuide/reference_iam-quotas.html"),
        (role(Tags=many_tags(50)), iam("TagRole", RoleName="cart", Tags=tags(one="more"))),
        Refusal("LimitExceeded", 409),
    ),
    fact(
        "role-deleted-principal",
        "A deleted role that is a principal of a trust policy is shown as its unique id.",
        guide("IAM/latest/UserGuide/reference_policies_elements_principal.html")
        + ", boto/boto3#3206, hackingthe.cloud PR 462",
        """
        - iam CreateRole: {RoleName: caller, AssumeRolePolicyDocument: $EC2}
          save: caller
        - iam CreateRole: {RoleName: called, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:role/caller'}, Action: 'sts:AssumeRole'}]}}
          save: role
        - iam DeleteRole: {RoleName: caller}
        - iam GetRole: {RoleName: called}
        - answers: {Role.AssumeRolePolicyDocument.Statement.0.Principal.AWS: <caller.Role.RoleId>}""",
    ),
    fact(
        "role-again-principal",
        "A role made again under its name is not the principal that the deleted one was.",
        issue("Hacking-the-Cloud/hackingthe.cloud PR 462"),
        """
        - iam CreateRole: {RoleName: caller, AssumeRolePolicyDocument: $EC2}
          save: caller
        - iam CreateRole: {RoleName: called, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: 'arn:aws:iam::<account>:role/caller'}, Action: 'sts:AssumeRole'}]}}
          save: role
        - iam DeleteRole: {RoleName: caller}
        - iam CreateRole: {RoleName: caller, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam GetRole: {RoleName: called}
        - answers: {Role.AssumeRolePolicyDocument.Statement.0.Principal.AWS: <caller.Role.RoleId>}""",
    ),
)
