"""Roles: making, reading, changing and deleting them, and their tags."""

from tests.aws_facts.fact import (
    ABSENT,
    Fact,
    Refusal,
    Success,
    iam,
    managed,
    many_tags,
    policy,
    role,
    tags,
    trust,
)
from tests.aws_facts.sources import PROFILES, ROLES, guide, issue, model

_NO_ROLE = Refusal("NoSuchEntity", 404, "The role with name nobody cannot be found.")
_TWICE = Refusal(
    "InvalidInput", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."
)
_AT = "1 validation error detected: Value at"
_TAG_PATTERN = r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+"
_KEY_RULES = (
    "Member must satisfy constraint: [Member must have length less than or equal to 128, "
    f"Member must have length greater than or equal to 1, {_TAG_PATTERN}, Member must not be null]"
)


def _unfit(field: str, rule: str) -> Refusal:
    return Refusal("ValidationError", 400, f"{_AT} '{field}' failed to satisfy constraint: {rule}")


_BOUNDARY = "arn:aws:iam::<account>:policy/reader"
_NO_POLICY = "arn:aws:iam::<account>:policy/nothing"
_NO_ARN = "arn:aws:iam::<account>:not_a_policy/reader"
_INVALID_ARN = Refusal("InvalidInput", 400, f"ARN {_NO_ARN} is not valid.")
_NO_SCOPE = Refusal("NoSuchEntity", 404, f"Scope ARN: {_NO_POLICY} does not exist or is not attachable.")
_SHORT = "keys of Role"
_CREATED = ("Arn", "AssumeRolePolicyDocument", "CreateDate", "Path", "RoleId", "RoleName")
_GOT = (*_CREATED, "MaxSessionDuration", "RoleLastUsed")
_LISTED = (*_CREATED, "MaxSessionDuration")

FACTS = (
    Fact(
        "role-create-members",
        "CreateRole answers with six members, and without MaxSessionDuration, RoleLastUsed and Tags.",
        ROLES,
        (role(MaxSessionDuration=7200),),
        Success({_SHORT: _CREATED, "Role.Path": "/", "Role.RoleId": "~AROA[A-Z0-9]{17}"}),
    ),
    Fact(
        "role-create-no-description",
        "CreateRole does not repeat the description.",
        ROLES,
        (role(Description="carts"),),
        Success({"Role.Description": ABSENT}),
    ),
    Fact(
        "role-create-tags",
        "CreateRole answers with the tags that it was given.",
        ROLES,
        (role(Tags=tags(a="1")),),
        Success({_SHORT: (*_CREATED, "Tags"), "Role.Tags": tags(a="1")}),
    ),
    Fact(
        "role-create-boundary",
        "CreateRole answers with the boundary, of type Policy.",
        ROLES,
        (managed(), role(PermissionsBoundary=_BOUNDARY)),
        Success(
            {
                "Role.PermissionsBoundary": {
                    "PermissionsBoundaryType": "Policy",
                    "PermissionsBoundaryArn": _BOUNDARY,
                }
            }
        ),
    ),
    Fact(
        "role-create-path",
        "A role's ARN has its path.",
        ROLES,
        (role(Path="/shop/"),),
        Success({"Role.Arn": "arn:aws:iam::<account>:role/shop/cart", "Role.Path": "/shop/"}),
    ),
    Fact(
        "role-twice",
        "A role of a name that is there is refused.",
        model("iam", "CreateRole, EntityAlreadyExists"),
        (role(), role()),
        Refusal("EntityAlreadyExists", 409, "Role with name cart already exists."),
    ),
    Fact(
        "role-twice-path",
        "Names are one in an account, whatever the path.",
        model("iam", "CreateRole, RoleName"),
        (role(), role(Path="/shop/")),
        Refusal("EntityAlreadyExists", 409),
    ),
    Fact(
        "role-twice-case",
        "Names that differ in case only are one.",
        model("iam", "CreateRole, RoleName"),
        (role(), role("CART")),
        Refusal("EntityAlreadyExists", 409),
    ),
    Fact(
        "role-get-members",
        "GetRole adds MaxSessionDuration and an empty RoleLastUsed, and has neither Tags nor Description.",
        ROLES,
        (role(), iam("GetRole", RoleName="cart")),
        Success({_SHORT: _GOT, "Role.MaxSessionDuration": 3600, "Role.RoleLastUsed": {}}),
    ),
    Fact(
        "role-get-all",
        "GetRole has description, tags and boundary if they are set.",
        ROLES,
        (
            managed(),
            role(Description="carts", Tags=tags(a="1"), PermissionsBoundary=_BOUNDARY),
            iam("GetRole", RoleName="cart"),
        ),
        Success(
            {
                _SHORT: (*_GOT, "Description", "Tags", "PermissionsBoundary"),
                "Role.Description": "carts",
                "Role.PermissionsBoundary.PermissionsBoundaryType": "Policy",
                "Role.Tags": tags(a="1"),
            }
        ),
    ),
    Fact("role-get-none", "GetRole of none.", ROLES, (iam("GetRole", RoleName="nobody"),), _NO_ROLE),
    Fact(
        "role-update-none",
        "UpdateRole of none.",
        ROLES,
        (iam("UpdateRole", RoleName="nobody", Description="x"),),
        _NO_ROLE,
    ),
    Fact("role-delete-none", "DeleteRole of none.", ROLES, (iam("DeleteRole", RoleName="nobody"),), _NO_ROLE),
    Fact(
        "role-list-members",
        "ListRoles has neither tags, boundary nor last use.",
        ROLES,
        (
            managed(),
            role(Path="/shop/", Tags=tags(a="1"), PermissionsBoundary=_BOUNDARY, Description="carts"),
            iam("ListRoles", PathPrefix="/shop/"),
        ),
        Success({"keys of Roles.0": (*_LISTED, "Description"), "count of Roles": 1, "IsTruncated": False}),
    ),
    Fact(
        "role-list-none",
        "A path without roles gives an empty list.",
        ROLES,
        (role(), iam("ListRoles", PathPrefix="/nowhere/")),
        Success({"Roles": [], "IsTruncated": False}),
    ),
    Fact(
        "role-list-prefix",
        "PathPrefix leaves out roles of other paths.",
        ROLES,
        (role("one"), role("two", Path="/shop/"), iam("ListRoles", PathPrefix="/shop/")),
        Success({"count of Roles": 1, "Roles.0.RoleName": "two"}),
    ),
    Fact(
        "role-list-pages",
        "MaxItems makes pages, with a Marker for the next.",
        ROLES,
        (
            *(role(f"cart-{number}", Path="/shop/") for number in range(3)),
            iam("ListRoles", PathPrefix="/shop/", MaxItems=2),
        ),
        Success({"count of Roles": 2, "IsTruncated": True, "Marker": "~.+"}),
    ),
    Fact(
        "role-list-next-page",
        "The Marker leads to the rest.",
        ROLES,
        (
            *(role(f"cart-{number}", Path="/shop/") for number in range(3)),
            iam("ListRoles", "page", PathPrefix="/shop/", MaxItems=2),
            iam("ListRoles", PathPrefix="/shop/", Marker="<page.Marker>"),
        ),
        Success({"count of Roles": 1, "IsTruncated": False, "Marker": ABSENT}),
    ),
    Fact(
        "role-update",
        "UpdateRole changes description and longest session.",
        ROLES,
        (
            role(Description="old"),
            iam("UpdateRole", RoleName="cart", Description="new", MaxSessionDuration=7200),
            iam("GetRole", RoleName="cart"),
        ),
        Success({"Role.Description": "new", "Role.MaxSessionDuration": 7200}),
    ),
    Fact(
        "role-update-answer",
        "UpdateRole answers with nothing.",
        ROLES,
        (role(), iam("UpdateRole", RoleName="cart", Description="new")),
        Success({"keys of ": ()}),
    ),
    Fact(
        "role-update-nothing",
        "UpdateRole without values keeps them.",
        ROLES,
        (
            role(Description="old", MaxSessionDuration=7200),
            iam("UpdateRole", RoleName="cart"),
            iam("GetRole", RoleName="cart"),
        ),
        Success({"Role.Description": "old", "Role.MaxSessionDuration": 7200}),
    ),
    Fact(
        "role-update-description",
        "UpdateRoleDescription answers with the role, without its longest session.",
        ROLES,
        (role(), iam("UpdateRoleDescription", RoleName="cart", Description="new")),
        Success({_SHORT: (*_CREATED, "Description"), "Role.Description": "new"}),
    ),
    Fact(
        "role-delete-attached",
        "A role with an attached policy can't be deleted.",
        ROLES,
        (
            managed(),
            role(),
            iam("AttachRolePolicy", RoleName="cart", PolicyArn=_BOUNDARY),
            iam("DeleteRole", RoleName="cart"),
        ),
        Refusal("DeleteConflict", 409, "Cannot delete entity, must detach all policies first."),
    ),
    Fact(
        "role-delete-inline",
        "A role with an inline policy can't be deleted.",
        ROLES,
        (
            role(),
            iam("PutRolePolicy", RoleName="cart", PolicyName="in", PolicyDocument=policy()),
            iam("DeleteRole", RoleName="cart"),
        ),
        Refusal("DeleteConflict", 409, "Cannot delete entity, must delete policies first."),
    ),
    Fact(
        "role-delete-profile",
        "A role in an instance profile can't be deleted.",
        PROFILES,
        (
            role(),
            iam("CreateInstanceProfile", InstanceProfileName="nodes"),
            iam("AddRoleToInstanceProfile", InstanceProfileName="nodes", RoleName="cart"),
            iam("DeleteRole", RoleName="cart"),
        ),
        Refusal(
            "DeleteConflict", 409, "Cannot delete entity, must remove roles from instance profile first."
        ),
    ),
    Fact(
        "role-delete-boundary",
        "A boundary does not keep a role from being deleted.",
        guide("IAM/latest/UserGuide/id_roles_manage_delete.html"),
        (managed(), role(PermissionsBoundary=_BOUNDARY), iam("DeleteRole", RoleName="cart")),
        Success(),
    ),
    Fact(
        "role-again-other-id",
        "A role made again under its name has another unique id.",
        guide("IAM/latest/UserGuide/reference_identifiers.html"),
        (
            role(save="first"),
            iam("DeleteRole", RoleName="cart"),
            role(),
        ),
        Success({"Role.RoleId": "~(?!<first.Role.RoleId>)AROA.*", "Role.Arn": "<first.Role.Arn>"}),
    ),
    Fact(
        "boundary-deleted",
        "DeleteRolePermissionsBoundary removes it from GetRole.",
        ROLES,
        (
            managed(),
            role(PermissionsBoundary=_BOUNDARY),
            iam("DeleteRolePermissionsBoundary", RoleName="cart"),
            iam("GetRole", RoleName="cart"),
        ),
        Success({"Role.PermissionsBoundary": ABSENT}),
    ),
    Fact(
        "boundary-put",
        "PutRolePermissionsBoundary sets it.",
        ROLES,
        (
            managed(),
            role(),
            iam("PutRolePermissionsBoundary", RoleName="cart", PermissionsBoundary=_BOUNDARY),
            iam("GetRole", RoleName="cart"),
        ),
        Success({"Role.PermissionsBoundary.PermissionsBoundaryArn": _BOUNDARY}),
    ),
    Fact(
        "boundary-put-no-arn",
        "A boundary that is no ARN of a policy is refused as invalid input.",
        ROLES,
        (role(), iam("PutRolePermissionsBoundary", RoleName="cart", PermissionsBoundary=_NO_ARN)),
        _INVALID_ARN,
    ),
    Fact(
        "boundary-create-no-arn",
        "CreateRole says the same of it.",
        ROLES,
        (role(PermissionsBoundary=_NO_ARN),),
        _INVALID_ARN,
    ),
    Fact(
        "boundary-put-none",
        "A boundary that does not exist is refused.",
        ROLES,
        (role(), iam("PutRolePermissionsBoundary", RoleName="cart", PermissionsBoundary=_NO_POLICY)),
        _NO_SCOPE,
    ),
    Fact(
        "boundary-create-none",
        "CreateRole says the same of it.",
        ROLES,
        (role(PermissionsBoundary=_NO_POLICY),),
        _NO_SCOPE,
    ),
    Fact(
        "boundary-no-role",
        "A boundary for a role that does not exist.",
        ROLES,
        (managed(), iam("PutRolePermissionsBoundary", RoleName="nobody", PermissionsBoundary=_BOUNDARY)),
        _NO_ROLE,
    ),
    Fact(
        "boundary-in-use",
        "A policy that is a boundary can't be deleted.",
        guide("IAM/latest/UserGuide/access_policies_boundaries.html"),
        (managed(), role(PermissionsBoundary=_BOUNDARY), iam("DeletePolicy", PolicyArn=_BOUNDARY)),
        Refusal("DeleteConflict", 409),
    ),
    Fact(
        "role-tag",
        "TagRole adds tags, and GetRole shows them.",
        ROLES,
        (role(), iam("TagRole", RoleName="cart", Tags=tags(a="1", b="2")), iam("GetRole", RoleName="cart")),
        Success({"Role.Tags": tags(a="1", b="2")}),
    ),
    Fact(
        "role-tag-replaces",
        "TagRole replaces the value of a key that is there.",
        ROLES,
        (
            role(Tags=tags(a="1", b="2")),
            iam("TagRole", RoleName="cart", Tags=tags(a="3")),
            iam("ListRoleTags", RoleName="cart"),
        ),
        Success({"Tags": tags(a="3", b="2"), "IsTruncated": False}),
    ),
    Fact(
        "role-tag-case",
        "Keys of a role's tags are the same without regard to case.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        (
            role(Tags=tags(Team="1")),
            iam("TagRole", RoleName="cart", Tags=tags(team="2")),
            iam("ListRoleTags", RoleName="cart"),
        ),
        Success({"count of Tags": 1, "Tags.0.Value": "2"}),
    ),
    Fact(
        "role-untag",
        "UntagRole removes one.",
        ROLES,
        (
            role(Tags=tags(a="1", b="2")),
            iam("UntagRole", RoleName="cart", TagKeys=["a"]),
            iam("ListRoleTags", RoleName="cart"),
        ),
        Success({"Tags": tags(b="2")}),
    ),
    Fact(
        "role-untag-all",
        "Without tags the list is empty.",
        ROLES,
        (
            role(Tags=tags(a="1")),
            iam("UntagRole", RoleName="cart", TagKeys=["a"]),
            iam("ListRoleTags", RoleName="cart"),
        ),
        Success({"Tags": [], "IsTruncated": False}),
    ),
    Fact(
        "role-untag-absent",
        "UntagRole of a key that isn't there is no error.",
        guide("IAM/latest/APIReference/API_UntagRole.html"),
        (role(), iam("UntagRole", RoleName="cart", TagKeys=["a"])),
        Success(),
    ),
    Fact(
        "role-tag-none",
        "TagRole of none.",
        ROLES,
        (iam("TagRole", RoleName="nobody", Tags=tags(a="1")),),
        _NO_ROLE,
    ),
    Fact(
        "role-untag-none",
        "UntagRole of none.",
        ROLES,
        (iam("UntagRole", RoleName="nobody", TagKeys=["a"]),),
        _NO_ROLE,
    ),
    Fact(
        "role-list-tags-none",
        "ListRoleTags of none.",
        ROLES,
        (iam("ListRoleTags", RoleName="nobody"),),
        _NO_ROLE,
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
    Fact("role-create-tags-twice", "A key twice.", ROLES, (role(Tags=tags(a="1") * 2),), _TWICE),
    Fact(
        "role-create-tags-case",
        "A key twice in another case.",
        ROLES,
        (role(Tags=tags(a="1", A="1")),),
        _TWICE,
    ),
    Fact(
        "role-tag-twice",
        "TagRole with a key twice.",
        ROLES,
        (role(), iam("TagRole", RoleName="cart", Tags=tags(a="1") * 2)),
        _TWICE,
    ),
    Fact(
        "role-tag-twice-case",
        "TagRole with a key twice in another case.",
        ROLES,
        (role(), iam("TagRole", RoleName="cart", Tags=tags(a="1", A="1"))),
        _TWICE,
    ),
    *(
        Fact(
            f"role-{how}-tag-{what}",
            f"{operation}: a tag whose {what.replace('-', ' ')}.",
            ROLES,
            (*before, iam(operation, RoleName="cart", Tags=[tag], **more)),
            _unfit(f"tags.1.member.{member}", rule),
        )
        for how, operation, before, more in (
            ("create", "CreateRole", (), {"AssumeRolePolicyDocument": trust()}),
            ("tag", "TagRole", (role(),), {}),
        )
        for what, tag, member, rule in (
            (
                "key-has-129-characters",
                {"Key": "k" * 129, "Value": "v"},
                "key",
                "Member must have length less than or equal to 128",
            ),
            (
                "value-has-257-characters",
                {"Key": "k", "Value": "v" * 257},
                "value",
                "Member must have length less than or equal to 256",
            ),
            ("key-has-an-exclamation-mark", {"Key": "k!", "Value": "v"}, "key", _TAG_PATTERN),
        )
    ),
    Fact(
        "role-untag-51",
        "UntagRole with 51 keys.",
        ROLES,
        (role(), iam("UntagRole", RoleName="cart", TagKeys=[f"k{number}" for number in range(51)])),
        _unfit("tagKeys", "Member must have length less than or equal to 50"),
    ),
    Fact(
        "role-untag-long",
        "UntagRole with a key of 129 characters.",
        ROLES,
        (role(), iam("UntagRole", RoleName="cart", TagKeys=["k" * 129])),
        _unfit("tagKeys", _KEY_RULES),
    ),
    Fact(
        "role-untag-mark",
        "UntagRole with a key that has an exclamation mark.",
        ROLES,
        (role(), iam("UntagRole", RoleName="cart", TagKeys=["k!"])),
        _unfit("tagKeys", _KEY_RULES),
    ),
    Fact(
        "role-tag-reserved",
        "Keys that begin with aws: are AWS's own.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        (role(Tags=[{"Key": "aws:team", "Value": "1"}]),),
        Refusal("InvalidInput", 400),
    ),
    Fact(
        "role-tag-empty-value",
        "A tag's value may be empty.",
        guide("IAM/latest/UserGuide/id_tags.html"),
        (role(Tags=tags(a="")), iam("ListRoleTags", RoleName="cart")),
        Success({"Tags": tags(a="")}),
    ),
    Fact(
        "role-tag-50-and-one",
        "The 51st tag of a role is over the quota.",
        guide("IAM/latest/UserGuide/reference_iam-quotas.html"),
        (role(Tags=many_tags(50)), iam("TagRole", RoleName="cart", Tags=tags(one="more"))),
        Refusal("LimitExceeded", 409),
    ),
    Fact(
        "role-deleted-principal",
        "A deleted role that is a principal of a trust policy is shown as its unique id.",
        guide("IAM/latest/UserGuide/reference_policies_elements_principal.html")
        + ", boto/boto3#3206, hackingthe.cloud PR 462",
        (
            role("caller", save="caller"),
            role("called", trust({"AWS": "arn:aws:iam::<account>:role/caller"})),
            iam("DeleteRole", RoleName="caller"),
            iam("GetRole", RoleName="called"),
        ),
        Success({"Role.AssumeRolePolicyDocument.Statement.0.Principal.AWS": "<caller.Role.RoleId>"}),
    ),
    Fact(
        "role-again-principal",
        "A role made again under its name is not the principal that the deleted one was.",
        issue("Hacking-the-Cloud/hackingthe.cloud PR 462"),
        (
            role("caller", save="caller"),
            role("called", trust({"AWS": "arn:aws:iam::<account>:role/caller"})),
            iam("DeleteRole", RoleName="caller"),
            role("caller"),
            iam("GetRole", RoleName="called"),
        ),
        Success({"Role.AssumeRolePolicyDocument.Statement.0.Principal.AWS": "<caller.Role.RoleId>"}),
    ),
)
