"""Reported failures in trust policies and providers that were collected after the causes were written."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import issuer_that_refuses_everybody, no_provider, provider, trust, values
from tests.scenarios.reported.cases import reported
from tests.scenarios.reported.trusts import DENIED, NO_PROVIDER
from tests.scenarios.reported.words import each, exchange, instead, refused, sub

CHINA = "sts.amazonaws.com.cn"
PROVIDER_OF_CHINA = each(no_provider, provider("https://$prefix", CHINA))
CLOUDFRONT = "d1111abcdef8.cloudfront.net"
BY_CLOUDFRONT = (
    f'{{"Principal": {{"Federated": "$providers/{CLOUDFRONT}"}},'
    f' "Condition": {{"StringEquals": {{"{CLOUDFRONT}:sub": "$subject"}}}}}}'
)
DRIVER = "app.kubernetes.io/name=aws-ebs-csi-driver,app=ebs-csi-controller"
SYNCED = {"labels": "vcluster.loft.sh/managed-by=vc"}


reported(
    "kubernetes-sigs/external-dns/issues/1979",
    DENIED,
    "the role was created for the ServiceAccount of this name in `default`",
    "trust-subject",
    sub(f"default:{NAME}"),
)
reported(
    "jenkins-x/terraform-aws-eks-jx/issues/175",
    DENIED,
    "the role trusts RELEASE-CHART, the ServiceAccount is called CHART",
    "trust-subject trust-generated-name",
    sub(f"$ns:exdns-{NAME}"),
)
reported(
    "cert-manager/aws-privateca-issuer/issues/277",
    "failed to sts.GetCallerIdentity",
    "the role trusts another namespace and another name than the issuer's",
    "trust-subject",
    sub("cert-manager-issuer:cert-manager"),
)
reported(
    "awslabs/cdk-eks-blueprints/issues/419",
    DENIED,
    "the role trusts the add-on's name instead of that of the controller's ServiceAccount",
    "trust-subject",
    each(
        sub("$ns:aws-ebs-csi-driver"),
        instead("ebs-csi-controller-sa", "$role", "ebs-csi-controller-0", labels=DRIVER),
    ),
)
reported(
    "mattermost/mattermost-cloud-monitoring/pull/810",
    DENIED,
    "the module takes the application's name for its namespace",
    "trust-subject",
    sub(f"{NAME}:{NAME}"),
)
reported(
    "giantswarm/aws-operator/pull/3354",
    DENIED,
    "principal and keys name another issuer of the account, which is no cluster of EKS",
    "trust-other-cluster trust-old-cluster trust-provider-arn trust-principal",
    each(provider(f"https://{CLOUDFRONT}"), trust(BY_CLOUDFRONT)),
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/1704",
    "InvalidIdentityToken: Incorrect token audience",
    "the module creates the provider for the audience of China's endpoint",
    "provider-audience",
    PROVIDER_OF_CHINA,
)
reported(
    "terraform-aws-modules/terraform-aws-eks/issues/2700",
    "InvalidIdentityToken: Incorrect token audience",
    "provider and trust policy name the audience of China's endpoint",
    "provider-audience trust-audience",
    each(PROVIDER_OF_CHINA, values(aud=CHINA)),
)
reported(
    "eksctl-io/eksctl/issues/1910",
    DENIED,
    "the role trusts the audience of China's endpoint; the tokens have sts.amazonaws.com",
    "trust-audience",
    values(aud=CHINA),
)
reported(
    "awslabs/mountpoint-s3-csi-driver/issues/300",
    "the mount is denied to the node's role",
    "a wildcard in the name of the ServiceAccount, under StringEquals, next to the audience",
    "trust-wildcard",
    sub("$ns:doctor-r*"),
)
reported(
    "aws/karpenter-provider-aws/issues/5726",
    NO_PROVIDER,
    "the provider was never made",
    "provider-missing",
    each(no_provider, exchange),
)
reported(
    "https://rtfm.co.ua/en/aws-eks-openid-connect-and-serviceaccounts/",
    "records retrieval failed: InvalidIdentityToken: No OpenIDConnect provider found in your account",
    "the provider was forgotten; the role trusts it already",
    "provider-missing",
    each(no_provider, refused("InvalidIdentityToken")),
)
reported(
    "kubernetes/kops/issues/15296",
    "no container gets credentials",
    "the objects with the issuer's documents can't be read by everybody",
    "issuer-documents",
    each(issuer_that_refuses_everybody, exchange),
)
reported(
    "loft-sh/vcluster/issues/862",
    DENIED,
    "the role trusts the name in the virtual cluster; in the host's the ServiceAccount has another",
    "trust-subject trust-generated-name",
    each(
        sub("apps:doctor-reader"),
        instead("doctor-reader-x-apps-x-vc", "$role", "web-0-x-apps-x-vc", **SYNCED),
    ),
)
