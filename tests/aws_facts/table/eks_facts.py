"""EKS: clusters, Pod Identity associations and access entries."""

from typing import Any

from tests.aws_facts.fact import ABSENT, Call, Fact, Refusal, Success, eks, iam, role, trust
from tests.aws_facts.sources import guide, issue, model

_ROLE = "arn:aws:iam::<account>:role/cart"
_PODS = trust({"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"])
_TRUSTED = role(document=_PODS)
_WHO = {"namespace": "shop", "serviceAccount": "cart"}
_NONE = Refusal("ResourceNotFoundException", 404)
_BAD = "InvalidParameterException"
_ENTRY = "arn:aws:eks:eu-west-1:<account>:access-entry/<cluster>/role/<account>/cart/"
_VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
_CLUSTER = {"type": "cluster"}
_NO_ENTRY = Refusal(
    "ResourceNotFoundException",
    404,
    "The specified principalArn could not be found. You can view your available access entries with "
    "'list-access-entries'.",
)


def _associate(save: str = "made", **parameters: Any) -> Call:
    return eks("CreatePodIdentityAssociation", save, **{**_WHO, "roleArn": _ROLE, **parameters})


def _one(operation: str, number: str = "<made.association.associationId>", **parameters: Any) -> Call:
    return eks(operation, associationId=number, **parameters)


def _enter(save: str = "", **parameters: Any) -> Call:
    return eks("CreateAccessEntry", save, **{"principalArn": _ROLE, **parameters})


def _entry(operation: str, **parameters: Any) -> Call:
    return eks(operation, **{"principalArn": _ROLE, **parameters})


FACTS = (
    Fact(
        "cluster-none",
        "DescribeCluster of none.",
        issue("public logs of EKS: No cluster found for name"),
        (eks("DescribeCluster", clusterName="nowhere"),),
        Refusal("ResourceNotFoundException", 404, "No cluster found for name: nowhere."),
    ),
    Fact(
        "cluster",
        "DescribeCluster tells ARN, status and issuer.",
        model("eks", "DescribeCluster"),
        (eks("DescribeCluster"),),
        Success(
            {
                "cluster.arn": "arn:aws:eks:eu-west-1:<account>:cluster/<cluster>",
                "cluster.status": "ACTIVE",
                "cluster.identity.oidc.issuer": "~https://oidc.eks.eu-west-1.amazonaws.com/id/.+",
            }
        ),
    ),
    Fact(
        "clusters",
        "ListClusters has names.",
        model("eks", "ListClusters"),
        (Call("eks", "ListClusters"),),
        Success({"clusters": ["<cluster>"]}),
    ),
    Fact(
        "association-create",
        "CreatePodIdentityAssociation answers with the association, its id and its ARN.",
        model("eks", "PodIdentityAssociation"),
        (_TRUSTED, _associate()),
        Success(
            {
                "association.associationId": "~a-[a-z0-9]{17}",
                "association.associationArn": (
                    "~arn:aws:eks:eu-west-1:<account>:podidentityassociation/<cluster>/a-.+"
                ),
                "association.roleArn": _ROLE,
                "association.namespace": "shop",
                "association.serviceAccount": "cart",
                "association.ownerArn": ABSENT,
            }
        ),
    ),
    Fact(
        "association-tags",
        "Tags in the call are answered.",
        model("eks", "CreatePodIdentityAssociation, tags"),
        (_TRUSTED, _associate(tags={"a": "1"})),
        Success({"association.tags": {"a": "1"}}),
    ),
    Fact(
        "association-second",
        "A ServiceAccount has one association.",
        issue("aws-controllers-k8s/community#2684, crossplane-contrib/provider-upjet-aws#1437"),
        (_TRUSTED, _associate(), _associate("")),
        Refusal(
            "ResourceInUseException", 409, "Association already exists: <made.association.associationId>"
        ),
    ),
    Fact(
        "association-trust",
        "The role has to trust pods.eks.amazonaws.com.",
        issue("hashicorp/terraform-provider-aws#41483"),
        (role(), _associate()),
        Refusal(_BAD, 400, "Trust policy of the role provided is invalid"),
    ),
    Fact(
        "association-no-role",
        "The role has to exist.",
        issue("hashicorp/terraform-provider-aws PR 34717"),
        (_associate(),),
        Refusal(_BAD, 400, "Role provided in the request does not exist."),
    ),
    Fact(
        "association-other-account",
        "The role has to be in the cluster's account.",
        model("eks", "CreatePodIdentityAssociation, roleArn"),
        (_associate(roleArn="arn:aws:iam::999988887777:role/cart"),),
        Refusal(_BAD, 400),
    ),
    Fact(
        "association-no-cluster",
        "An association in no cluster.",
        model("eks", "CreatePodIdentityAssociation, ResourceNotFoundException"),
        (_TRUSTED, _associate(clusterName="nowhere")),
        _NONE,
    ),
    Fact(
        "association-missing-account",
        "Neither namespace nor ServiceAccount has to exist in the cluster.",
        guide("eks/latest/userguide/pod-id-association.html"),
        (_TRUSTED, _associate(namespace="not-yet", serviceAccount="not-yet")),
        Success(),
    ),
    Fact(
        "association-describe",
        "DescribePodIdentityAssociation has the role.",
        model("eks", "DescribePodIdentityAssociation"),
        (_TRUSTED, _associate(), _one("DescribePodIdentityAssociation")),
        Success({"association.roleArn": _ROLE}),
    ),
    Fact(
        "association-list",
        "ListPodIdentityAssociations has no roles.",
        model("eks", "PodIdentityAssociationSummary"),
        (_TRUSTED, _associate(), eks("ListPodIdentityAssociations", **_WHO)),
        Success({"count of associations": 1, "associations.0.roleArn": ABSENT}),
    ),
    Fact(
        "association-list-other",
        "ListPodIdentityAssociations of another namespace is empty.",
        model("eks", "ListPodIdentityAssociations, namespace"),
        (_TRUSTED, _associate(), eks("ListPodIdentityAssociations", namespace="other")),
        Success({"associations": []}),
    ),
    *(
        Fact(
            f"association-{operation.lower().partition('pod')[0]}-none",
            f"{operation} of none.",
            model("eks", f"{operation}, ResourceNotFoundException"),
            (_one(operation, "a-12345678901234567"),),
            _NONE,
        )
        for operation in (
            "DescribePodIdentityAssociation",
            "DeletePodIdentityAssociation",
            "UpdatePodIdentityAssociation",
        )
    ),
    Fact(
        "association-delete",
        "DeletePodIdentityAssociation answers with what is deleted.",
        model("eks", "DeletePodIdentityAssociation"),
        (_TRUSTED, _associate(), _one("DeletePodIdentityAssociation")),
        Success({"association.roleArn": _ROLE}),
    ),
    Fact(
        "association-update",
        "UpdatePodIdentityAssociation changes the role, and keeps the id.",
        model("eks", "UpdatePodIdentityAssociation"),
        (
            _TRUSTED,
            _associate(),
            role("other", _PODS),
            _one("UpdatePodIdentityAssociation", roleArn="arn:aws:iam::<account>:role/other"),
        ),
        Success(
            {
                "association.roleArn": "arn:aws:iam::<account>:role/other",
                "association.associationId": "<made.association.associationId>",
            }
        ),
    ),
    Fact(
        "association-update-no-role",
        "It says the same of a role that does not exist.",
        issue("hashicorp/terraform-provider-aws PR 34717"),
        (
            _TRUSTED,
            _associate(),
            _one("UpdatePodIdentityAssociation", roleArn="arn:aws:iam::<account>:role/nobody"),
        ),
        Refusal(_BAD, 400, "Role provided in the request does not exist."),
    ),
    Fact(
        "association-target",
        "With a target role the association has an external id.",
        model("eks", "PodIdentityAssociation, externalId"),
        (_TRUSTED, _associate(targetRoleArn="arn:aws:iam::999988887777:role/target")),
        Success(
            {
                "association.externalId": "~.+",
                "association.targetRoleArn": "arn:aws:iam::999988887777:role/target",
            }
        ),
    ),
    Fact(
        "association-session-tags",
        "Session tags can be disabled; they are not by default.",
        model("eks", "PodIdentityAssociation, disableSessionTags"),
        (_TRUSTED, _associate()),
        Success({"association.disableSessionTags": False}),
    ),
    Fact(
        "association-role-deleted",
        "Deleting the role leaves the association as it is.",
        guide("eks/latest/userguide/pod-identities.html"),
        (
            _TRUSTED,
            _associate(),
            iam("DeleteRole", RoleName="cart"),
            _one("DescribePodIdentityAssociation"),
        ),
        Success({"association.roleArn": _ROLE}),
    ),
    Fact(
        "association-deleted-in-use",
        "An association that was deleted is in the way of a new one for a second or more.",
        issue("aws-controllers-k8s/community#2684"),
        (_TRUSTED, _associate(), _one("DeletePodIdentityAssociation"), _associate("")),
        Refusal("ResourceInUseException", 409),
        not_simulated="only if the sandbox is set to be late (`lag`): here it answers at once",
    ),
    Fact(
        "entry-create",
        "CreateAccessEntry gives the user name that belongs to the role's sessions.",
        guide("eks/latest/userguide/set-custom-username.html"),
        (role(), _enter()),
        Success(
            {
                "accessEntry.username": "arn:aws:sts::<account>:assumed-role/cart/{{SessionName}}",
                "accessEntry.type": "STANDARD",
                "accessEntry.kubernetesGroups": [],
                "accessEntry.accessEntryArn": f"~{_ENTRY}[0-9a-f-]{{36}}",
            }
        ),
    ),
    Fact(
        "entry-path",
        "The user name is without the role's path; the principal has it.",
        issue("aws/containers-roadmap#185"),
        (
            role(Path="/shop/"),
            _enter(principalArn="arn:aws:iam::<account>:role/shop/cart"),
        ),
        Success(
            {
                "accessEntry.principalArn": "arn:aws:iam::<account>:role/shop/cart",
                "accessEntry.username": "arn:aws:sts::<account>:assumed-role/cart/{{SessionName}}",
            }
        ),
    ),
    Fact(
        "entry-user",
        "A user's name is its ARN.",
        guide("eks/latest/userguide/set-custom-username.html"),
        (
            iam("CreateUser", UserName="anna"),
            _enter(principalArn="arn:aws:iam::<account>:user/anna"),
        ),
        Success({"accessEntry.username": "arn:aws:iam::<account>:user/anna"}),
    ),
    Fact(
        "entry-groups",
        "An entry has the groups, name and tags that it was given.",
        model("eks", "AccessEntry"),
        (role(), _enter(kubernetesGroups=["viewers"], username="cart", tags={"a": "1"})),
        Success(
            {
                "accessEntry.kubernetesGroups": ["viewers"],
                "accessEntry.username": "cart",
                "accessEntry.tags": {"a": "1"},
            }
        ),
    ),
    Fact(
        "entry-twice",
        "A principal has one entry.",
        model("eks", "CreateAccessEntry, ResourceInUseException"),
        (role(), _enter(), _enter()),
        Refusal(
            "ResourceInUseException",
            409,
            "The specified access entry resource is already in use on this cluster.",
        ),
    ),
    Fact(
        "entry-no-principal",
        "The principal has to exist.",
        issue("terraform-aws-modules/terraform-aws-eks#2969"),
        (_enter(),),
        Refusal(_BAD, 400, "The specified principalArn is invalid: invalid principal."),
    ),
    Fact(
        "entry-system-group",
        "Groups of Kubernetes itself can't be given.",
        issue("terraform-aws-modules/terraform-aws-eks#2915"),
        (role(), _enter(kubernetesGroups=["system:masters"])),
        Refusal(
            _BAD, 400, "The kubernetes group name system:masters is invalid, it cannot start with system:"
        ),
    ),
    *(
        Fact(
            f"entry-name-{start}",
            f"A user name can't begin with {start}:.",
            f"{guide('eks/latest/userguide/set-custom-username.html')}, "
            "aws-ia/terraform-aws-eks-blueprints PR 1920",
            (role(), _enter(username=f"{start}:cart")),
            Refusal(_BAD, 400, f"The username must not begin with {start}:" if start == "system" else ""),
        )
        for start in ("system", "eks", "aws", "amazon", "iam")
    ),
    Fact(
        "entry-describe-none",
        "DescribeAccessEntry of none.",
        issue("terraform-aws-modules/terraform-aws-eks#3024"),
        (_entry("DescribeAccessEntry"),),
        _NO_ENTRY,
    ),
    *(
        Fact(
            f"entry-{operation.lower()}-none",
            f"{operation} of none.",
            model("eks", f"{operation}, ResourceNotFoundException"),
            (_entry(operation, **more),),
            _NONE,
        )
        for operation, more in (
            ("UpdateAccessEntry", {"username": "x"}),
            ("DeleteAccessEntry", {}),
            ("AssociateAccessPolicy", {"policyArn": _VIEW, "accessScope": _CLUSTER}),
            ("ListAssociatedAccessPolicies", {}),
        )
    ),
    Fact(
        "entry-list",
        "ListAccessEntries has ARNs of principals.",
        model("eks", "ListAccessEntries"),
        (role(), _enter(), eks("ListAccessEntries")),
        Success({"accessEntries": [_ROLE]}),
    ),
    Fact(
        "entry-update",
        "UpdateAccessEntry replaces groups and name.",
        model("eks", "UpdateAccessEntry"),
        (
            role(),
            _enter(kubernetesGroups=["viewers"]),
            _entry("UpdateAccessEntry", kubernetesGroups=["editors"]),
        ),
        Success({"accessEntry.kubernetesGroups": ["editors"]}),
    ),
    Fact(
        "entry-update-node",
        "Entries of nodes can't be updated.",
        issue("aws-controllers-k8s/community#2144"),
        (role(), _enter(type="EC2_LINUX"), _entry("UpdateAccessEntry", username="x")),
        Refusal(
            _BAD,
            400,
            'This operation can only be performed on Access Entries with a type of "STANDARD".',
        ),
    ),
    Fact(
        "entry-delete",
        "DeleteAccessEntry answers with nothing.",
        model("eks", "DeleteAccessEntry"),
        (role(), _enter(), _entry("DeleteAccessEntry")),
        Success({"keys of ": ()}),
    ),
    Fact(
        "entry-role-deleted",
        "Deleting the role leaves its access entry.",
        guide("eks/latest/userguide/creating-access-entries.html"),
        (role(), _enter(), iam("DeleteRole", RoleName="cart"), _entry("DescribeAccessEntry")),
        Success({"accessEntry.principalArn": _ROLE}),
    ),
    Fact(
        "entry-policy",
        "AssociateAccessPolicy answers with the policy and its scope.",
        model("eks", "AssociateAccessPolicy"),
        (
            role(),
            _enter(),
            _entry(
                "AssociateAccessPolicy",
                policyArn=_VIEW,
                accessScope={"type": "namespace", "namespaces": ["shop"]},
            ),
        ),
        Success(
            {
                "associatedAccessPolicy.policyArn": _VIEW,
                "associatedAccessPolicy.accessScope": {"type": "namespace", "namespaces": ["shop"]},
            }
        ),
    ),
    Fact(
        "entry-policy-again",
        "Associating a policy again replaces its scope.",
        guide("eks/latest/userguide/access-policies.html"),
        (
            role(),
            _enter(),
            _entry("AssociateAccessPolicy", policyArn=_VIEW, accessScope=_CLUSTER),
            _entry(
                "AssociateAccessPolicy",
                policyArn=_VIEW,
                accessScope={"type": "namespace", "namespaces": ["shop"]},
            ),
            _entry("ListAssociatedAccessPolicies"),
        ),
        Success(
            {
                "count of associatedAccessPolicies": 1,
                "associatedAccessPolicies.0.accessScope.type": "namespace",
            }
        ),
    ),
    Fact(
        "entry-policy-removed",
        "DisassociateAccessPolicy removes it.",
        model("eks", "DisassociateAccessPolicy"),
        (
            role(),
            _enter(),
            _entry("AssociateAccessPolicy", policyArn=_VIEW, accessScope=_CLUSTER),
            _entry("DisassociateAccessPolicy", policyArn=_VIEW),
            _entry("ListAssociatedAccessPolicies"),
        ),
        Success({"associatedAccessPolicies": []}),
    ),
    Fact(
        "entry-policy-removed-none",
        "DisassociateAccessPolicy of a policy that isn't associated.",
        model("eks", "DisassociateAccessPolicy, ResourceNotFoundException"),
        (role(), _enter(), _entry("DisassociateAccessPolicy", policyArn=_VIEW)),
        _NONE,
    ),
    Fact(
        "aws-auth-path",
        "In the aws-auth ConfigMap a role's ARN with a path never matches.",
        issue("kubernetes-sigs/aws-iam-authenticator#268, aws/containers-roadmap#573"),
        (eks("DescribeCluster"),),
        Success({"cluster.accessConfig.authenticationMode": "API_AND_CONFIG_MAP"}),
        not_simulated="clusters know callers by access entries only (authenticationMode API)",
    ),
)
