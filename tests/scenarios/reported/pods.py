"""Reported failures inside of pods: variables, files, SDKs, network, and what applications do."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.reported.cases import HINT, OUTSIDE, reported
from tests.scenarios.reported.world import TOKEN_FILE, World

BY_NODE = "the node's role is denied, though the variables are there"
TWICE = "assumed-role/ROLE is not authorized to perform: sts:AssumeRole on resource: ROLE"
TIMEOUT = 'Post "https://sts.amazonaws.com/": dial tcp: i/o timeout'
UNREADABLE = f"open {TOKEN_FILE}: permission denied"


@reported(
    "camunda/camunda-docs/issues/9134",
    "the operations are done as an IAM user",
    "static keys in the environment go before the web identity",
    "pod-static-credentials",
)
def keys_in_the_environment(world: World) -> None:
    world.with_env(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x")


@reported(
    "deployKF/deployKF/issues/79",
    "the bucket is asked with other credentials than the role's",
    "the chart puts keys from a Secret into the environment",
    "pod-static-credentials",
)
def keys_from_a_secret(world: World) -> None:
    key = {"secretKeyRef": {"name": "bucket", "key": "accesskey"}}
    world.new_pod(container={"env": [{"name": "AWS_ACCESS_KEY_ID", "valueFrom": key}]})


@reported(
    "velero-io/velero/issues/8240",
    "another role than that of the ServiceAccount is used",
    "a Secret is mounted as credentials file, and the SDK is configured to use it",
    "pod-credentials-file",
    "pod-static-credentials",
    "pod-profile",
    score=HINT,
)
def credentials_file_of_a_secret(world: World) -> None:
    world.new_pod(
        container={
            "env": [{"name": "AWS_SHARED_CREDENTIALS_FILE", "value": "/credentials/cloud"}],
            "volumeMounts": [{"name": "cloud-credentials", "mountPath": "/credentials"}],
        },
        volumes=[{"name": "cloud-credentials", "secret": {"secretName": "cloud-credentials"}}],
    )


@reported(
    "runatlantis/atlantis/issues/6556",
    "the role of the profile can't be assumed",
    "AWS_PROFILE names a profile that does not begin with the web identity",
    "pod-profile",
    "pod-static-credentials",
    score=HINT,
)
def profile_in_the_environment(world: World) -> None:
    world.with_env(AWS_PROFILE="dev")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/82",
    "the token is not mounted; other pods of the ServiceAccount have it",
    "the template sets both variables itself, so that the webhook adds no mount",
    "pod-token-volume",
)
def both_variables_in_the_template(world: World) -> None:
    # With all that it would set already there the webhook leaves the container alone.
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), world.stage.region)
    identity = {"AWS_ROLE_ARN": world.role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE}
    world.with_env(**identity, **region, AWS_STS_REGIONAL_ENDPOINTS="regional")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/61",
    "the variables are there only in part",
    "the template sets one of them",
    "pod-env-partial",
)
def one_variable_in_the_template(world: World) -> None:
    world.with_env(AWS_ROLE_ARN=world.role_arn)


def _old_cluster(world: World, user: int) -> None:
    world.version("1.18")
    world.new_pod(securityContext={"runAsUser": user})


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/8",
    UNREADABLE,
    "before Kubernetes 1.19 only root may read the token",
    "pod-token-unreadable",
)
def token_for_root_only(world: World) -> None:
    _old_cluster(world, 65534)


@reported(
    "argoproj/argo-workflows/pull/6406",
    UNREADABLE,
    "before Kubernetes 1.19 only root may read the token",
    "pod-token-unreadable",
)
def server_that_is_not_root(world: World) -> None:
    _old_cluster(world, 8737)


@reported(
    "kubernetes-sigs/external-dns/pull/1185",
    UNREADABLE,
    "the image's user is not root, and nothing in the pod says so",
    "pod-token-unreadable",
    score=HINT,
)
def image_that_is_not_root(world: World) -> None:
    world.version("1.14")
    world.new_pod()


@reported(
    "activeloopai/deeplake/issues/3161",
    BY_NODE,
    "the library does not know web identities",
    "sts-never-asked",
    score=HINT,
)
def library_without_web_identity(world: World) -> None:
    world.with_env(APP="deeplake")
    world.for_hours()


@reported(
    "fluent/fluent-bit/issues/2714",
    BY_NODE,
    "the plug-in builds a chain of its own that leaves web identities out",
    "sts-never-asked",
    score=HINT,
)
def plugin_with_a_chain_of_its_own(world: World) -> None:
    world.new_pod(image="fluent/fluent-bit:1.6")
    world.for_hours()


@reported(
    "external-secrets/kubernetes-external-secrets/issues/452",
    BY_NODE,
    "the new version took its support for web identities out",
    "sts-never-asked",
    score=HINT,
)
def version_that_dropped_web_identities(world: World) -> None:
    world.new_pod(image="godaddy/kubernetes-external-secrets:5.2.0")
    world.for_hours()


@reported(
    "okigan/awscurl/issues/122",
    "ProfileNotFound: The config profile (default) could not be found",
    "the tool asks for a profile before the default chain",
    "sts-never-asked",
    score=HINT,
)
def tool_that_asks_for_a_profile(world: World) -> None:
    world.new_pod(image="okigan/awscurl:0.22")
    world.for_hours()


@reported(
    "cert-manager/cert-manager/issues/5893",
    TWICE,
    "the issuer, a custom resource, names the role that the pod has already",
    "pod-role-twice",
    score=OUTSIDE,
    outside=True,
)
def role_in_a_custom_resource(world: World) -> None:
    world.exchange()


@reported(
    "fluent/fluent-bit/issues/8278",
    TWICE,
    "the ConfigMap's output names the role that the pod has already",
    "pod-role-twice",
    score=OUTSIDE,
    outside=True,
)
def role_in_a_config_map(world: World) -> None:
    world.exchange()
    world.new_pod(
        container={"volumeMounts": [{"name": "config", "mountPath": "/fluent-bit/etc"}]},
        volumes=[{"name": "config", "configMap": {"name": "fluent-bit"}}],
    )


@reported(
    "cert-manager/cert-manager/issues/4053",
    TWICE,
    "an argument names the role that the pod has already",
    "pod-role-twice",
    score=HINT,
)
def role_in_an_argument(world: World) -> None:
    world.new_pod(container={"args": [f"--role={world.role_arn}"]})
    world.exchange()


@reported(
    "cube-js/cube/issues/11622",
    "ExpiredToken after an hour",
    "the application keeps the credentials of its first exchange",
    "token-expired",
    score=OUTSIDE,
    outside=True,
)
def credentials_kept_by_the_application(world: World) -> None:
    world.exchange()


@reported(
    "DoD-Platform-One/bigbang/issues/39",
    "the bucket can't be read, though the ServiceAccount is right",
    "with an endpoint in its settings the application wants keys",
    "sts-never-asked",
    score=HINT,
)
def application_that_wants_keys(world: World) -> None:
    world.new_pod(image="grafana/loki:2.9.2")
    world.for_hours()


@reported(
    "istio/istio/issues/55921",
    "Connect to sts.REGION.amazonaws.com:443 failed: connection refused, now and then",
    "the application asks before its sidecar lets anything out",
    "pod-mesh",
    score=HINT,
)
def sidecar_that_is_not_ready(world: World) -> None:
    containers = [{"name": "app", "image": "app:1"}, {"name": "istio-proxy", "image": "istio/proxyv2:1.24.2"}]
    world.new_pod(containers=containers)


@reported(
    "aws/containers-roadmap/issues/586",
    TIMEOUT,
    "the pods ask the global endpoint, which the VPC's endpoint does not serve",
    "sts-global-endpoint",
    score=HINT,
)
def global_endpoint_by_annotation(world: World) -> None:
    world.endpoint()
    world.annotate("false", "eks.amazonaws.com/sts-regional-endpoints")
    world.new_pod()


@reported(
    "boto/boto3/issues/2258",
    TIMEOUT,
    "the old SDK calls the global endpoint, whatever its configuration",
    "sts-global-endpoint",
    score=HINT,
)
def global_endpoint_of_an_old_sdk(world: World) -> None:
    world.endpoint()
    world.new_pod(image="python:3.7")
    world.for_hours()


@reported(
    "aws-controllers-k8s/community/issues/1040",
    TIMEOUT,
    "the controller sets its region too late for the variable to be heeded",
    "sts-global-endpoint",
    score=HINT,
)
def variable_that_is_not_heeded(world: World) -> None:
    world.endpoint()
    world.new_pod(
        container={
            "image": "public.ecr.aws/aws-controllers-k8s/sagemaker-controller:v0.2.2",
            "env": [{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"}],
        }
    )
    world.for_hours()


@reported(
    "crossplane-contrib/provider-aws/issues/2005",
    "lookup sts..amazonaws.com: no such host",
    "the container knows no region",
    "pod-region",
    score=HINT,
)
def container_without_a_region(world: World) -> None:
    spec = world.injected_by_hand()
    spec["container"]["env"] = [item for item in spec["container"]["env"] if item["name"] != "AWS_REGION"]
    world.new_pod(metadata={"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}}, **spec)


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/232",
    "InvalidIdentityToken, of one pod",
    "there is no token in the token's file",
    "token-malformed",
    score=HINT,
)
def file_without_a_token(world: World) -> None:
    world.refused("InvalidIdentityToken", "The ID Token provided is not a valid JWT")


@reported(
    "external-secrets/kubernetes-external-secrets/issues/442",
    "AccessDenied for a role of another account",
    "the application asks for another role with its web identity, which that does not trust",
    score=OUTSIDE,
    outside=True,
)
def other_role_in_a_custom_resource(world: World) -> None:
    # CloudTrail of the other account has it.
    world.refused("AccessDenied", role="arn:aws:iam::444455556666:role/secret-reader")


@reported(
    "terraform-aws-modules/terraform-aws-iam/pull/388",
    "access denied by the server while mounting, with the right role",
    "the role's policy lacks what mounting needs",
    "role-without-permissions",
    score=OUTSIDE,
    outside=True,
)
def policy_that_lacks_an_action(world: World) -> None:
    world.exchange()
    assert world.account["metadata"]["name"] == NAME
