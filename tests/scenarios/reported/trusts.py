"""Reported failures in trust policies, roles and providers."""

from __future__ import annotations

import json

from tests.scenarios.breaking import STS
from tests.scenarios.breaks import (
    OLD,
    TRUSTS_OLD,
    anew,
    condition,
    issuer_that_refuses_everybody,
    no_provider,
    provider,
    provider_of_the_dual_stack_alias,
    role_of,
    trust,
)
from tests.scenarios.breaks import pod as new_pod
from tests.scenarios.doctoring import move_role_to
from tests.scenarios.reported.cases import AMONG, HINT, UNTOLD, reported
from tests.scenarios.reported.words import SA, each, elsewhere, exchange, instead, refused, sub
from tests.scenarios.reported.world import World
from tests.scenarios.uncreating import no_pod

DENIED = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
NO_PROVIDER = "InvalidIdentityToken: No OpenIDConnect provider found in your account"
EC2 = '{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole", "Condition": null}'
BOTH_IN_ONE = (
    f'{{"Principal": {{"Federated": ["$providers/$prefix", "$providers/{OLD}"]}},'
    f' "Condition": {{"StringEquals": {{"$prefix:sub": "$subject", "{OLD}:sub": "$subject"}}}}}}'
)
FULL = {"StringEquals": {"sub": [f"{SA}a:{number:040}" for number in range(24)], "aud": STS}}
GENERATED = "provider-aws-7f8d9c5b6"


def transposed(world: World) -> None:
    wrong = world.provider.replace("oidc.eks.eu-west-1.", "oidc.eu-west-1.eks.")
    world.trust(Principal={"Federated": wrong})


def generated_anew(world: World) -> str:
    sub("$ns:provider-aws-5d4f7c9b8")(world)
    world.account_named(GENERATED, **world.annotated())
    no_pod(world)
    world.pod("provider-aws-0", GENERATED)
    return GENERATED


def all_by_the_dual_stack_alias(world: World) -> None:
    alias = world.prefix.replace("oidc.", "oidc-", 1).replace(".amazonaws.com/", ".api.aws/")
    provider_of_the_dual_stack_alias(world)
    keys = {f"{alias}:sub": world.subject, f"{alias}:aud": STS}
    federated = world.provider.replace(world.prefix, alias)
    world.trust(Principal={"Federated": federated}, Condition={"StringEquals": keys})


def no_room_for_a_provider(world: World) -> None:
    no_provider(world)
    for number in range(100):
        world.make_provider(f"issuer.example/{number}")


def elsewhere_and_read(world: World) -> str:
    return f"doctor-reader --iam-assume-role {move_role_to(world)}"


reported(
    "crossplane/crossplane/issues/5578",
    DENIED,
    "the subject ends with a wildcard, under StringEquals",
    "trust-wildcard",
    sub("$ns:doctor-*"),
)
reported(
    "CircleCI-Public/server-terraform/issues/291",
    DENIED,
    "the subject is a whole namespace by wildcard, under StringEquals",
    "trust-wildcard",
    sub("$ns:*"),
)
reported(
    "terraform-aws-modules/terraform-aws-iam/issues/486",
    DENIED,
    "the module writes a wildcard subject under StringEquals unless told otherwise",
    "trust-wildcard",
    sub("*:doctor-reader"),
)
reported(
    "external-secrets/kubernetes-external-secrets/issues/287",
    "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity; the role was never used",
    "the subject stands under the key that ends with :aud",
    "trust-key",
    condition('{"StringEquals": {"aud": "$subject"}}'),
)
reported(
    "kubernetes/autoscaler/issues/4922",
    DENIED,
    "the trust policy was copied from another application, whose ServiceAccount it names",
    "trust-subject",
    sub("$ns:aws-load-balancer-controller"),
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/801",
    DENIED,
    "the chart was installed in another namespace than the one that the role trusts",
    "trust-subject",
    sub("kube-system:doctor-reader"),
)
reported(
    "jenkins-x/terraform-aws-eks-jx/pull/301",
    "the pod can't assume the role of its ServiceAccount",
    "the role's module still names the namespace of an earlier version",
    "trust-subject",
    sub("jx:doctor-reader"),
)
reported(
    "terraform-aws-modules/terraform-aws-eks/pull/1090",
    DENIED,
    "the new chart calls its ServiceAccount otherwise than the one that the role trusts",
    "trust-subject trust-generated-name",
    each(
        sub("$ns:autoscaler-aws-cluster-autoscaler"),
        instead("autoscaler-aws-cluster-autoscaler-chart", "$role"),
    ),
)
reported(
    "awslabs/data-on-eks/issues/338",
    DENIED,
    "the role trusts a name without the cluster's prefix that the ServiceAccount has",
    "trust-subject",
    sub("$ns:reader"),
)
reported(
    "aws/karpenter-provider-aws/issues/1421",
    "the installation times out, the controller gets no credentials",
    "the role was created for CLUSTER-NAME, the chart's ServiceAccount is called NAME",
    "trust-subject",
    sub("$ns:demo-doctor-reader"),
)
reported(
    "aws/karpenter-provider-aws/issues/1595",
    "WebIdentityErr: failed to retrieve credentials, where the release has another name",
    "the chart names its ServiceAccount after the release, the role trusts the default name",
    "trust-subject",
    instead("my-doctor-reader", "$role"),
)
reported(
    "ministryofjustice/modernisation-platform/issues/3909",
    (
        "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity; CloudTrail showed "
        "the real subject"
    ),
    "the trust policy names another subject than the token has",
    "trust-subject",
    each(sub("default:doctor-reader"), exchange),
)
reported(
    "cloudnative-pg/cloudnative-pg/issues/2541",
    DENIED,
    "the operator names the ServiceAccount after the database cluster, the role trusts another",
    "trust-subject",
    sub("$ns:postgres"),
)
reported(
    "crossplane/crossplane/issues/2454",
    "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity after an upgrade",
    "the package manager gives the ServiceAccount a new name with each revision",
    "trust-generated-name",
    generated_anew,
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1935",
    DENIED,
    "the role trusts EC2 only",
    "trust-principal",
    trust(EC2),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/30",
    DENIED,
    "region and eks are the wrong way round in the provider's ARN",
    "trust-provider-arn",
    transposed,
)
reported(
    "aws/karpenter-provider-aws/issues/1313",
    "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity in one of two clusters",
    "one statement asks for the subject of both clusters' issuers; each wants its own",
    "trust-key trust-condition",
    trust(BOTH_IN_ONE),
)
reported(
    "aws/containers-roadmap/issues/1579",
    (
        "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity after the cluster "
        "was created again"
    ),
    "the role trusts the issuer of the cluster that is gone",
    "trust-old-cluster",
    trust(TRUSTS_OLD),
)
reported(
    "aws/containers-roadmap/issues/1408",
    (
        "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity in the new cluster of a "
        "blue-green change"
    ),
    "the role trusts the other cluster, which is still there",
    "trust-other-cluster",
    each(provider(f"https://{OLD}"), trust(TRUSTS_OLD)),
)
reported(
    "kubeflow/kubeflow/issues/6687",
    "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048; new profiles get no access",
    "the trust policy is full, so that the subject was never added",
    "trust-quota trust-subject",
    condition(json.dumps(FULL)),
)
reported(
    "aws-samples/resource-control-policy-examples/issues/5",
    DENIED,
    "a resource control policy of the organization denies the exchange",
    "organization-policy sts-refused",
    refused("AccessDenied"),
    HINT,
)
reported(
    "hashicorp/terraform-provider-aws/issues/6566",
    (
        "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity for some seconds after "
        "the role was created"
    ),
    "IAM had not propagated the role everywhere yet",
    "role-new sts-refused",
    refused("AccessDenied"),
    HINT,
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1226",
    NO_PROVIDER,
    "the account has no OIDC provider for the cluster",
    "provider-missing",
    no_provider,
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/965",
    NO_PROVIDER,
    "the module did not create the provider; by hand it worked",
    "provider-missing",
    each(no_provider, provider(f"https://{OLD}")),
)
reported(
    "aws-samples/aws-secret-sidecar-injector/issues/30",
    "the injected init container: No OpenIDConnect provider found",
    "the account has no OIDC provider for the cluster",
    "provider-missing",
    each(
        no_provider,
        new_pod('{"initContainers": [{"name": "secrets", "image": "secret-sidecar:v0.1"}]}'),
    ),
)
reported(
    "rancher/eks-operator/issues/2284",
    NO_PROVIDER,
    "the provider was created for the issuer's dual-stack name",
    "provider-url",
    provider_of_the_dual_stack_alias,
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/3237",
    DENIED,
    "provider and trust policy were written with the issuer's dual-stack name",
    "provider-url",
    all_by_the_dual_stack_alias,
)
reported(
    "eksctl-io/eksctl/issues/4513",
    "LimitExceeded: Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100",
    "the account is full of providers, so that the cluster has none",
    "provider-quota",
    no_room_for_a_provider,
    AMONG,
)
reported(
    "awslabs/amazon-eks-irsa-cfn/pull/18",
    "InvalidIdentityToken: Incorrect token audience",
    "the provider was created for sts.amazon.com",
    "provider-audience",
    each(no_provider, provider("https://$prefix", "sts.amazon.com")),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/24",
    "no OIDC provider is found, for a role in another account",
    "the issuer has no provider in the role's account",
    "provider-account",
    elsewhere_and_read,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/39",
    "the same; the other account's IAM can't be read",
    "the issuer has no provider in the role's account",
    "",
    elsewhere,
    UNTOLD,
)
reported(
    "awslabs/aws-sdk-rust/issues/827",
    "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
    "the issuer's documents don't answer",
    "issuer-documents",
    issuer_that_refuses_everybody,
)
reported(
    "turbot/steampipe-plugin-aws/issues/1510",
    "RegionDisabledException: STS is not activated in this region for account",
    "STS is not active in that region",
    "sts-region",
    refused("RegionDisabledException"),
)
reported(
    "fluxcd/source-controller/pull/1552",
    "No OpenIDConnect provider found, at the endpoint of a region that is not active",
    "STS is not active in that region, and says something else",
    "sts-region",
    refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account"),
    HINT,
)
reported(
    "apache/datafusion-comet/issues/6024",
    "IDPCommunicationError in hundreds of executors, then the node's role",
    "STS can't reach the issuer in time at that rate",
    "sts-throttled",
    refused("IDPCommunicationError"),
)
reported(
    "fluxcd/source-controller/issues/938",
    "Throttling: Rate exceeded, of AssumeRoleWithWebIdentity",
    "the application exchanges its token for each request",
    "sts-throttled",
    refused("ThrottlingException"),
)
reported(
    "awslabs/aws-orbit-workbench/issues/708",
    "ExpiredTokenException: Token expired, of AssumeRoleWithWebIdentity",
    "the application keeps the token that it read at its start",
    "token-expired",
    refused("ExpiredTokenException"),
)
reported(
    "eksctl-io/eksctl/issues/3645",
    "the pods ask for a role that was replaced",
    "the annotation still has the old role; a new one exists",
    "annotation-other-role role-missing",
    anew("$role-630H9YOYTW"),
)
reported(
    "kubernetes-sigs/aws-ebs-csi-driver/issues/1449",
    "UnauthorizedOperation: the volume can't be created",
    "the annotation has the ARN of a policy",
    "annotation-arn",
    anew("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"),
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1353",
    "WebIdentityErr: failed to retrieve credentials",
    "the ARN in the annotation lacks a letter",
    "annotation-arn",
    role_of("arn:", "an:"),
)
