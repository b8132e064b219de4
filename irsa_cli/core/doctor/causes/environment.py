"""Causes in what surrounds the SDK in a container: region, endpoints, operating system, files."""

from __future__ import annotations

import re

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.commands import annotate, edit
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, hint, ok, pod_cause, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import TOKEN_ENV, injected_users, listed, where
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import Unreadable, have
from irsa_cli.core.objects.variables import variable
from irsa_cli.core.plan.states import STS_REGIONAL_ANNOTATION

_WHICH_STS, _STS_URL = variable("AWS_STS_REGIONAL_ENDPOINTS"), variable("AWS_ENDPOINT_URL_STS")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_MINIMUM_CLI = (1, 16, 232)
_REGIONAL_CLI = (1, 18)
_CLI_IMAGE = re.compile(
    r"(?:.*/)?(?:amazon/aws-cli|aws-cli/aws-cli):v?(?P<version>\d+\.\d+\.\d+)(?:@.*)?", re.ASCII
)
_READABLE_SINCE = (1, 19)


@pod_cause(
    "pod-region",
    45,
    title="The container has no region setting.",
    symptom="lookup sts..amazonaws.com: no such host, or: You must specify a region",
    looks_at="AWS_REGION and AWS_DEFAULT_REGION of the pods' containers",
    remedy="Set AWS_REGION in the pod template. The EKS webhook normally sets it.",
    source="sdk:feature-region.html",
)
def _region(facts: Facts) -> Judgement:
    found = _without_region(facts)
    if not found:
        return ok("all containers have a region")
    if is_admitted(facts, [pod for pod, _ in found]):
        return ok("STS accepted the pods' tokens, so they have a region", containers=where(found))
    return hint("only the application itself can set its region", containers=where(found))


def _without_region(facts: Facts) -> list[tuple[Pod, Container]]:
    found = injected_users(facts.named)
    return [(pod, item) for pod, item in found if not any(name in item.env for name in _REGIONS)]


@pod_cause(
    "pod-china-region",
    60,
    title="In China the SDK needs AWS_DEFAULT_REGION.",
    symptom="InvalidClientTokenId: The security token included in the request is invalid",
    looks_at="the cluster's partition, AWS_DEFAULT_REGION of the pods' containers",
    remedy="Set AWS_DEFAULT_REGION in the pod template.",
    source="https://repost.aws/knowledge-center/eks-troubleshoot-oidc-and-irsa",
)
def _china(facts: Facts) -> Judgement:
    if facts.cluster.partition != "aws-cn":
        return ok("the cluster is not in China")
    found = _without_region(facts)
    if not found:
        return ok("all containers have a region")
    return problem(
        "without a region, the SDK calls STS in another partition",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        expected=f"AWS_DEFAULT_REGION={facts.cluster.region}",
    )


@pod_cause(
    "pod-sts-endpoint",
    55,
    title="The container has conflicting settings for the STS endpoint.",
    symptom="SignatureDoesNotMatch: Credential should be scoped to a valid region",
    looks_at="AWS_ENDPOINT_URL_STS and AWS_STS_REGIONAL_ENDPOINTS of the pods' containers",
    remedy="Remove AWS_ENDPOINT_URL_STS from the pod template.",
    source="sdk:feature-sts-regionalized-endpoints.html",
)
def _endpoint(facts: Facts) -> Judgement:
    found = [(pod, item) for pod, item in injected_users(facts.named) if _contradicts(item)]
    if not found:
        return ok("no container has conflicting settings for the STS endpoint")
    return problem(
        "one variable sets the global endpoint, the other one the regional endpoint",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        endpoint=f"AWS_ENDPOINT_URL_STS={found[0][1].env[_STS_URL]}",
        conflict="AWS_STS_REGIONAL_ENDPOINTS=regional",
    )


def _contradicts(container: Container) -> bool:
    url = (container.env.get(_STS_URL) or "").rstrip("/")
    return url == "https://sts.amazonaws.com" and container.env.get(_WHICH_STS) == "regional"


@pod_cause(
    "sts-global-endpoint",
    35,
    title="The pods use the global STS endpoint, which the VPC endpoint does not serve.",
    symptom='Post "https://sts.amazonaws.com/": dial tcp: i/o timeout',
    looks_at=f"the annotation {STS_REGIONAL_ANNOTATION}, ec2 DescribeVpcEndpoints, cloudtrail LookupEvents,"
    " images of the pods' containers",
    remedy="Annotate the ServiceAccount for regional endpoints, then restart the pods. If the SDK ignores"
    " AWS_STS_REGIONAL_ENDPOINTS, upgrade it or set AWS_ENDPOINT_URL_STS.",
    source="eks:configure-sts-endpoint.html",
)
def _global_endpoint(facts: Facts) -> Judgement:
    annotated = facts.named.existing().annotations.get(STS_REGIONAL_ANNOTATION, "true")
    if annotated != "false":
        return _by_old_sdk(facts)
    if not have(facts.sts_endpoints):
        return unknown("the pods use the global STS endpoint and need internet access from the VPC")
    return suspect(
        "the VPC has a regional STS endpoint, but the annotation disables it for the pods",
        annotation=f"{STS_REGIONAL_ANNOTATION}=false",
        remedy=annotate(facts, "true", STS_REGIONAL_ANNOTATION),
    )


def _by_old_sdk(facts: Facts) -> Judgement:
    """The variable asks for the region's endpoint; whether the SDK heeds it shows in what STS was asked."""
    if not isinstance(facts.sts_endpoints, tuple) or not facts.sts_endpoints:
        return ok("the pods use the regional STS endpoint")
    subject = facts.named
    found = [
        (pod, item)
        for pod, item in injected_users(subject)
        if not item.env.get(_STS_URL) and (cli_version(item) or (0,)) < _REGIONAL_CLI
    ]
    pods = [pod for pod, _ in found]
    if not found or is_admitted(facts, pods):
        return ok("the pods use the regional STS endpoint")
    if any(isinstance(subject.events, Unreadable) and subject.events.follows for _ in found):
        return ok("the pods are configured for the regional STS endpoint")
    # An old SDK asks the global endpoint all the same: without a way out of the VPC nobody answers.
    return hint(
        "the VPC has a regional STS endpoint, and CloudTrail shows no call to STS: an old SDK may call the"
        " global endpoint instead",
        containers=where(found),
        endpoint=listed(item.id for item in facts.sts_endpoints),
    )


@pod_cause(
    "pod-windows",
    75,
    title="A Windows pod has Linux paths.",
    symptom="The SDK does not find the token file.",
    looks_at=f"the pods' os and nodeSelector, {TOKEN_ENV}",
    remedy="Add the nodeSelector kubernetes.io/os: windows to the pod template: the webhook needs it.",
    source="webhook:#readme",
)
def _windows(facts: Facts) -> Judgement:
    found = [
        (pod, item)
        for pod, item in injected_users(facts.named)
        if pod.os == "windows"
        and pod.node_selector.get("kubernetes.io/os") != "windows"
        and (item.env[TOKEN_ENV] or "").startswith("/")
    ]
    if not found:
        return ok("no Windows pod has Linux paths")
    return problem(
        "the webhook treats a pod without nodeSelector as a Linux pod",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        file=str(found[0][1].env[TOKEN_ENV]),
        expected="nodeSelector kubernetes.io/os: windows",
    )


@pod_cause(
    "pod-token-unreadable",
    70,
    title="Only root can read the token file, and the container runs as another user.",
    symptom="open /var/run/secrets/eks.amazonaws.com/serviceaccount/token: permission denied",
    looks_at="eks DescribeCluster (version), runAsUser and fsGroup of the pods",
    remedy="Set fsGroup: 65534 in the pod's securityContext. Kubernetes 1.19 and later do not need it.",
    source="https://github.com/kubernetes/enhancements/tree/master/keps/sig-storage/"
    "2451-service-account-token-volumes",
)
def _unreadable(facts: Facts) -> Judgement:
    version = re.match(r"(\d+)\.(\d+)", have(facts.eks).version)
    if not version:
        return unknown("the cluster's version is unknown")
    if (int(version[1]), int(version[2])) >= _READABLE_SINCE:
        return ok("this Kubernetes version lets the container's user read the token")
    exposed = [(pod, item) for pod, item in injected_users(facts.named) if pod.fs_group is None]
    found = [(pod, item) for pod, item in exposed if _user(pod, item)]
    if not found:
        silent = [(pod, item) for pod, item in exposed if _user(pod, item) is None]
        if not silent or is_admitted(facts, [pod for pod, _ in silent]):
            return ok("containers run as root, or have an fsGroup")
        return suspect(
            "in this Kubernetes version only root can read the file, and irsa does not know the image's user",
            containers=where(silent),
            images=listed(item.image for _, item in silent),
            version=have(facts.eks).version,
        )
    return problem(
        "in this Kubernetes version only root can read the file",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        version=have(facts.eks).version,
        expected="fsGroup: 65534",
    )


def _user(pod: Pod, container: Container) -> int | None:
    return pod.user if container.user is None else container.user


@pod_cause(
    "sdk-too-old",
    65,
    title="The SDK in the container is too old for IRSA.",
    symptom="The node's role or no credentials, although the environment is right",
    looks_at="images of the pods' containers (only the AWS CLI's images show a version)",
    remedy="Upgrade to a supported version: boto3 1.9.220, botocore 1.12.200, AWS CLI 1.16.232, Go 1.23.13,"
    " Java 1.11.704 or 2.10.11; JavaScript 2.525.0 or 3.27.0, Ruby 3.58.0, C++ 1.7.174, .NET 3.3.659.1,"
    " PHP 3.110.7.",
    source="eks:iam-roles-for-service-accounts-minimum-sdk.html",
)
def _sdk(facts: Facts) -> Judgement:
    found = injected_users(facts.named)
    versions = {item.image: cli_version(item) for _, item in found}
    old = [(pod, item) for pod, item in found if (cli_version(item) or _MINIMUM_CLI) < _MINIMUM_CLI]
    if old:
        return problem(
            "this AWS CLI does not support IRSA",
            fix=edit(facts, old[0][0]),
            containers=where(old),
            image=old[0][1].image,
            needed=">= " + ".".join(map(str, _MINIMUM_CLI)),
        )
    hidden = [image for image, version in versions.items() if version is None]
    if hidden:
        return unknown("irsa cannot see which SDK is in the image", images=listed(hidden))
    return ok("the images' AWS CLI is recent enough", images=listed(versions))


def cli_version(container: Container) -> tuple[int, ...] | None:
    """The version of an image's AWS CLI; None where the image does not tell."""
    match = _CLI_IMAGE.fullmatch(container.image)
    return tuple(map(int, match["version"].split("."))) if match else None
