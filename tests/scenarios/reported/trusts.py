"""Reported failures in trust policies, roles and providers."""

from __future__ import annotations

from irsa_cli.sandbox import Fault
from tests.scenarios.breaking import STS
from tests.scenarios.reported.cases import AMONG, HINT, UNTOLD, reported
from tests.scenarios.reported.world import OLD_ID, World
from tests.support.stage import ROLE_ARN

GITHUB = "https://github.com"
DENIED = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
NO_PROVIDER = "InvalidIdentityToken: No OpenIDConnect provider found in your account"


@reported(
    "crossplane/crossplane/issues/5578",
    DENIED,
    "the subject ends with a wildcard, under StringEquals",
    "trust-wildcard",
)
def wildcard_of_a_provider_family_under_string_equals(world: World) -> None:
    world.values(sub=world.subject_of("doctor-*"))


@reported(
    "CircleCI-Public/server-terraform/issues/291",
    DENIED,
    "the subject is a whole namespace by wildcard, under StringEquals",
    "trust-wildcard",
)
def namespace_wildcard_under_string_equals(world: World) -> None:
    world.values(sub=world.subject_of("*"))


@reported(
    "terraform-aws-modules/terraform-aws-iam/issues/486",
    DENIED,
    "the module writes a wildcard subject under StringEquals unless told otherwise",
    "trust-wildcard",
)
def module_writes_a_wildcard_under_string_equals(world: World) -> None:
    world.values(sub="system:serviceaccount:*:doctor-reader")


@reported(
    "external-secrets/kubernetes-external-secrets/issues/287",
    f"{DENIED}; the role was never used",
    "the subject stands under the key that ends with :aud",
    "trust-key",
)
def subject_under_the_audience_key(world: World) -> None:
    world.conditions(StringEquals={"aud": world.subject})


@reported(
    "kubernetes/autoscaler/issues/4922",
    DENIED,
    "the trust policy was copied from another application, whose ServiceAccount it names",
    "trust-subject",
)
def trust_copied_from_another_application(world: World) -> None:
    world.values(sub=world.subject_of("aws-load-balancer-controller"))


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/801",
    DENIED,
    "the chart was installed in another namespace than the one that the role trusts",
    "trust-subject",
)
def chart_in_another_namespace(world: World) -> None:
    world.values(sub="system:serviceaccount:kube-system:doctor-reader")


@reported(
    "jenkins-x/terraform-aws-eks-jx/pull/301",
    "the pod can't assume the role of its ServiceAccount",
    "the role's module still names the namespace of an earlier version",
    "trust-subject",
)
def namespace_moved_by_a_new_version(world: World) -> None:
    world.values(sub="system:serviceaccount:jx:doctor-reader")


@reported(
    "terraform-aws-modules/terraform-aws-eks/pull/1090",
    DENIED,
    "the new chart calls its ServiceAccount otherwise than the one that the role trusts",
    "trust-subject",
    "trust-generated-name",
)
def chart_renamed_its_service_account(world: World) -> str:
    name = "autoscaler-aws-cluster-autoscaler-chart"
    world.values(sub=world.subject_of("autoscaler-aws-cluster-autoscaler"))
    world.replaced_by(name, **world.annotated())
    world.pod(f"{name}-0", name)
    return name


@reported(
    "awslabs/data-on-eks/issues/338",
    DENIED,
    "the role trusts a name without the cluster's prefix that the ServiceAccount has",
    "trust-subject",
)
def name_without_the_prefix_in_the_trust(world: World) -> None:
    world.values(sub=world.subject_of("reader"))


@reported(
    "aws/karpenter-provider-aws/issues/1421",
    "the installation times out, the controller gets no credentials",
    "the role was created for CLUSTER-NAME, the chart's ServiceAccount is called NAME",
    "trust-subject",
)
def prefixed_name_in_the_trust(world: World) -> None:
    world.values(sub=world.subject_of("demo-doctor-reader"))


@reported(
    "aws/karpenter-provider-aws/issues/1595",
    "WebIdentityErr: failed to retrieve credentials, where the release has another name",
    "the chart names its ServiceAccount after the release, the role trusts the default name",
    "trust-subject",
)
def release_of_another_name(world: World) -> str:
    world.replaced_by("my-doctor-reader", **world.annotated())
    world.pod("my-doctor-reader-0", "my-doctor-reader")
    return "my-doctor-reader"


@reported(
    "ministryofjustice/modernisation-platform/issues/3909",
    f"{DENIED}; CloudTrail showed the real subject",
    "the trust policy names another subject than the token has",
    "trust-subject",
)
def subject_that_only_cloudtrail_showed(world: World) -> None:
    world.values(sub="system:serviceaccount:default:doctor-reader")
    world.exchange()


@reported(
    "cloudnative-pg/cloudnative-pg/issues/2541",
    DENIED,
    "the operator names the ServiceAccount after the database cluster, the role trusts another",
    "trust-subject",
)
def name_given_by_an_operator(world: World) -> None:
    world.values(sub=world.subject_of("postgres"))


@reported(
    "crossplane/crossplane/issues/2454",
    f"{DENIED} after an upgrade",
    "the package manager gives the ServiceAccount a new name with each revision",
    "trust-generated-name",
)
def name_generated_by_each_revision(world: World) -> str:
    name = "provider-aws-7f8d9c5b6"
    world.values(sub=world.subject_of("provider-aws-5d4f7c9b8"))
    world.account_named(name, **world.annotated())
    world.no_pod()
    world.pod("provider-aws-0", name)
    return name


@reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1935",
    DENIED,
    "the role trusts EC2 only",
    "trust-principal",
)
def role_made_for_instances(world: World) -> None:
    world.trust(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole", Condition=None)


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/30",
    DENIED,
    "region and eks are the wrong way round in the provider's ARN",
    "trust-provider-arn",
)
def host_of_the_issuer_transposed(world: World) -> None:
    wrong = world.provider.replace("oidc.eks.eu-west-1.", "oidc.eu-west-1.eks.")
    world.trust(Principal={"Federated": wrong})


@reported(
    "aws/karpenter-provider-aws/issues/1313",
    f"{DENIED} in one of two clusters",
    "one statement asks for the subject of both clusters' issuers; each wants its own",
    "trust-key",
    "trust-condition",
)
def one_statement_for_two_clusters(world: World) -> None:
    other = world.other_issuer
    keys = {f"{prefix}:sub": world.subject for prefix in (world.prefix, other)}
    providers = [world.provider, f"{world.provider[:-32]}{OLD_ID}"]
    world.trust(Principal={"Federated": providers}, Condition={"StringEquals": keys})


@reported(
    "aws/containers-roadmap/issues/1579",
    f"{DENIED} after the cluster was created again",
    "the role trusts the issuer of the cluster that is gone",
    "trust-old-cluster",
)
def cluster_made_anew(world: World) -> None:
    world.trust(**world.of_issuer(OLD_ID))


@reported(
    "aws/containers-roadmap/issues/1408",
    f"{DENIED} in the new cluster of a blue-green change",
    "the role trusts the other cluster, which is still there",
    "trust-other-cluster",
)
def blue_green_change(world: World) -> None:
    world.make_provider(world.other_issuer)
    world.trust(**world.of_issuer(OLD_ID))


@reported(
    "kubeflow/kubeflow/issues/6687",
    "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048; new profiles get no access",
    "the trust policy is full, so that the subject was never added",
    "trust-quota",
    "trust-subject",
)
def no_room_in_the_trust(world: World) -> None:
    others = [f"system:serviceaccount:a:{number:040}" for number in range(24)]
    world.conditions(StringEquals={"sub": others, "aud": STS})


@reported(
    "aws-samples/resource-control-policy-examples/issues/5",
    DENIED,
    "a resource control policy of the organization denies the exchange",
    "organization-policy",
    "sts-refused",
    score=HINT,
)
def denied_by_the_organization(world: World) -> None:
    world.refused("AccessDenied")


@reported(
    "hashicorp/terraform-provider-aws/issues/6566",
    f"{DENIED} for some seconds after the role was created",
    "IAM had not propagated the role everywhere yet",
    "role-new",
    "sts-refused",
    score=HINT,
)
def role_just_made(world: World) -> None:
    world.refused("AccessDenied")


@reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1226",
    NO_PROVIDER,
    "the account has no OIDC provider for the cluster",
    "provider-missing",
)
def provider_never_made(world: World) -> None:
    world.no_provider()


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/965",
    NO_PROVIDER,
    "the module did not create the provider; by hand it worked",
    "provider-missing",
)
def provider_not_made_by_the_module(world: World) -> None:
    world.no_provider()
    world.make_provider(world.other_issuer)


@reported(
    "aws-samples/aws-secret-sidecar-injector/issues/30",
    "the injected init container: No OpenIDConnect provider found",
    "the account has no OIDC provider for the cluster",
    "provider-missing",
)
def init_container_without_a_provider(world: World) -> None:
    world.no_provider()
    world.new_pod(initContainers=[{"name": "secrets", "image": "secret-sidecar:v0.1"}])


@reported(
    "rancher/eks-operator/issues/2284",
    NO_PROVIDER,
    "the provider was created for the issuer's dual-stack name",
    "provider-url",
)
def provider_of_the_dual_stack_name(world: World) -> None:
    world.no_provider()
    world.make_provider(world.prefix.replace("oidc.", "oidc-", 1).replace(".amazonaws.com/", ".api.aws/"))


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/3237",
    DENIED,
    "provider and trust policy were written with the issuer's dual-stack name",
    "provider-url",
)
def everything_by_the_dual_stack_name(world: World) -> None:
    other = world.prefix.replace("oidc.", "oidc-", 1).replace(".amazonaws.com/", ".api.aws/")
    provider_of_the_dual_stack_name(world)
    keys = {f"{other}:sub": world.subject, f"{other}:aud": STS}
    federated = world.provider.replace(world.prefix, other)
    world.trust(Principal={"Federated": federated}, Condition={"StringEquals": keys})


@reported(
    "eksctl-io/eksctl/issues/4513",
    "LimitExceeded: Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100",
    "the account is full of providers, so that the cluster has none",
    "provider-quota",
    score=AMONG,
)
def no_room_for_a_provider(world: World) -> None:
    world.no_provider()
    for number in range(100):
        world.make_provider(f"issuer.example/{number}")


@reported(
    "awslabs/amazon-eks-irsa-cfn/pull/18",
    "InvalidIdentityToken: Incorrect token audience",
    "the provider was created for sts.amazon.com",
    "provider-audience",
)
def audience_without_aws(world: World) -> None:
    world.no_provider()
    world.make_provider("", "sts.amazon.com")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/24",
    "no OIDC provider is found, for a role in another account",
    "the issuer has no provider in the role's account",
    "provider-account",
)
def role_elsewhere_without_a_provider(world: World) -> str:
    reader = world.role_elsewhere()
    return f"doctor-reader --iam-assume-role {reader}"


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/39",
    "the same; the other account's IAM can't be read",
    "the issuer has no provider in the role's account",
    score=UNTOLD,
)
def role_elsewhere_that_nobody_reads(world: World) -> None:
    world.role_elsewhere()


@reported(
    "awslabs/aws-sdk-rust/issues/827",
    "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
    "the issuer's documents don't answer",
    "issuer-documents",
)
def issuer_that_does_not_answer(world: World) -> None:
    world.stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))


@reported(
    "turbot/steampipe-plugin-aws/issues/1510",
    "RegionDisabledException: STS is not activated in this region for account",
    "STS is not active in that region",
    "sts-region",
)
def sts_not_active_in_the_region(world: World) -> None:
    world.refused("RegionDisabledException")


@reported(
    "fluxcd/source-controller/pull/1552",
    "No OpenIDConnect provider found, at the endpoint of a region that is not active",
    "STS is not active in that region, and says something else",
    "sts-region",
    score=HINT,
)
def sts_not_active_that_says_something_else(world: World) -> None:
    world.refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account")


@reported(
    "apache/datafusion-comet/issues/6024",
    "IDPCommunicationError in hundreds of executors, then the node's role",
    "STS can't reach the issuer in time at that rate",
    "sts-throttled",
)
def hundreds_of_executors(world: World) -> None:
    world.refused("IDPCommunicationError")


@reported(
    "fluxcd/source-controller/issues/938",
    "Throttling: Rate exceeded, of AssumeRoleWithWebIdentity",
    "the application exchanges its token for each request",
    "sts-throttled",
)
def exchange_for_each_request(world: World) -> None:
    world.refused("ThrottlingException")


@reported(
    "awslabs/aws-orbit-workbench/issues/708",
    "ExpiredTokenException: Token expired, of AssumeRoleWithWebIdentity",
    "the application keeps the token that it read at its start",
    "token-expired",
)
def token_kept_for_days(world: World) -> None:
    world.refused("ExpiredTokenException")


@reported(
    "eksctl-io/eksctl/issues/3645",
    "the pods ask for a role that was replaced",
    "the annotation still has the old role; a new one exists",
    "annotation-other-role",
    "role-missing",
)
def annotation_of_the_replaced_role(world: World) -> None:
    world.annotate(f"{world.role_arn}-630H9YOYTW")
    world.new_pod()


@reported(
    "kubernetes-sigs/aws-ebs-csi-driver/issues/1449",
    "UnauthorizedOperation: the volume can't be created",
    "the annotation has the ARN of a policy",
    "annotation-arn",
)
def policy_in_the_annotation(world: World) -> None:
    world.annotate("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy")
    world.new_pod()


@reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1353",
    "WebIdentityErr: failed to retrieve credentials",
    "the ARN in the annotation lacks a letter",
    "annotation-arn",
)
def arn_without_a_letter(world: World) -> None:
    world.annotate(world.role_arn.replace("arn:", "an:", 1), ROLE_ARN)
    world.new_pod()
