"""IAM by other witnesses than recordings: roles that are AWS's own, and limits."""

from __future__ import annotations

from typing import Any

from tests.aws_facts.fact import Call, Fact, Refusal, Success, iam, policy, provider, role, trust
from tests.aws_facts.sources import guide, model, pasted

_NAME = "AWSServiceRoleForAutoScaling"
_LINKED = iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com")
_EDITING = "IAM/latest/UserGuide/edit-service-linked-role.html"
_PROTECTED = Refusal(
    "UnmodifiableEntity",
    400,
    f"Cannot perform the operation on the protected role '{_NAME}' - this role is only modifiable by AWS",
)
_READS = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def _refused(operation: str, source: str, **parameters: Any) -> Fact:
    return Fact(
        f"linked-{operation.lower()}",
        f"{operation} of a service-linked role.",
        source,
        (_LINKED, iam(operation, RoleName=_NAME, **parameters)),
        _PROTECTED,
    )


def _described(operation: str) -> tuple[Call, ...]:
    return (_LINKED, iam(operation, RoleName=_NAME, Description="new"), iam("GetRole", RoleName=_NAME))


FACTS = (
    _refused("DetachRolePolicy", pasted("gruntwork-io/cloud-nuke#880", "2025-06-28"), PolicyArn=_READS),
    _refused("DeleteRolePolicy", pasted("rebuy-de/aws-nuke#331", "2019-02-18"), PolicyName="in"),
    _refused("DeleteRole", pasted("rebuy-de/aws-nuke#441 (of another role of AWS)", "2019-12-16")),
    _refused(
        "PutRolePolicy",
        pasted("perkbox/cloud-access-bot#11 (of another role of AWS)", "2023-05-16"),
        PolicyName="in",
        PolicyDocument=policy(),
    ),
    *(
        Fact(
            f"linked-{operation.lower()}",
            f"{operation} of a service-linked role.",
            model("iam", f"{operation}, UnmodifiableEntityException"),
            (_LINKED, iam(operation, RoleName=_NAME, **parameters)),
            Refusal("UnmodifiableEntity"),
        )
        for operation, parameters in (
            ("AttachRolePolicy", {"PolicyArn": _READS}),
            ("UpdateAssumeRolePolicy", {"PolicyDocument": trust()}),
            ("UpdateRole", {"MaxSessionDuration": 7200}),
            ("PutRolePermissionsBoundary", {"PermissionsBoundary": _READS}),
        )
    ),
    *(
        Fact(
            f"linked-{operation.lower()}-text",
            f"{operation} changes the description of a service-linked role.",
            guide(_EDITING),
            _described(operation),
            Success({"Role.Description": "new"}),
        )
        for operation in ("UpdateRole", "UpdateRoleDescription")
    ),
    Fact(
        "linked-twice",
        "A service has one such role.",
        pasted("DataDog/pathfinding-labs#23", "2026-03-30"),
        (_LINKED, _LINKED),
        Refusal(
            "InvalidInput",
            400,
            f"Service role name {_NAME} has been taken in this account, please try a different suffix.",
        ),
    ),
    Fact(
        "linked-path",
        "It is in a path of its service.",
        guide("IAM/latest/UserGuide/using-service-linked-roles.html"),
        (_LINKED,),
        Success({"Role.Path": "/aws-service-role/autoscaling.amazonaws.com/", "Role.RoleName": _NAME}),
    ),
    Fact(
        "linked-delete",
        "DeleteServiceLinkedRole answers with a task.",
        model("iam", "DeleteServiceLinkedRole"),
        (_LINKED, iam("DeleteServiceLinkedRole", RoleName=_NAME)),
        Success({"DeletionTaskId": "~.+"}),
    ),
    Fact(
        "linked-policy",
        "The policy of a service-linked role can't be attached to another one.",
        pasted("aws/aws-cdk#6131", "2020-02-05"),
        (
            role(),
            iam(
                "AttachRolePolicy",
                RoleName="cart",
                PolicyArn="arn:aws:iam::aws:policy/aws-service-role/AmazonElasticsearchServiceRolePolicy",
            ),
        ),
        Refusal("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Customer Role."),
    ),
    *(
        Fact(
            f"reserved-path-{number}",
            f"Nobody but AWS creates roles in {path}.",
            "no source: other services take such roles for AWS's",
            (role(Path=path),),
            Refusal(""),
        )
        for number, path in enumerate(("/aws-reserved/", "/aws-service-role/x.amazonaws.com/"))
    ),
    Fact(
        "provider-101",
        "The 101st provider of an account.",
        pasted("eksctl-io/eksctl#4513", "2021-12-03"),
        tuple(provider(f"https://n{number}.example.org") for number in range(101)),
        Refusal("LimitExceeded", 409, "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"),
    ),
)
