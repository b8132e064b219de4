"""Reported failures in trust policies and providers that were collected after the causes were written."""

from __future__ import annotations

from irsa_cli.sandbox import Fault
from tests.scenarios.breaking import NAME, STS
from tests.scenarios.reported.cases import reported
from tests.scenarios.reported.trusts import DENIED, NO_PROVIDER
from tests.scenarios.reported.world import World

CHINA = "sts.amazonaws.com.cn"


@reported(
    "kubernetes-sigs/external-dns/issues/1979",
    DENIED,
    "the role was created for the ServiceAccount of this name in `default`",
    "trust-subject",
)
def made_for_the_default_namespace(world: World) -> None:
    world.values(sub=f"system:serviceaccount:default:{NAME}")


@reported(
    "jenkins-x/terraform-aws-eks-jx/issues/175",
    DENIED,
    "the role trusts RELEASE-CHART, the ServiceAccount is called CHART",
    "trust-subject",
    "trust-generated-name",
)
def release_name_in_the_trust_only(world: World) -> None:
    world.values(sub=world.subject_of(f"exdns-{NAME}"))


@reported(
    "cert-manager/aws-privateca-issuer/issues/277",
    "failed to sts.GetCallerIdentity",
    "the role trusts another namespace and another name than the issuer's",
    "trust-subject",
)
def neither_namespace_nor_name(world: World) -> None:
    world.values(sub="system:serviceaccount:cert-manager-issuer:cert-manager")


@reported(
    "awslabs/cdk-eks-blueprints/issues/419",
    DENIED,
    "the role trusts the add-on's name instead of that of the controller's ServiceAccount",
    "trust-subject",
)
def name_of_the_addon_in_the_trust(world: World) -> str:
    name = "ebs-csi-controller-sa"
    world.values(sub=world.subject_of("aws-ebs-csi-driver"))
    world.replaced_by(name, **world.annotated())
    labels = {"app.kubernetes.io/name": "aws-ebs-csi-driver", "app": "ebs-csi-controller"}
    world.pod("ebs-csi-controller-0", name, labels=labels)
    return name


@reported(
    "mattermost/mattermost-cloud-monitoring/pull/810",
    DENIED,
    "the module takes the application's name for its namespace",
    "trust-subject",
)
def name_taken_for_the_namespace(world: World) -> None:
    world.values(sub=f"system:serviceaccount:{NAME}:{NAME}")


@reported(
    "giantswarm/aws-operator/pull/3354",
    DENIED,
    "principal and keys name another issuer of the account, which is no cluster of EKS",
    "trust-other-cluster",
    "trust-old-cluster",
    "trust-provider-arn",
    "trust-principal",
)
def issuer_behind_cloudfront(world: World) -> None:
    other = "d1111abcdef8.cloudfront.net"
    world.make_provider(other)
    federated = world.provider.replace(world.prefix, other)
    world.trust(
        Principal={"Federated": federated}, Condition={"StringEquals": {f"{other}:sub": world.subject}}
    )


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/1704",
    "InvalidIdentityToken: Incorrect token audience",
    "the module creates the provider for the audience of China's endpoint",
    "provider-audience",
)
def provider_for_the_audience_of_china(world: World) -> None:
    world.no_provider()
    world.make_provider("", CHINA)


@reported(
    "terraform-aws-modules/terraform-aws-eks/issues/2700",
    "InvalidIdentityToken: Incorrect token audience",
    "provider and trust policy name the audience of China's endpoint",
    "provider-audience",
    "trust-audience",
)
def provider_and_trust_for_the_audience_of_china(world: World) -> None:
    world.no_provider()
    world.make_provider("", CHINA)
    world.values(aud=CHINA)


@reported(
    "eksctl-io/eksctl/issues/1910",
    DENIED,
    "the role trusts the audience of China's endpoint; the tokens have sts.amazonaws.com",
    "trust-audience",
)
def trust_for_the_audience_of_china(world: World) -> None:
    world.values(aud=CHINA)


@reported(
    "awslabs/mountpoint-s3-csi-driver/issues/300",
    "the mount is denied to the node's role",
    "a wildcard in the name of the ServiceAccount, under StringEquals, next to the audience",
    "trust-wildcard",
)
def wildcard_for_the_pods_of_a_driver(world: World) -> None:
    world.conditions(StringEquals={"aud": STS, "sub": world.subject_of("doctor-r*")})


@reported(
    "aws/karpenter-provider-aws/issues/5726",
    NO_PROVIDER,
    "the provider was never made",
    "provider-missing",
)
def installation_by_hand_without_a_provider(world: World) -> None:
    world.no_provider()
    world.exchange()


@reported(
    "https://rtfm.co.ua/en/aws-eks-openid-connect-and-serviceaccounts/",
    f"records retrieval failed: {NO_PROVIDER}",
    "the provider was forgotten; the role trusts it already",
    "provider-missing",
)
def provider_forgotten(world: World) -> None:
    world.no_provider()
    world.refused("InvalidIdentityToken")


@reported(
    "kubernetes/kops/issues/15296",
    "no container gets credentials",
    "the objects with the issuer's documents can't be read by everybody",
    "issuer-documents",
)
def documents_that_are_not_public(world: World) -> None:
    world.stage.sandbox.faults.add(Fault("issuer", "*", "error", status=403, times=None))
    world.exchange()


@reported(
    "loft-sh/vcluster/issues/862",
    DENIED,
    "the role trusts the name in the virtual cluster; in the host's the ServiceAccount has another",
    "trust-subject",
    "trust-generated-name",
)
def account_synced_from_a_virtual_cluster(world: World) -> str:
    name = "doctor-reader-x-apps-x-vc"
    world.values(sub="system:serviceaccount:apps:doctor-reader")
    world.replaced_by(name, **world.annotated())
    world.pod("web-0-x-apps-x-vc", name, labels={"vcluster.loft.sh/managed-by": "vc"})
    return name
