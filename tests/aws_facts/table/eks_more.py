"""EKS by other witnesses than recordings: answers that were pasted into issues, its guide, and its model."""

from __future__ import annotations

from typing import Any

from tests.aws_facts.fact import ABSENT, Call, Fact, Refusal, Success, eks, iam, policy, role, trust
from tests.aws_facts.sources import guide, model, pasted

_CART = "arn:aws:iam::<account>:role/cart"
_PODS = trust({"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"])
_ACCESS = "arn:aws:eks::aws:cluster-access-policy"
_ENTRIES = "eks/latest/userguide/creating-access-entries.html"
_POLICIES = "eks/latest/userguide/access-policies.html"
_TARGETS = "eks/latest/userguide/pod-id-assign-target-role.html"
_TAGGING = "eks/latest/userguide/eks-using-tags.html"
_PARAMETER = Refusal("InvalidParameterException")
_OF_STANDARD = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
_VIEW = f"{_ACCESS}/AmazonEKSViewPolicy"
_LINKED = (
    "arn:aws:iam::<account>:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
)


_WHOLE = {"clusterName": "<cluster>", "namespace": "shop", "serviceAccount": "cart", "roleArn": _CART}


def _entry(save: str = "", **parameters: Any) -> Call:
    return eks("CreateAccessEntry", save, **{"principalArn": _CART, **parameters})


def _scoped(policy_arn: str = _VIEW, **scope: Any) -> Call:
    return eks("AssociateAccessPolicy", principalArn=_CART, policyArn=policy_arn, accessScope=scope)


def _association(save: str = "made", **parameters: Any) -> Call:
    return Call("eks", "CreatePodIdentityAssociation", {**_WHOLE, **parameters}, save)


def _described(save: str = "") -> Call:
    return eks("DescribePodIdentityAssociation", save, associationId="<made.association.associationId>")


def _addon(name: str = "coredns", save: str = "made", **parameters: Any) -> Call:
    return eks("CreateAddon", save, addonName=name, **parameters)


def _tag(operation: str, arn: str = "<made.association.associationArn>", **parameters: Any) -> Call:
    return Call("eks", operation, {"resourceArn": arn, **parameters})


_ROLE = role()
_NODE = _entry(type="EC2_LINUX")
_POD = role(document=_PODS)
_USER = iam("CreateUser", UserName="anna")
_SUMMARY = {"namespace": "shop", "serviceAccount": "cart"}

_ENTRY_FACTS = (
    Fact(
        "entry-service-linked",
        "A service-linked role gets no entry.",
        pasted("hashicorp/terraform-provider-aws#36447", "2024-03-18"),
        (
            iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com"),
            _entry(principalArn=_LINKED),
        ),
        Refusal(
            "InvalidParameterException",
            400,
            "The caller is not allowed to modify access entries with a principalArn value of a Service Linked"
            " Role",
        ),
    ),
    Fact(
        "entry-session",
        "A session of a role gets no entry.",
        model("eks", "CreateAccessEntry, principalArn"),
        (_ROLE, _entry(principalArn="arn:aws:sts::<account>:assumed-role/cart/me")),
        _PARAMETER,
    ),
    Fact(
        "entry-update-group",
        "UpdateAccessEntry takes no group of Kubernetes itself.",
        pasted("aws/karpenter-provider-aws#7558", "2025-01-03"),
        (
            _ROLE,
            _entry(),
            eks("UpdateAccessEntry", principalArn=_CART, kubernetesGroups=["system:bootstrappers"]),
        ),
        Refusal(
            "InvalidParameterException",
            400,
            "The kubernetes group name system:bootstrappers is invalid, it cannot start with system:",
        ),
    ),
    Fact(
        "entry-update-name",
        "UpdateAccessEntry takes no user name of Kubernetes itself.",
        pasted("aws-ia/terraform-aws-eks-blueprints#1920", "2024-08-29"),
        (_ROLE, _entry(), eks("UpdateAccessEntry", principalArn=_CART, username="system:node:x")),
        Refusal("InvalidParameterException", 400, "The username must not begin with system:"),
    ),
    Fact(
        "entry-node-groups",
        "An entry of a node takes no groups.",
        f"{guide(_ENTRIES)}, aws/aws-cdk#37881",
        (_ROLE, _entry(type="EC2_LINUX", kubernetesGroups=["viewers"])),
        _PARAMETER,
    ),
    Fact(
        "entry-node-username",
        "An entry of a node takes no user name.",
        guide(_ENTRIES),
        (_ROLE, _entry(type="EC2_WINDOWS", username="me")),
        _PARAMETER,
    ),
    *(
        Fact(
            f"entry-name-of-{kind.lower()}",
            f"EKS sets the user name of {kind}.",
            guide(_ENTRIES),
            (_ROLE, _entry(type=kind)),
            Success({"accessEntry.type": kind, "accessEntry.username": f"system:node:{{{{{name}}}}}"}),
        )
        for kind, name in (
            ("EC2_LINUX", "EC2PrivateDNSName"),
            ("EC2_WINDOWS", "EC2PrivateDNSName"),
            ("FARGATE_LINUX", "SessionName"),
            ("HYBRID_LINUX", "SessionName"),
        )
    ),
    Fact(
        "entry-node-group",
        "EKS gives nodes their group.",
        pasted("terraform-aws-modules/terraform-aws-eks#2896", "2024-02-04"),
        (_ROLE, _NODE),
        Success({"accessEntry.kubernetesGroups": ["system:nodes"]}),
    ),
    Fact(
        "entry-node-user",
        "Nodes are roles.",
        model("eks", "CreateAccessEntry, principalArn"),
        (_USER, _entry(principalArn="arn:aws:iam::<account>:user/anna", type="EC2_LINUX")),
        _PARAMETER,
    ),
    Fact(
        "entry-type-unknown",
        "A type that there is none of.",
        model("eks", "CreateAccessEntry, type"),
        (_ROLE, _entry(type="EC2_BSD")),
        _PARAMETER,
    ),
    Fact(
        "entry-name-no-colon",
        "A user name has a colon before the name of the session.",
        guide(_ENTRIES),
        (_ROLE, _entry(username="john{{SessionName}}")),
        _PARAMETER,
    ),
    Fact(
        "entry-name-colon",
        "With a colon before it, it is taken.",
        guide(_ENTRIES),
        (_ROLE, _entry(username="jo:hn{{SessionName}}")),
        Success({"accessEntry.username": "jo:hn{{SessionName}}"}),
    ),
    Fact(
        "entry-tag-aws",
        "Keys of tags that begin with aws: are AWS's.",
        guide(_TAGGING),
        (_ROLE, _entry(tags={"aws:team": "x"})),
        _PARAMETER,
    ),
    Fact(
        "entry-policy-unknown",
        "An access policy that there is none of.",
        model("eks", "AssociateAccessPolicy, policyArn"),
        (_ROLE, _entry(), _scoped(f"{_ACCESS}/AmazonEKSNoSuchPolicy", type="cluster")),
        _PARAMETER,
    ),
    Fact(
        "entry-policy-of-iam",
        "A policy of IAM is none.",
        model("eks", "AssociateAccessPolicy, policyArn"),
        (_ROLE, _entry(), _scoped("arn:aws:iam::aws:policy/ReadOnlyAccess", type="cluster")),
        _PARAMETER,
    ),
    Fact(
        "entry-policy-node",
        "Entries of nodes take no access policy.",
        guide(_POLICIES),
        (_ROLE, _NODE, _scoped(type="cluster")),
        _PARAMETER,
    ),
    Fact(
        "entry-policy-auto",
        "Entries of Auto Mode's nodes do.",
        pasted("eksctl-io/eksctl#8098", "2024-12-30"),
        (_ROLE, _entry(type="EC2"), _scoped(f"{_ACCESS}/AmazonEKSAutoNodePolicy", type="cluster")),
        Success({"associatedAccessPolicy.accessScope.type": "cluster"}),
    ),
    Fact(
        "entry-scope-empty",
        "A scope of namespaces names some.",
        model("eks", "AccessScope, namespaces"),
        (_ROLE, _entry(), _scoped(type="namespace")),
        _PARAMETER,
    ),
    Fact(
        "entry-scope-type",
        "A type of scope that there is none of.",
        model("eks", "AccessScope, type"),
        (_ROLE, _entry(), _scoped(type="node")),
        _PARAMETER,
    ),
    Fact(
        "entry-scope-none",
        "A scope is needed.",
        model("eks", "AssociateAccessPolicy, accessScope"),
        (_ROLE, _entry(), eks("AssociateAccessPolicy", principalArn=_CART, policyArn=_VIEW)),
        _PARAMETER,
    ),
    Fact(
        "entry-scope-star",
        "Namespaces can have a star, and need not exist.",
        guide(_POLICIES),
        (_ROLE, _entry(), _scoped(type="namespace", namespaces=["dev-*"])),
        Success({"associatedAccessPolicy.accessScope.namespaces": ["dev-*"]}),
    ),
    Fact(
        "entry-list-policy",
        "ListAccessEntries finds the entries with a policy.",
        model("eks", "ListAccessEntries, associatedPolicyArn"),
        (_ROLE, _entry(), _scoped(type="cluster"), eks("ListAccessEntries", associatedPolicyArn=_VIEW)),
        Success({"accessEntries": [_CART]}),
    ),
    Fact(
        "entry-list-other-policy",
        "It leaves out those without it.",
        model("eks", "ListAccessEntries, associatedPolicyArn"),
        (_ROLE, _entry(), eks("ListAccessEntries", associatedPolicyArn=_VIEW)),
        Success({"accessEntries": []}),
    ),
    Fact(
        "entry-list-page",
        "maxResults makes pages, with a token for the next.",
        model("eks", "ListAccessEntries, maxResults"),
        (
            _ROLE,
            _USER,
            _entry(),
            _entry(principalArn="arn:aws:iam::<account>:user/anna"),
            eks("ListAccessEntries", maxResults=1),
        ),
        Success({"count of accessEntries": 1, "nextToken": "~.+"}),
    ),
    Fact(
        "entry-list-next",
        "The token leads to the rest.",
        model("eks", "ListAccessEntries, nextToken"),
        (
            _ROLE,
            _USER,
            _entry(),
            _entry(principalArn="arn:aws:iam::<account>:user/anna"),
            eks("ListAccessEntries", "page", maxResults=1),
            eks("ListAccessEntries", nextToken="<page.nextToken>"),
        ),
        Success({"count of accessEntries": 1}),
    ),
    *(
        Fact(
            f"entry-list-{size}",
            f"A page of {size}.",
            model("eks", "ListAccessEntries, maxResults"),
            (eks("ListAccessEntries", maxResults=size),),
            _PARAMETER,
        )
        for size in (0, 101)
    ),
    Fact(
        "entry-list-token",
        "A token that is none.",
        model("eks", "ListAccessEntries, InvalidParameterException"),
        (eks("ListAccessEntries", nextToken="no token"),),
        _PARAMETER,
    ),
    Fact(
        "access-policies",
        "ListAccessPolicies has AWS's access policies.",
        guide(_POLICIES),
        (Call("eks", "ListAccessPolicies", {}),),
        Success(
            {"accessPolicies.0": {"name": "AmazonEKSAdminPolicy", "arn": f"{_ACCESS}/AmazonEKSAdminPolicy"}}
        ),
    ),
)

_ASSOCIATION_FACTS = (
    Fact(
        "association-policy-tags",
        "A session policy does not go with session tags.",
        f"{model('eks', 'CreatePodIdentityAssociation, policy')}, hashicorp/terraform-provider-aws#48868",
        (_POD, _association(policy=policy())),
        _PARAMETER,
    ),
    Fact(
        "association-policy",
        "Without session tags, the association has it.",
        pasted("hashicorp/terraform-provider-aws#48869", "2026-07-09"),
        (_POD, _association(policy=policy(), disableSessionTags=True), _described()),
        Success({"association.policy": policy(), "association.disableSessionTags": True}),
    ),
    Fact(
        "association-policy-update",
        "Session tags can't be enabled again as long as there is one.",
        model("eks", "UpdatePodIdentityAssociation, policy"),
        (
            _POD,
            _association(policy=policy(), disableSessionTags=True),
            eks(
                "UpdatePodIdentityAssociation",
                associationId="<made.association.associationId>",
                disableSessionTags=False,
            ),
        ),
        _PARAMETER,
    ),
    Fact(
        "association-policy-json",
        "A session policy is JSON.",
        model("eks", "CreatePodIdentityAssociation, policy"),
        (_POD, _association(policy="none", disableSessionTags=True)),
        _PARAMETER,
    ),
    Fact(
        "association-token",
        "The same token and parameters give the same association.",
        model("eks", "CreatePodIdentityAssociation, clientRequestToken"),
        (_POD, _association(clientRequestToken="t"), _association("", clientRequestToken="t")),
        Success({"association.associationId": "<made.association.associationId>"}),
    ),
    Fact(
        "association-tags-51",
        "51 tags.",
        model("eks", "CreatePodIdentityAssociation, tags"),
        (_POD, _association(tags={f"k{number}": "v" for number in range(51)})),
        _PARAMETER,
    ),
    Fact(
        "association-tag-aws",
        "Keys of tags that begin with aws: are AWS's, in any case.",
        guide(_TAGGING),
        (_POD, _association(tags={"AWS:team": "x"})),
        _PARAMETER,
    ),
    Fact(
        "association-tag-129",
        "A tag's key of 129 characters.",
        model("eks", "TagMap, tagKey"),
        (_POD, _association(tags={"k" * 129: "v"})),
        _PARAMETER,
    ),
    Fact(
        "association-tag-257",
        "A tag's value of 257 characters.",
        model("eks", "TagMap, tagValue"),
        (_POD, _association(tags={"k": "v" * 257})),
        _PARAMETER,
    ),
    *(
        Fact(
            f"association-without-{name.lower()}",
            f"{name} is needed.",
            model("eks", f"CreatePodIdentityAssociation, {name}"),
            (_POD, Call("eks", "CreatePodIdentityAssociation", {**_WHOLE, name: None})),
            _PARAMETER,
        )
        for name in ("namespace", "serviceAccount", "roleArn")
    ),
    Fact(
        "association-external-id",
        "The external id for the target role says which ServiceAccount it is for.",
        guide(_TARGETS),
        (_POD, _association(targetRoleArn="arn:aws:iam::222233334444:role/far")),
        Success({"association.externalId": "eu-west-1/<account>/<cluster>/shop/cart"}),
    ),
    Fact(
        "association-target-removed",
        "An empty targetRoleArn removes it.",
        pasted("aws-controllers-k8s/eks-controller#164", "2025-07-30"),
        (
            _POD,
            _association(targetRoleArn="arn:aws:iam::222233334444:role/far"),
            eks(
                "UpdatePodIdentityAssociation",
                associationId="<made.association.associationId>",
                targetRoleArn="",
            ),
        ),
        Success({"association.targetRoleArn": ABSENT}),
    ),
    Fact(
        "association-target-none",
        "A targetRoleArn that is none.",
        model("eks", "CreatePodIdentityAssociation, targetRoleArn"),
        (_POD, _association(targetRoleArn="far")),
        _PARAMETER,
    ),
    Fact(
        "association-list-token",
        "A token that is none.",
        model("eks", "ListPodIdentityAssociations, nextToken"),
        (eks("ListPodIdentityAssociations", nextToken="no token"),),
        _PARAMETER,
    ),
    Fact(
        "association-summary",
        "A summary has neither role nor owner.",
        model("eks", "PodIdentityAssociationSummary"),
        (_POD, _association(), eks("ListPodIdentityAssociations")),
        Success({"associations.0.ownerArn": ABSENT, "associations.0.roleArn": ABSENT}),
    ),
    Fact(
        "tag-read",
        "ListTagsForResource has the tags of an association.",
        model("eks", "ListTagsForResource"),
        (_POD, _association(tags={"a": "1"}), _tag("ListTagsForResource")),
        Success({"tags": {"a": "1"}}),
    ),
    Fact(
        "tag-none",
        "Calls about tags have errors of their own.",
        model("eks", "TagResource, NotFoundException"),
        (_tag("TagResource", "arn:aws:eks:eu-west-1:<account>:cluster/none", tags={"a": "1"}),),
        Refusal("NotFoundException", 404),
    ),
    Fact(
        "tag-aws",
        "TagResource with a key that begins with aws:.",
        model("eks", "TagResource, BadRequestException"),
        (_POD, _association(), _tag("TagResource", tags={"aws:a": "1"})),
        Refusal("BadRequestException"),
    ),
)

_ADDON_FACTS = (
    Fact(
        "addon-twice",
        "An add-on that is there.",
        pasted("aws/eks-hybrid#316", "2025-01-27"),
        (_addon(), _addon(save="")),
        Refusal("ResourceInUseException", 409, "Addon already exists."),
    ),
    Fact(
        "addon-unknown",
        "An add-on that EKS does not have.",
        pasted("aws/containers-roadmap#1429", "2021-07-03"),
        (_addon("no-such-addon"),),
        Refusal("InvalidParameterException", 400, "Addon specified is not supported"),
    ),
    Fact(
        "addon-version",
        "A version that it does not have.",
        pasted("hashicorp/terraform-provider-aws#20559", "2021-08-13"),
        (_addon(addonVersion="1.10"),),
        Refusal("InvalidParameterException", 400, "Addon version specified is not supported"),
    ),
    Fact(
        "addon-none",
        "DescribeAddon of none.",
        "quoted in AWS's guide of EKS, managing-add-ons (awsdocs/amazon-eks-user-guide, of 2022)",
        (eks("DescribeAddon", addonName="coredns"),),
        Refusal("ResourceNotFoundException", 404, "No addon: coredns found in cluster: <cluster>"),
    ),
    Fact(
        "addon-delete-none",
        "DeleteAddon of none.",
        model("eks", "DeleteAddon, ResourceNotFoundException"),
        (eks("DeleteAddon", addonName="coredns"),),
        Refusal("ResourceNotFoundException", 404),
    ),
    Fact(
        "addon-no-cluster",
        "An add-on for no cluster.",
        pasted("upbound/configuration-aws-eks#9", "2023-12-14"),
        (Call("eks", "CreateAddon", {"clusterName": "nowhere", "addonName": "coredns"}),),
        Refusal("ResourceNotFoundException", 404, "No cluster found for name: nowhere."),
    ),
    Fact(
        "addon-described",
        "DescribeAddon tells status, version, health and ARN.",
        pasted("crossplane-contrib/provider-aws#1310", "2022-05-17"),
        (_addon(tags={"a": "1"}), eks("DescribeAddon", addonName="coredns")),
        Success(
            {
                "addon.status": "ACTIVE",
                "addon.addonVersion": "~v.+-eksbuild.+",
                "addon.health": {"issues": []},
                "addon.addonArn": "~arn:aws:eks:eu-west-1:<account>:addon/<cluster>/coredns/[0-9a-f-]{36}",
                "addon.tags": {"a": "1"},
            }
        ),
    ),
    Fact(
        "addon-creating",
        "CreateAddon answers before it is active.",
        model("eks", "AddonStatus"),
        (_addon(),),
        Success({"addon.status": "CREATING"}),
    ),
    Fact(
        "addon-association",
        "An add-on's associations are owned by it.",
        model("eks", "PodIdentityAssociation, ownerArn"),
        (
            _POD,
            _addon(podIdentityAssociations=[{"serviceAccount": "coredns", "roleArn": _CART}]),
            eks("ListPodIdentityAssociations", serviceAccount="coredns"),
        ),
        Success({"associations.0.ownerArn": "<made.addon.addonArn>"}),
    ),
    Fact(
        "addon-association-removed",
        "An empty list deletes them.",
        model("eks", "UpdateAddon, podIdentityAssociations"),
        (
            _POD,
            _addon(podIdentityAssociations=[{"serviceAccount": "coredns", "roleArn": _CART}]),
            eks("UpdateAddon", addonName="coredns", podIdentityAssociations=[]),
            eks("ListPodIdentityAssociations"),
        ),
        Success({"associations": []}),
    ),
    Fact(
        "addon-cluster-name",
        "The name of a cluster begins with a letter or a digit.",
        model("eks", "ClusterName, pattern"),
        (Call("eks", "ListAddons", {"clusterName": "-demo"}),),
        _PARAMETER,
    ),
    Fact(
        "addon-conflicts",
        "A way to resolve conflicts that there is none of.",
        model("eks", "ResolveConflicts"),
        (_addon(resolveConflicts="ASK"),),
        _PARAMETER,
    ),
    Fact(
        "addon-role-256",
        "A serviceAccountRoleArn of 256 characters.",
        model("eks", "RoleArn, max"),
        (_addon(serviceAccountRoleArn="a" * 256),),
        _PARAMETER,
    ),
)

_CLAIMS = {
    "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "cart", "uid": "1"}},
    "aud": ["pods.eks.amazonaws.com"],
}


def _assume(token: str = "<token>", **claims: Any) -> Call:
    parameters = {"clusterName": "<cluster>", "token": token}
    return Call("eks-auth", "AssumeRoleForPodIdentity", parameters, token={**_CLAIMS, **claims})


_AUTH = "AssumeRoleForPodIdentity"
_AUTH_FACTS = (
    Fact(
        "pod-identity",
        "The answer has the association, the audience and credentials.",
        model("eks-auth", _AUTH),
        (_POD, _association(), _assume()),
        Success(
            {
                "podIdentityAssociation.associationId": "<made.association.associationId>",
                "audience": "pods.eks.amazonaws.com",
                "subject": _SUMMARY,
                "assumedRoleUser.arn": "~arn:aws:sts::<account>:assumed-role/cart/eks-<cluster>-.+",
            }
        ),
    ),
    Fact(
        "pod-identity-expired",
        "An expired token.",
        pasted("aws/eks-pod-identity-agent#89", "2025-07-06"),
        (_POD, _association(), _assume(seconds=-10)),
        Refusal(
            "ExpiredTokenException",
            400,
            "~The token included in the request is expired: current date/time [0-9TZ:.-]+ must be before the "
            r"expiration date/time [0-9TZ:.-]+Z\.",
        ),
    ),
    Fact(
        "pod-identity-trust",
        "A role that does no longer trust EKS Pod Identity.",
        pasted("aws-controllers-k8s/community#2678", "2025-11-09"),
        (
            _POD,
            _association(),
            iam("UpdateAssumeRolePolicy", RoleName="cart", PolicyDocument=trust()),
            _assume(),
        ),
        Refusal(
            "AccessDeniedException",
            400,
            "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
        ),
    ),
    Fact(
        "pod-identity-form",
        "What has not the form of a token.",
        model("eks-auth", f"{_AUTH}, token"),
        (_assume("no token"),),
        _PARAMETER,
    ),
    Fact(
        "pod-identity-audience",
        "A token for another audience.",
        model("eks-auth", f"{_AUTH}, InvalidTokenException"),
        (_POD, _association(), _assume(aud=["sts.amazonaws.com"])),
        Refusal("InvalidTokenException"),
    ),
    Fact(
        "pod-identity-none",
        "A ServiceAccount without association.",
        model("eks-auth", f"{_AUTH}, ResourceNotFoundException"),
        (_assume(),),
        Refusal("ResourceNotFoundException", 404),
    ),
    Fact(
        "pod-identity-tags",
        "The session has the tags of EKS.",
        guide("eks/latest/userguide/pod-id-abac.html"),
        (
            _POD,
            iam(
                "PutRolePolicy",
                RoleName="cart",
                PolicyName="in",
                PolicyDocument=policy(
                    "iam:GetRole",
                    Condition={"StringEquals": {"aws:PrincipalTag/kubernetes-service-account": "cart"}},
                ),
            ),
            _association(),
            Call(
                "eks-auth",
                _AUTH,
                {"clusterName": "<cluster>", "token": "<token>"},
                "session",
                token=_CLAIMS,
            ),
            iam("GetRole", caller="session", RoleName="cart"),
        ),
        Success({"Role.RoleName": "cart"}),
    ),
)

FACTS = (*_ENTRY_FACTS, *_ASSOCIATION_FACTS, *_ADDON_FACTS, *_AUTH_FACTS)
