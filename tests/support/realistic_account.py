"""An account as companies have it: 200 roles, three clusters, add-ons, teams, CI, people, and defects.

The add-ons have the permissions that their documentation and the Terraform modules for them give. Each defect
is labelled by hand with what a reviewer has to see of it; everything else is harmless. A new kind of role or
defect is a few lines here, and its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation, AuditedCluster, Estate
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.objects import RBAC_GROUP, rbac_objects
from tests.support import estates
from tests.support.estates import ACCOUNT, ADMIN, NOW, REGION, SA, STS, admits, arn_of, provider_of

PROD, STAGING, TOOLS = CLUSTERS = ("shop-prod", "shop-staging", "platform-tools")
ROLES = 200
DEAD = "shop-old"
"""A cluster that was deleted without its OIDC provider and roles."""
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
OF_AWS = "arn:aws:iam::aws:policy"
S3_READER = f"{OF_AWS}/AmazonS3ReadOnlyAccess"
SECRETS = f"arn:aws:iam::{ACCOUNT}:policy/external-secrets"
REGISTRY = f"{OF_AWS}/AmazonEC2ContainerRegistryReadOnly"
REPORTING = f"arn:aws:iam::{ACCOUNT}:policy/reporting"


def allow(*actions: str, on: Any = "*", **condition: Any) -> Document:
    statement: Document = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return {**statement, "Condition": condition} if condition else statement


def policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def own(name: str) -> dict[str, Any]:
    """The condition of add-ons that change only what they have tagged."""
    return {"StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{name}": "owned"}}


POLICIES: dict[str, Document] = {
    ADMIN: policy(allow("*")),
    S3_READER: policy(allow("s3:Get*", "s3:List*", "s3:Describe*")),
    f"{OF_AWS}/AmazonEKS_CNI_Policy": policy(
        allow("ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface"),
        allow("ec2:CreateTags", on="arn:aws:ec2:*:*:network-interface/*"),
    ),
    f"{OF_AWS}/service-role/AmazonEBSCSIDriverPolicy": policy(
        allow("ec2:CreateSnapshot", "ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyVolume"),
        allow("ec2:DeleteVolume", StringLike={"ec2:ResourceTag/ebs.csi.aws.com/cluster": "true"}),
    ),
    f"{OF_AWS}/service-role/AmazonEFSCSIDriverPolicy": policy(
        allow("elasticfilesystem:DescribeAccessPoints", "elasticfilesystem:DescribeMountTargets"),
        allow(
            "elasticfilesystem:TagResource", StringLike={"aws:ResourceTag/efs.csi.aws.com/cluster": "true"}
        ),
    ),
    f"{OF_AWS}/CloudWatchAgentServerPolicy": policy(
        allow("cloudwatch:PutMetricData", "logs:PutLogEvents", "logs:CreateLogStream", "ec2:DescribeTags"),
        allow("ssm:GetParameter", on="arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
    ),
    f"{OF_AWS}/AmazonEC2ContainerRegistryReadOnly": policy(
        allow("ecr:GetAuthorizationToken", "ecr:BatchGetImage")
    ),
    f"{OF_AWS}/AmazonEKSWorkerNodePolicy": policy(allow("ec2:DescribeInstances", "eks:DescribeCluster")),
    f"{OF_AWS}/ReadOnlyAccess": policy(allow("ec2:Describe*", "iam:Get*", "iam:List*")),
    SECRETS: policy(
        allow("secretsmanager:GetSecretValue", on="arn:aws:secretsmanager:*:*:secret:*"),
        allow("ssm:GetParameter", on="arn:aws:ssm:*:*:parameter/*"),
        allow("kms:Decrypt", on="arn:aws:kms:*:*:key/*"),
    ),
    REPORTING: policy(allow("s3:GetObject", "s3:ListBucket")),
}


def addons(cluster: str) -> Iterator[tuple[str, str, list[str], Document | None]]:
    """The add-ons of a cluster: ServiceAccount, role, managed policies, inline policy."""
    node = arn_of(f"{cluster}-node")
    yield (
        "kube-system/aws-load-balancer-controller", "alb", [],
        policy(
            allow("iam:CreateServiceLinkedRole", StringEquals={
                "iam:AWSServiceName": "elasticloadbalancing.amazonaws.com",
            }),
            allow("elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"),
            allow("ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup", "ec2:DescribeInstances"),
            allow("elasticloadbalancing:DeleteLoadBalancer", Null={
                "aws:ResourceTag/elbv2.k8s.aws/cluster": "false",
            }),
        ),
    )  # fmt: skip
    yield (
        "external-dns/external-dns", "external-dns", [],
        policy(allow("route53:ChangeResourceRecordSets", on="arn:aws:route53:::hostedzone/*")),
    )  # fmt: skip
    yield (
        "cert-manager/cert-manager", "cert-manager", [],
        policy(allow("route53:ChangeResourceRecordSets", on="arn:aws:route53:::hostedzone/*")),
    )  # fmt: skip
    yield (
        "kube-system/cluster-autoscaler", "cluster-autoscaler", [],
        policy(
            allow("autoscaling:DescribeAutoScalingGroups", "ec2:DescribeLaunchTemplateVersions"),
            allow("autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup",
                  **own(cluster)),
        ),
    )  # fmt: skip
    yield (
        "karpenter/karpenter", "karpenter", [],
        policy(
            allow("ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate", StringEquals={
                f"aws:RequestTag/kubernetes.io/cluster/{cluster}": "owned",
            }),
            allow("ec2:TerminateInstances", "ec2:DeleteLaunchTemplate", **own(cluster)),
            allow("iam:PassRole", on=node, StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}),
            allow("iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", **own(cluster)),
            allow("ssm:GetParameter", on="arn:aws:ssm:*::parameter/aws/service/*"),
        ),
    )  # fmt: skip
    yield (
        "velero/velero", "velero", [],
        policy(
            allow("s3:GetObject", "s3:PutObject", on=f"arn:aws:s3:::{cluster}-backups/*"),
            allow("ec2:CreateSnapshot", "ec2:DescribeVolumes"),
        ),
    )  # fmt: skip
    yield (
        "kube-system/ebs-csi-controller-sa",
        "ebs-csi",
        [f"{OF_AWS}/service-role/AmazonEBSCSIDriverPolicy"],
        None,
    )
    yield (
        "kube-system/efs-csi-controller-sa",
        "efs-csi",
        [f"{OF_AWS}/service-role/AmazonEFSCSIDriverPolicy"],
        None,
    )
    yield "kube-system/aws-node", "vpc-cni", [f"{OF_AWS}/AmazonEKS_CNI_Policy"], None
    yield "external-secrets/external-secrets", "external-secrets", [SECRETS], None
    yield "amazon-cloudwatch/fluent-bit", "fluent-bit", [f"{OF_AWS}/CloudWatchAgentServerPolicy"], None
    yield "amazon-cloudwatch/cloudwatch-agent", "cloudwatch", [f"{OF_AWS}/CloudWatchAgentServerPolicy"], None
    yield "argocd/argocd-image-updater", "image-updater", [REGISTRY], None


def _cluster_role(name: str, *rules: tuple[list[str], list[str], list[str]]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": groups, "resources": resources, "verbs": verbs}
            for groups, resources, verbs in rules
        ],
    }


def _binding(name: str, role: str, kind: str, who: str, namespace: str = "") -> dict[str, Any]:
    subject = {"apiGroup": RBAC_GROUP, "kind": kind, "name": who}
    if kind == "ServiceAccount":
        space, _, account = who.partition("/")
        subject = {"kind": kind, "namespace": space, "name": account}
    return {
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


RBAC: dict[str, list[dict[str, Any]]] = {
    "Role": [],
    "ClusterRole": [
        _cluster_role("cluster-admin", (["*"], ["*"], ["*"])),
        _cluster_role("edit", (["", "apps"], ["pods", "deployments"], ["create", "update", "delete"])),
        _cluster_role("view", (["", "apps"], ["pods", "deployments"], ["get", "list", "watch"])),
    ],
    "RoleBinding": [],
    "ClusterRoleBinding": [
        _binding("cluster-admin", "cluster-admin", "Group", "system:masters"),
        _binding("argocd", "cluster-admin", "ServiceAccount", "argocd/argocd-application-controller"),
        _binding("everybody-views", "view", "Group", "system:authenticated"),
    ],
}
"""What most clusters have: Argo CD does everything, everybody reads. Teams edit their namespaces."""
TEAMS = ("orders", "payments", "search", "catalog")


@dataclass(frozen=True)
class Defect:
    """What is wrong, and the act that follows: the rule, and the role or ServiceAccount that it is about."""

    rule: str
    about: str
    act: str
    at_least: str = "low"


@dataclass
class Realistic:
    """The account while it is built, and the defects in it."""

    roles: list[Role] = field(default_factory=list)
    accounts: dict[str, list[AuditedAccount]] = field(default_factory=lambda: {name: [] for name in CLUSTERS})
    pods: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in CLUSTERS})
    associations: list[AuditedAssociation] = field(default_factory=list)
    rbac: dict[str, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: {
            name: {kind: [*bodies] for kind, bodies in RBAC.items()} for name in CLUSTERS
        }
    )
    defects: list[Defect] = field(default_factory=list)

    def role(
        self, name: str, *statements: Document, wrong: Mapping[str, str] | None = None, **more: Any
    ) -> str:
        """Add a role; `wrong` has the rules that it breaks, each with `severity: act`."""
        if isinstance(more.get("inline"), dict):
            more.setdefault("attached", ())
        self.roles.append(estates.role(name, *statements, **more))
        self._label(arn_of(name), wrong)
        return name

    def account(
        self, cluster: str, name: str, role: str = "", pods: int = 2, wrong: Mapping[str, str] | None = None
    ) -> None:
        """Add a ServiceAccount (namespace/name) with its role and pods."""
        space, _, short = name.partition("/")
        self.accounts[cluster].append(estates.account(short, role, space))
        if pods:
            self.pods[cluster][name] = pods
        self._label(name, wrong)

    def _label(self, about: str, wrong: Mapping[str, str] | None) -> None:
        for rule, text in (wrong or {}).items():
            severity, _, act = text.partition(": ")
            self.defects.append(Defect(rule, about, act, severity))

    def app(self, cluster: str, name: str, **more: Any) -> None:
        """Add an application: a ServiceAccount with a role of its own, as Terraform modules make it."""
        role = f"{cluster}-{name.replace('/', '-')}"
        more.setdefault("inline", _of_app(name))
        self.role(role, admits(cluster, SA + name.replace("/", ":")), **more)
        self.account(cluster, name, role)

    def estate(self) -> Estate:
        """All of it, read as a whole."""
        clusters = [self._cluster(name) for name in CLUSTERS]
        providers = {provider_of(name): (STS,) for name in (*CLUSTERS, DEAD)} | {GITHUB: (STS,)}
        return estates.estate(self.roles, clusters, providers, policies=POLICIES)

    def _cluster(self, name: str) -> AuditedCluster:
        associations = tuple(self.associations) if name == PROD else ()
        return estates.cluster(
            name,
            *self.accounts[name],
            pods=self.pods[name],
            associations=associations,
            rbac=rbac_objects(self.rbac[name]),
            levels=dict.fromkeys(TEAMS, "baseline"),
        )


def _of_app(name: str) -> dict[str, Document]:
    """The inline policy of an application: its own bucket and queue."""
    short = name.replace("/", "-")
    return {
        "own": policy(
            allow("s3:GetObject", "s3:PutObject", on=f"arn:aws:s3:::{short}/*"),
            allow("sqs:ReceiveMessage", "sqs:DeleteMessage", on=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{short}"),
        )
    }


def service(name: str) -> Document:
    return {"Effect": "Allow", "Principal": {"Service": f"{name}.amazonaws.com"}, "Action": "sts:AssumeRole"}


def of_github(subject: str) -> Document:
    issuer = GITHUB.partition("oidc-provider/")[2]
    return {
        "Effect": "Allow",
        "Principal": {"Federated": GITHUB},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:aud": STS, f"{issuer}:sub": subject}},
    }


def realistic() -> Realistic:
    """The account with its defects."""
    made = Realistic()
    _platform(made)
    _people_and_services(made)
    _teams(made)
    _broken(made)
    _unsafe(made)
    _leftovers(made)
    number = 0
    while len(made.roles) < ROLES:
        number += 1
        made.app((PROD, STAGING)[number % 2], f"team-{number % 9}/service-{number}")
    return made


def _platform(made: Realistic) -> None:
    """The add-ons of each cluster, its nodes, and pods that need no role."""
    for cluster in CLUSTERS:
        for name, short, attached, inline in addons(cluster):
            role = f"{cluster}-{short}"
            documents = {} if inline is None else {"policy": inline}
            subject = SA + name.replace("/", ":")
            made.role(role, admits(cluster, subject), attached=attached, inline=documents)
            made.account(cluster, name, role)
        made.account(cluster, "argocd/argocd-application-controller")
        made.account(cluster, "ingress-nginx/ingress-nginx", pods=4)
        made.account(cluster, "monitoring/prometheus", pods=3)
        node = [f"{OF_AWS}/AmazonEKSWorkerNodePolicy", f"{OF_AWS}/AmazonEC2ContainerRegistryReadOnly"]
        made.role(f"{cluster}-node", service("ec2"), attached=node)
        made.role(f"{cluster}-cluster", service("eks"), attached=[f"{OF_AWS}/AmazonEKSWorkerNodePolicy"])


def _people_and_services(made: Realistic) -> None:
    """Roles of people, of pipelines, and of other services: no pod can assume them."""
    saml = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/sso"},
        "Action": "sts:AssumeRoleWithSAML",
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    }
    for name in ("Administrator", "PowerUser", "ReadOnly", "Billing"):
        attached = [ADMIN] if name == "Administrator" else [f"{OF_AWS}/ReadOnlyAccess"]
        made.role(f"AWSReservedSSO_{name}_0123456789abcdef", saml, attached=attached)
    for place in range(8):
        attached = [ADMIN] if place == 0 else [f"{OF_AWS}/AmazonEC2ContainerRegistryReadOnly"]
        made.role(
            f"github-deploy-{place}",
            of_github(f"repo:acme/app-{place}:ref:refs/heads/main"),
            attached=attached,
        )
    for name in ("lambda", "ecs-tasks", "states", "events", "rds", "backup", "config", "firehose"):
        made.role(f"service-{name}", service(name), inline=_of_app(name))


def _teams(made: Realistic) -> None:
    """Applications: most have their own bucket, some read all of S3, as nobody has listed the buckets."""
    for team in TEAMS:
        for part in ("api", "worker", "web", "jobs", "importer"):
            made.app(PROD, f"{team}/{part}")
            made.app(STAGING, f"{team}/{part}")
        made.app(PROD, f"{team}/export", attached=(S3_READER,), inline={})
        made.app(STAGING, f"{team}/export", attached=(S3_READER,), inline={})
        made.app(PROD, f"{team}/report", attached=(REPORTING,), inline={})
    for part in ("inbox", "mailer", "invoices", "ledger", "stock"):
        name = f"{PROD}-pods-{part}"
        # As the documentation has it: without a condition.
        made.role(name, FOR_ANY_POD, inline=_of_app(f"billing/{part}"))
        made.account(PROD, f"billing/{part}")
        made.associations.append(AuditedAssociation("billing", part, f"a-{part}", arn_of(name)))
    for team in TEAMS:
        for cluster in (PROD, STAGING):
            edits = _binding(f"{team}-edit", "edit", "Group", f"team-{team}", team)
            made.rbac[cluster]["RoleBinding"].append(edits)
    # Moved to EKS Pod Identity, with the annotation kept for the way back.
    made.role(f"{PROD}-pods-moved", _of_pods("billing"), inline=_of_app("billing/moved"))
    made.account(PROD, "billing/moved", f"{PROD}-pods-moved")
    made.associations.append(AuditedAssociation("billing", "moved", "a-moved", arn_of(f"{PROD}-pods-moved")))


FOR_ANY_POD: Document = {**service("pods.eks"), "Action": ["sts:AssumeRole", "sts:TagSession"]}


def _of_pods(namespace: str) -> Document:
    return {
        **FOR_ANY_POD,
        "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": namespace}},
    }


def _broken(made: Realistic) -> None:
    """Pods without credentials: some run, and some would if somebody scaled them up."""
    fix = "high: create the role, or correct the annotation"
    made.account(PROD, "orders/refunds", "orders-refunds-deleted", pods=3, wrong={"role-gone": fix})
    made.account(PROD, "search/crawler", "serch-crawler", pods=1, wrong={"role-gone": fix})
    # The namespace was renamed, and three ServiceAccounts share the role that does not know it.
    made.role("warehouse", admits(PROD, f"{SA}stock:picker"), inline=_of_app("warehouse/x"), wrong={
        "subject-gone": "medium: remove the old namespace from the trust policy",
    })  # fmt: skip
    made.defects[-1] = replace(made.defects[-1], about="stock/picker")
    for name in ("picker", "packer", "labels"):
        made.account(PROD, f"warehouse/{name}", "warehouse", pods=2, wrong={
            "annotated-refused": "high: add the ServiceAccount to the trust policy",
        })  # fmt: skip
    made.account(STAGING, "warehouse/picker", "warehouse", pods=0, wrong={
        "annotated-refused": "medium: add the ServiceAccount, before it is scaled up",
    })  # fmt: skip
    made.account(PROD, "catalog/images", pods=2, wrong={"annotation-no-role": "high: set the role's ARN"})
    images = made.accounts[PROD].pop()
    made.accounts[PROD].append(replace(images, role_arn="catalog-images"))
    only_tags = {**_of_pods("billing"), "Action": "sts:TagSession"}
    made.role("billing-tax", only_tags, inline=_of_app("billing/tax"))
    made.account(PROD, "billing/tax", pods=1, wrong={"association-refused": "high: allow sts:AssumeRole"})
    made.associations.append(AuditedAssociation("billing", "tax", "a-tax", arn_of("billing-tax")))


def _unsafe(made: Realistic) -> None:
    """Trust policies, permissions and bindings that a reviewer changes."""
    like = {"operator": "StringLike"}
    narrow = "high: list the ServiceAccounts"
    made.role("legacy-migrator", admits(PROD, f"{SA}*", **like), inline=_of_app("legacy/x"),
              wrong={"every-subject": narrow})  # fmt: skip
    made.role("shared-tools", admits(TOOLS, None), inline=_of_app("shared/x"), wrong={"no-subject": narrow})
    made.role("analytics", admits(PROD, f"{SA}analytics:*", **like), attached=(S3_READER,), wrong={
        "every-name": "medium: list the ServiceAccounts",
        "reads-all-data": "medium: list the buckets, as each pod of the namespace can read them",
    })  # fmt: skip
    for name in ("notebooks", "spark"):
        made.account(PROD, f"analytics/{name}", "analytics")
    made.role("gitlab-runner", admits(TOOLS, f"{SA}gitlab:runner"), attached=(ADMIN,), wrong={
        "administrator-role": "high: attach what the jobs need",
    })  # fmt: skip
    made.account(TOOLS, "gitlab/runner", "gitlab-runner")
    terraform = {"p": policy(allow("iam:PutRolePolicy", "iam:CreateRole"), allow("sts:AssumeRole"))}
    made.role("atlantis", admits(TOOLS, f"{SA}atlantis:atlantis"), inline=terraform, wrong={
        "can-become-administrator": "high: limit it to roles with a boundary",
    })  # fmt: skip
    made.account(TOOLS, "atlantis/atlantis", "atlantis")
    several = [f"{SA}{team}:reader" for team in TEAMS]
    made.role("reader", admits(PROD, several), attached=(S3_READER,), wrong={
        "reads-all-data": "medium: create a role for each team",
    })  # fmt: skip
    for team in TEAMS:
        made.account(PROD, f"{team}/reader", "reader")
    made.role("frontend", admits(PROD, f"{SA}frontend:default"), inline=_of_app("frontend/x"), wrong={
        "default-service-account": "medium: create a ServiceAccount for it",
    })  # fmt: skip
    made.account(PROD, "frontend/default", "frontend")
    made.role("batch", admits(PROD, f"{SA}batch:batch"), service("ec2"), inline=_of_app("batch/x"), wrong={
        "other-services": "medium: create a role for the instances",
    })  # fmt: skip
    made.account(PROD, "batch/batch", "batch")
    both = [admits(PROD, f"{SA}pricing:pricing"), admits(STAGING, f"{SA}pricing:pricing")]
    made.role("pricing", *both, inline=_of_app("pricing/x"), wrong={
        "several-stages": "medium: create a role for each stage",
    })  # fmt: skip
    for cluster in (PROD, STAGING):
        made.account(cluster, "pricing/pricing", "pricing")
    made.rbac[TOOLS]["RoleBinding"].append(_binding("jobs", "edit", "Group", "developers", "gitlab"))
    made.defects.append(
        Defect("powerful-service-account", "Group developers of cluster platform-tools", "unbind it", "high")
    )
    made.rbac[STAGING]["RoleBinding"].append(
        _binding("all", "edit", "Group", "system:authenticated", "search")
    )
    made.defects.append(
        Defect("everybody-may-become", "RoleBinding search/all of cluster shop-staging", "unbind it", "high")
    )
    made.role("audit-log", admits(PROD, f"{SA}payments:auditor"), inline=_of_app("audit/x"))
    made.account(PROD, "payments/auditor", wrong={
        "admitted-not-annotated": "medium: annotate it, or remove it from the trust policy",
    })  # fmt: skip


def _leftovers(made: Realistic) -> None:
    """What nobody removed: roles without a use, of a deleted namespace and of a deleted cluster."""
    for place, days in enumerate((100, 150, 200, 300, None, None)):
        last = None if days is None else NOW - timedelta(days=days)
        name = f"retired-{place}"
        made.role(name, admits(PROD, f"{SA}retired:{name}"), inline=_of_app(name), last_used=last,
                  created=NOW - timedelta(days=700), wrong={"unused-role": "low: delete it"})  # fmt: skip
        made.account(PROD, f"retired/{name}", name, pods=0)
    for name in ("cart", "wishlist", "coupons"):
        made.role(f"beta-{name}", admits(PROD, f"{SA}beta:{name}"), inline=_of_app(f"beta/{name}"), wrong={
            "subject-gone": "medium: delete the role, its namespace is gone",
        })  # fmt: skip
    for name in ("api", "worker", "web", "jobs"):
        made.role(f"{DEAD}-{name}", admits(DEAD, f"{SA}orders:{name}"), inline=_of_app(f"old/{name}"), wrong={
            "dead-issuer": "low: delete the role, its cluster is gone",
        })  # fmt: skip
    made.defects.append(
        Defect("provider-without-cluster", f"OIDC provider {provider_of(DEAD)}", "delete it", "low")
    )
