"""Reported failures inside of pods: variables, files, SDKs, network, and what applications do."""

from __future__ import annotations

from tests.scenarios.breaks import anew, env, pod
from tests.scenarios.reported.cases import HINT, OUTSIDE, reported
from tests.scenarios.reported.words import (
    each,
    endpoint,
    exchange,
    for_hours,
    image,
    refused,
    variables,
    version,
)
from tests.scenarios.reported.world import SKIP, TOKEN_FILE, World

BY_NODE = "the node's role is denied, though the variables are there"
TWICE = "assumed-role/ROLE is not authorized to perform: sts:AssumeRole on resource: ROLE"
TIMEOUT = 'Post "https://sts.amazonaws.com/": dial tcp: i/o timeout'
UNREADABLE = f"open {TOKEN_FILE}: permission denied"
# With all that it would set already there the webhook leaves the container alone.
WHOLE_TEMPLATE = {
    "AWS_ROLE_ARN": "$role",
    "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE,
    "AWS_REGION": "$region",
    "AWS_DEFAULT_REGION": "$region",
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
}
KEY_OF_A_SECRET = (
    '{"container": {"env": [{"name": "AWS_ACCESS_KEY_ID", "valueFrom":'
    ' {"secretKeyRef": {"name": "bucket", "key": "accesskey"}}}]}}'
)
MOUNTED_KEYS = (
    '{"container": {"env": [{"name": "AWS_SHARED_CREDENTIALS_FILE", "value": "/credentials/cloud"}],'
    ' "volumeMounts": [{"name": "cloud-credentials", "mountPath": "/credentials"}]},'
    ' "volumes": [{"name": "cloud-credentials", "secret": {"secretName": "cloud-credentials"}}]}'
)
MOUNTED_CONFIG = (
    '{"container": {"volumeMounts": [{"name": "config", "mountPath": "/fluent-bit/etc"}]},'
    ' "volumes": [{"name": "config", "configMap": {"name": "fluent-bit"}}]}'
)
MESH = (
    '{"containers": [{"name": "app", "image": "app:1"},'
    ' {"name": "istio-proxy", "image": "istio/proxyv2:1.24.2"}]}'
)
REGIONAL = (
    '{"container": {"image": "public.ecr.aws/aws-controllers-k8s/sagemaker-controller:v0.2.2",'
    ' "env": [{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"}]}}'
)


def container_without_a_region(world: World) -> None:
    spec = world.injected_by_hand()
    spec["container"]["env"].pop()
    world.new_pod(metadata={"labels": SKIP}, **spec)


reported(
    "camunda/camunda-docs/issues/9134",
    "the operations are done as an IAM user",
    "static keys in the environment go before the web identity",
    "pod-static-credentials",
    variables(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x"),
)
reported(
    "deployKF/deployKF/issues/79",
    "the bucket is asked with other credentials than the role's",
    "the chart puts keys from a Secret into the environment",
    "pod-static-credentials",
    pod(KEY_OF_A_SECRET),
)
reported(
    "velero-io/velero/issues/8240",
    "another role than that of the ServiceAccount is used",
    "a Secret is mounted as credentials file, and the SDK is configured to use it",
    "pod-credentials-file pod-static-credentials pod-profile",
    pod(MOUNTED_KEYS),
    HINT,
)
reported(
    "runatlantis/atlantis/issues/6556",
    "the role of the profile can't be assumed",
    "AWS_PROFILE names a profile that does not begin with the web identity",
    "pod-profile pod-static-credentials",
    env("AWS_PROFILE", "dev"),
    HINT,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/82",
    "the token is not mounted; other pods of the ServiceAccount have it",
    "the template sets both variables itself, so that the webhook adds no mount",
    "pod-token-volume",
    variables(**WHOLE_TEMPLATE),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/61",
    "the variables are there only in part",
    "the template sets one of them",
    "pod-env-partial",
    env("AWS_ROLE_ARN", "$role"),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/8",
    UNREADABLE,
    "before Kubernetes 1.19 only root may read the token",
    "pod-token-unreadable",
    each(version("1.18"), pod('{"securityContext": {"runAsUser": 65534}}')),
)
reported(
    "argoproj/argo-workflows/pull/6406",
    UNREADABLE,
    "before Kubernetes 1.19 only root may read the token",
    "pod-token-unreadable",
    each(version("1.18"), pod('{"securityContext": {"runAsUser": 8737}}')),
)
reported(
    "kubernetes-sigs/external-dns/pull/1185",
    UNREADABLE,
    "the image's user is not root, and nothing in the pod says so",
    "pod-token-unreadable",
    each(version("1.14"), pod()),
    HINT,
)
reported(
    "activeloopai/deeplake/issues/3161",
    BY_NODE,
    "the library does not know web identities",
    "sts-never-asked",
    each(env("APP", "deeplake"), for_hours),
    HINT,
)
reported(
    "fluent/fluent-bit/issues/2714",
    BY_NODE,
    "the plug-in builds a chain of its own that leaves web identities out",
    "sts-never-asked",
    each(image("fluent/fluent-bit:1.6"), for_hours),
    HINT,
)
reported(
    "external-secrets/kubernetes-external-secrets/issues/452",
    BY_NODE,
    "the new version took its support for web identities out",
    "sts-never-asked",
    each(image("godaddy/kubernetes-external-secrets:5.2.0"), for_hours),
    HINT,
)
reported(
    "okigan/awscurl/issues/122",
    "ProfileNotFound: The config profile (default) could not be found",
    "the tool asks for a profile before the default chain",
    "sts-never-asked",
    each(image("okigan/awscurl:0.22"), for_hours),
    HINT,
)
reported(
    "cert-manager/cert-manager/issues/5893",
    TWICE,
    "the issuer, a custom resource, names the role that the pod has already",
    "pod-role-twice",
    exchange,
    OUTSIDE,
)
reported(
    "fluent/fluent-bit/issues/8278",
    TWICE,
    "the ConfigMap's output names the role that the pod has already",
    "pod-role-twice",
    each(exchange, pod(MOUNTED_CONFIG)),
    OUTSIDE,
)
reported(
    "cert-manager/cert-manager/issues/4053",
    TWICE,
    "an argument names the role that the pod has already",
    "pod-role-twice",
    each(pod('{"container": {"args": ["--role=$role"]}}'), exchange),
    HINT,
)
reported(
    "cube-js/cube/issues/11622",
    "ExpiredToken after an hour",
    "the application keeps the credentials of its first exchange",
    "token-expired",
    exchange,
    OUTSIDE,
)
reported(
    "DoD-Platform-One/bigbang/issues/39",
    "the bucket can't be read, though the ServiceAccount is right",
    "with an endpoint in its settings the application wants keys",
    "sts-never-asked",
    each(image("grafana/loki:2.9.2"), for_hours),
    HINT,
)
reported(
    "istio/istio/issues/55921",
    "Connect to sts.REGION.amazonaws.com:443 failed: connection refused, now and then",
    "the application asks before its sidecar lets anything out",
    "pod-mesh",
    pod(MESH),
    HINT,
)
reported(
    "aws/containers-roadmap/issues/586",
    TIMEOUT,
    "the pods ask the global endpoint, which the VPC's endpoint does not serve",
    "sts-global-endpoint",
    each(endpoint, anew("false", "eks.amazonaws.com/sts-regional-endpoints")),
    HINT,
)
reported(
    "boto/boto3/issues/2258",
    TIMEOUT,
    "the old SDK calls the global endpoint, whatever its configuration",
    "sts-global-endpoint",
    each(endpoint, image("python:3.7"), for_hours),
    HINT,
)
reported(
    "aws-controllers-k8s/community/issues/1040",
    TIMEOUT,
    "the controller sets its region too late for the variable to be heeded",
    "sts-global-endpoint",
    each(endpoint, pod(REGIONAL), for_hours),
    HINT,
)
reported(
    "crossplane-contrib/provider-aws/issues/2005",
    "lookup sts..amazonaws.com: no such host",
    "the container knows no region",
    "pod-region",
    container_without_a_region,
    HINT,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/232",
    "InvalidIdentityToken, of one pod",
    "there is no token in the token's file",
    "token-malformed",
    refused("InvalidIdentityToken", "The ID Token provided is not a valid JWT"),
    HINT,
)
reported(
    "external-secrets/kubernetes-external-secrets/issues/442",
    "AccessDenied for a role of another account",
    "the application asks for another role with its web identity, which that does not trust",
    "",
    refused("AccessDenied", role="arn:aws:iam::444455556666:role/secret-reader"),
    OUTSIDE,
)
reported(
    "terraform-aws-modules/terraform-aws-iam/pull/388",
    "access denied by the server while mounting, with the right role",
    "the role's policy lacks what mounting needs",
    "role-without-permissions",
    exchange,
    OUTSIDE,
)
