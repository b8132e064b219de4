"""EKS: clusters, Pod Identity associations and access entries."""

from tests.aws_facts.fact import fact
from tests.aws_facts.sources import guide, issue, model

FACTS = (
    fact(
        "cluster-none",
        "DescribeCluster of none.",
        issue("public logs of EKS: No cluster found for name"),
        """
        - eks DescribeCluster: {clusterName: nowhere}
        - refuses: 'ResourceNotFoundException 404 No cluster found for name: nowhere.'""",
    ),
    fact(
        "cluster",
        "DescribeCluster tells ARN, status and issuer.",
        model("eks", "DescribeCluster"),
        """
        - eks DescribeCluster: {clusterName: <cluster>}
        - answers: {cluster.arn: 'arn:aws:eks:eu-west-1:<account>:cluster/<cluster>', cluster.status: ACTIVE,
            cluster.identity.oidc.issuer: '~https://oidc.eks.eu-west-1.amazonaws.com/id/.+'}""",
    ),
    fact(
        "clusters",
        "ListClusters has names.",
        model("eks", "ListClusters"),
        """
        - eks ListClusters: {}
        - answers: {clusters: [<cluster>]}""",
    ),
    fact(
        "association-create",
        "CreatePodIdentityAssociation answers with the association, its id and its ARN.",
        model("eks", "PodIdentityAssociation"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - answers: {association.associationId: '~a-[a-z0-9]{17}', association.associationArn:
            '~arn:aws:eks:eu-west-1:<account>:podidentityassociation/<cluster>/a-.+',
            association.roleArn: 'arn:aws:iam::<account>:role/cart', association.namespace: shop,
            association.serviceAccount: cart,
            association.ownerArn: (absent)}""",
    ),
    fact(
        "association-tags",
        "Tags in the call are answered.",
        model("eks", "CreatePodIdentityAssociation, tags"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart',
            tags: {a: '1'}}
          save: made
        - answers: {association.tags: {a: '1'}}""",
    ),
    fact(
        "association-second",
        "A ServiceAccount has one association.",
        issue("aws-controllers-k8s/community#2684, crossplane-contrib/provider-upjet-aws#1437"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: 'ResourceInUseException 409 Association already exists:
            <made.association.associationId>'""",
    ),
    fact(
        "association-trust",
        "The role has to trust pods.eks.amazonaws.com.",
        issue("hashicorp/terraform-provider-aws#41483"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - refuses: InvalidParameterException 400 Trust policy of the role provided is invalid""",
    ),
    fact(
        "association-no-role",
        "The role has to exist.",
        issue("hashicorp/terraform-provider-aws PR 34717"),
        """
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - refuses: InvalidParameterException 400 Role provided in the request does not exist.""",
    ),
    fact(
        "association-other-account",
        "The role has to be in the cluster's account.",
        model("eks", "CreatePodIdentityAssociation, roleArn"),
        """
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::999988887777:role/cart'}
          save: made
        - refuses: InvalidParameterException 400""",
    ),
    fact(
        "association-no-cluster",
        "An association in no cluster.",
        model("eks", "CreatePodIdentityAssociation, ResourceNotFoundException"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: nowhere, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "association-missing-account",
        "Neither namespace nor ServiceAccount has to exist in the cluster.",
        guide("eks/latest/userguide/pod-id-association.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: not-yet, serviceAccount:
            not-yet, roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - answers: {}""",
    ),
    fact(
        "association-describe",
        "DescribePodIdentityAssociation has the role.",
        model("eks", "DescribePodIdentityAssociation"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks DescribePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>}
        - answers: {association.roleArn: 'arn:aws:iam::<account>:role/cart'}""",
    ),
    fact(
        "association-list",
        "ListPodIdentityAssociations has no roles.",
        model("eks", "PodIdentityAssociationSummary"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks ListPodIdentityAssociations: {clusterName: <cluster>, namespace: shop, serviceAccount: cart}
        - answers: {count of associations: 1, associations.0.roleArn: (absent)}""",
    ),
    fact(
        "association-list-other",
        "ListPodIdentityAssociations of another namespace is empty.",
        model("eks", "ListPodIdentityAssociations, namespace"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks ListPodIdentityAssociations: {clusterName: <cluster>, namespace: other}
        - answers: {associations: []}""",
    ),
    fact(
        "association-describe-none",
        "DescribePodIdentityAssociation of none.",
        "botocore 1.44.8, model of eks: DescribePodIdentityAssociation, ResourceNotFoundException",
        """
        - eks DescribePodIdentityAssociation: {clusterName: <cluster>, associationId: a-12345678901234567}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "association-delete-none",
        "DeletePodIdentityAssociation of none.",
        "botocore 1.44.8, model of eks: DeletePodIdentityAssociation, ResourceNotFoundException",
        """
        - eks DeletePodIdentityAssociation: {clusterName: <cluster>, associationId: a-12345678901234567}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "association-update-none",
        "UpdatePodIdentityAssociation of none.",
        "botocore 1.44.8, model of eks: UpdatePodIdentityAssociation, ResourceNotFoundException",
        """
        - eks UpdatePodIdentityAssociation: {clusterName: <cluster>, associationId: a-12345678901234567}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "association-delete",
        "DeletePodIdentityAssociation answers with what is deleted.",
        model("eks", "DeletePodIdentityAssociation"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks DeletePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>}
        - answers: {association.roleArn: 'arn:aws:iam::<account>:role/cart'}""",
    ),
    fact(
        "association-update",
        "UpdatePodIdentityAssociation changes the role, and keeps the id.",
        model("eks", "UpdatePodIdentityAssociation"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - iam CreateRole: {RoleName: other, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks UpdatePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>, roleArn: 'arn:aws:iam::<account>:role/other'}
        - answers: {association.roleArn: 'arn:aws:iam::<account>:role/other', association.associationId:
            <made.association.associationId>}""",
    ),
    fact(
        "association-update-no-role",
        "It says the same of a role that does not exist.",
        issue("hashicorp/terraform-provider-aws PR 34717"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks UpdatePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>, roleArn: 'arn:aws:iam::<account>:role/nobody'}
        - refuses: InvalidParameterException 400 Role provided in the request does not exist.""",
    ),
    fact(
        "association-target",
        "With a target role the association has an external id.",
        model("eks", "PodIdentityAssociation, externalId"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart',
            targetRoleArn: 'arn:aws:iam::999988887777:role/target'}
          save: made
        - answers: {association.externalId: ~.+, association.targetRoleArn:
            'arn:aws:iam::999988887777:role/target'}""",
    ),
    fact(
        "association-session-tags",
        "Session tags can be disabled; they are not by default.",
        model("eks", "PodIdentityAssociation, disableSessionTags"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - answers: {association.disableSessionTags: false}""",
    ),
    fact(
        "association-role-deleted",
        "Deleting the role leaves the association as it is.",
        guide("eks/latest/userguide/pod-identities.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - iam DeleteRole: {RoleName: cart}
        - eks DescribePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>}
        - answers: {association.roleArn: 'arn:aws:iam::<account>:role/cart'}""",
    ),
    fact(
        "association-deleted-in-use",
        "An association that was deleted is in the way of a new one for a second or more.",
        issue("aws-controllers-k8s/community#2684"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: pods.eks.amazonaws.com}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}}
          save: role
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
          save: made
        - eks DeletePodIdentityAssociation: {clusterName: <cluster>, associationId:
            <made.association.associationId>}
        - eks CreatePodIdentityAssociation: {clusterName: <cluster>, namespace: shop, serviceAccount: cart,
            roleArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: ResourceInUseException 409""",
        not_simulated="only if the sandbox is set to be late (`lag`): here it answers at once",
    ),
    fact(
        "entry-create",
        "CreateAccessEntry gives the user name that belongs to the role's sessions.",
        guide("eks/latest/userguide/set-custom-username.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - answers: {accessEntry.username: 'arn:aws:sts::<account>:assumed-role/cart/{{SessionName}}',
            accessEntry.type: STANDARD,
            accessEntry.kubernetesGroups: [], accessEntry.accessEntryArn:
            '~arn:aws:eks:eu-west-1:<account>:access-entry/<cluster>/role/<account>/cart/[0-9a-f-]{36}'}""",
    ),
    fact(
        "entry-path",
        "The user name is without the role's path; the principal has it.",
        issue("aws/containers-roadmap#185"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2, Path: /shop/}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/shop/cart'}
        - answers: {accessEntry.principalArn: 'arn:aws:iam::<account>:role/shop/cart',
            accessEntry.username: 'arn:aws:sts::<account>:assumed-role/cart/{{SessionName}}'}""",
    ),
    fact(
        "entry-user",
        "A user's name is its ARN.",
        guide("eks/latest/userguide/set-custom-username.html"),
        """
        - iam CreateUser: {UserName: anna}
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:user/anna'}
        - answers: {accessEntry.username: 'arn:aws:iam::<account>:user/anna'}""",
    ),
    fact(
        "entry-groups",
        "An entry has the groups, name and tags that it was given.",
        model("eks", "AccessEntry"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            kubernetesGroups: [
            viewers], username: cart, tags: {a: '1'}}
        - answers: {accessEntry.kubernetesGroups: [viewers], accessEntry.username: cart, accessEntry.tags: {
            a: '1'}}""",
    ),
    fact(
        "entry-twice",
        "A principal has one entry.",
        model("eks", "CreateAccessEntry, ResourceInUseException"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: ResourceInUseException 409 The specified access entry resource is already in use on this
            cluster.""",
    ),
    fact(
        "entry-no-principal",
        "The principal has to exist.",
        issue("terraform-aws-modules/terraform-aws-eks#2969"),
        """
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: 'InvalidParameterException 400 The specified principalArn is invalid: invalid
            principal.'""",
    ),
    fact(
        "entry-system-group",
        "Groups of Kubernetes itself can't be given.",
        issue("terraform-aws-modules/terraform-aws-eks#2915"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            kubernetesGroups: [
            'system:masters']}
        - refuses: 'InvalidParameterException 400 The kubernetes group name system:masters is invalid, it
            cannot
            start with system:'""",
    ),
    fact(
        "entry-name-system",
        "A user name can't begin with system:.",
        "https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html (2026-11-28), "
        "aws-ia/terraform-aws-eks-blueprints PR 1920",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: 'system:cart'}
        - refuses: 'InvalidParameterException 400 The username must not begin with system:'""",
    ),
    fact(
        "entry-name-eks",
        "A user name can't begin with eks:.",
        "https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html (2026-11-28), "
        "aws-ia/terraform-aws-eks-blueprints PR 1920",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: 'eks:cart'}
        - refuses: InvalidParameterException 400""",
    ),
    fact(
        "entry-name-aws",
        "A user name can't begin with aws:.",
        "https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html (2026-11-28), "
        "aws-ia/terraform-aws-eks-blueprints PR 1920",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: 'aws:cart'}
        - refuses: InvalidParameterException 400""",
    ),
    fact(
        "entry-name-amazon",
        "A user name can't begin with amazon:.",
        "https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html (2026-11-28), "
        "aws-ia/terraform-aws-eks-blueprints PR 1920",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: 'amazon:cart'}
        - refuses: InvalidParameterException 400""",
    ),
    fact(
        "entry-name-iam",
        "A user name can't begin with iam:.",
        "https://docs.aws.amazon.com/eks/latest/userguide/set-custom-username.html (2026-11-28), "
        "aws-ia/terraform-aws-eks-blueprints PR 1920",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: 'iam:cart'}
        - refuses: InvalidParameterException 400""",
    ),
    fact(
        "entry-describe-none",
        "DescribeAccessEntry of none.",
        issue("terraform-aws-modules/terraform-aws-eks#3024"),
        """
        - eks DescribeAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: ResourceNotFoundException 404 The specified principalArn could not be found. You can view
            your available access entries with 'list-access-entries'.""",
    ),
    fact(
        "entry-updateaccessentry-none",
        "UpdateAccessEntry of none.",
        "botocore 1.44.8, model of eks: UpdateAccessEntry, ResourceNotFoundException",
        """
        - eks UpdateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: x}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "entry-deleteaccessentry-none",
        "DeleteAccessEntry of none.",
        "botocore 1.44.8, model of eks: DeleteAccessEntry, ResourceNotFoundException",
        """
        - eks DeleteAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "entry-associateaccesspolicy-none",
        "AssociateAccessPolicy of none.",
        "botocore 1.44.8, model of eks: AssociateAccessPolicy, ResourceNotFoundException",
        """
        - eks AssociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            accessScope: {type: cluster}}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "entry-listassociatedaccesspolicies-none",
        "ListAssociatedAccessPolicies of none.",
        "botocore 1.44.8, model of eks: ListAssociatedAccessPolicies, ResourceNotFoundException",
        """
        - eks ListAssociatedAccessPolicies: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart'}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "entry-list",
        "ListAccessEntries has ARNs of principals.",
        model("eks", "ListAccessEntries"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks ListAccessEntries: {clusterName: <cluster>}
        - answers: {accessEntries: ['arn:aws:iam::<account>:role/cart']}""",
    ),
    fact(
        "entry-update",
        "UpdateAccessEntry replaces groups and name.",
        model("eks", "UpdateAccessEntry"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            kubernetesGroups: [
            viewers]}
        - eks UpdateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            kubernetesGroups: [
            editors]}
        - answers: {accessEntry.kubernetesGroups: [editors]}""",
    ),
    fact(
        "entry-update-node",
        "Entries of nodes can't be updated.",
        issue("aws-controllers-k8s/community#2144"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            type: EC2_LINUX}
        - eks UpdateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart',
            username: x}
        - refuses: InvalidParameterException 400 This operation can only be performed on Access Entries with
            a type of "STANDARD".""",
    ),
    fact(
        "entry-delete",
        "DeleteAccessEntry answers with nothing.",
        model("eks", "DeleteAccessEntry"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks DeleteAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - answers: {'keys of ': []}""",
    ),
    fact(
        "entry-role-deleted",
        "Deleting the role leaves its access entry.",
        guide("eks/latest/userguide/creating-access-entries.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - iam DeleteRole: {RoleName: cart}
        - eks DescribeAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - answers: {accessEntry.principalArn: 'arn:aws:iam::<account>:role/cart'}""",
    ),
    fact(
        "entry-policy",
        "AssociateAccessPolicy answers with the policy and its scope.",
        model("eks", "AssociateAccessPolicy"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks AssociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            accessScope: {type: namespace, namespaces: [shop]}}
        - answers: {associatedAccessPolicy.policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            associatedAccessPolicy.accessScope: {type: namespace, namespaces: [shop]}}""",
    ),
    fact(
        "entry-policy-again",
        "Associating a policy again replaces its scope.",
        guide("eks/latest/userguide/access-policies.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks AssociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            accessScope: {type: cluster}}
        - eks AssociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            accessScope: {type: namespace, namespaces: [shop]}}
        - eks ListAssociatedAccessPolicies: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart'}
        - answers: {count of associatedAccessPolicies: 1, associatedAccessPolicies.0.accessScope.type:
            namespace}""",
    ),
    fact(
        "entry-policy-removed",
        "DisassociateAccessPolicy removes it.",
        model("eks", "DisassociateAccessPolicy"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks AssociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy',
            accessScope: {type: cluster}}
        - eks DisassociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy'}
        - eks ListAssociatedAccessPolicies: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart'}
        - answers: {associatedAccessPolicies: []}""",
    ),
    fact(
        "entry-policy-removed-none",
        "DisassociateAccessPolicy of a policy that isn't associated.",
        model("eks", "DisassociateAccessPolicy, ResourceNotFoundException"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - eks CreateAccessEntry: {clusterName: <cluster>, principalArn: 'arn:aws:iam::<account>:role/cart'}
        - eks DisassociateAccessPolicy: {clusterName: <cluster>, principalArn:
            'arn:aws:iam::<account>:role/cart', policyArn:
            'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy'}
        - refuses: ResourceNotFoundException 404""",
    ),
    fact(
        "aws-auth-path",
        "In the aws-auth ConfigMap a role's ARN with a path never matches.",
        issue("kubernetes-sigs/aws-iam-authenticator#268, aws/containers-roadmap#573"),
        """
        - eks DescribeCluster: {clusterName: <cluster>}
        - answers: {cluster.accessConfig.authenticationMode: API_AND_CONFIG_MAP}""",
        not_simulated="clusters know callers by access entries only (authenticationMode API)",
    ),
)
