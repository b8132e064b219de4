"""Who made what, by the marks that tools leave."""

import pytest

from irsa_cli.core.marks.makers import (
    TABLE,
    UNKNOWN,
    export_format,
    maker_of_account,
    maker_of_role,
    source_of,
)


@pytest.mark.parametrize(
    ("tags", "maker"),
    [
        ({}, UNKNOWN),
        ({"team": "data", "managed-by": "hand"}, UNKNOWN),
        (
            {"irsa/cluster": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "ManagedBy": "terraform"},
            "irsa",
        ),
        ({"alpha.eksctl.io/iamserviceaccount-name": "backend/app"}, "eksctl"),
        (
            {"alpha.eksctl.io/cluster-name": "prod", "aws:cloudformation:stack-name": "eksctl-prod-addon-x"},
            "eksctl",
        ),
        ({"aws:cloudformation:stack-name": "mine"}, "CloudFormation"),
        ({"ManagedBy": "Terraform"}, "Terraform"),
        ({"managed_by": "terraform-cloud"}, "Terraform"),
        ({"provisioner": "OpenTofu"}, "Terraform"),
        ({"Terraform": "true"}, "Terraform"),
        ({"terraform": "false"}, UNKNOWN),
        ({"project": "terraform"}, UNKNOWN),
        ({"crossplane-kind": "role.iam.aws.upbound.io", "crossplane-name": "x"}, "Crossplane"),
        ({"crossplane-providerconfig": "default", "Terraform": "true"}, "Crossplane"),
        ({"crossplane": "yes"}, UNKNOWN),
        ({"services.k8s.aws/controller-version": "iam-1.3.8", "services.k8s.aws/namespace": "ack"}, "ACK"),
        ({"red-hat-managed": "true", "rosa_openshift_version": "4.15"}, "rosa"),
        ({"red-hat-managed": "false"}, UNKNOWN),
        ({"openshift.io/cloud-credential-operator/prod-x2v": "owned"}, "ccoctl"),
        ({"managed-by": "aws-cdk"}, "CDK"),
        ({"CreatedBy": "cdk", "aws:cloudformation:stack-name": "App"}, "CDK"),
        ({"pulumi:project": "infra"}, "Pulumi"),
        ({"ManagedBy": "Pulumi"}, "Pulumi"),
        ({"managed-by": "ack"}, "ACK"),
        ({"managed-by": "ackermann"}, UNKNOWN),
        ({"managed-by": "Terragrunt"}, "Terraform"),
    ],
)
def test_roles(tags: dict[str, str], maker: str) -> None:
    assert maker_of_role(tags) == maker


@pytest.mark.parametrize(
    ("labels", "annotations", "managers", "maker"),
    [
        ({}, {}, (), UNKNOWN),
        ({}, {}, ("kubectl-annotate",), UNKNOWN),
        ({}, {"irsa/transaction": "x"}, ("irsa",), "irsa"),
        ({"app.kubernetes.io/managed-by": "irsa"}, {}, (), "irsa"),
        ({"app.kubernetes.io/managed-by": "eksctl"}, {}, ("eksctl",), "eksctl"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "app"}, (), "Helm"),
        ({}, {"meta.helm.sh/release-name": "app"}, (), "Helm"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {"argocd.argoproj.io/tracking-id": "a:b"}, (), "Argo CD"),
        ({"kustomize.toolkit.fluxcd.io/name": "app"}, {}, (), "Flux"),
        ({}, {"pulumi.com/autonamed": "true"}, (), "Pulumi"),
        ({"crossplane.io/composite": "app"}, {}, (), "Crossplane"),
        ({}, {"services.k8s.aws/region": "eu-west-1"}, (), "ACK"),
        ({"aws.cdk.eks/prune-c8aa": ""}, {}, (), "CDK"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {"objectset.rio.cattle.io/id": "a"}, (), "Fleet"),
        ({"kapp.k14s.io/app": "1"}, {}, (), "kapp"),
        ({}, {}, ("eks",), "an EKS add-on"),
        ({}, {}, ("kubectl", "HashiCorp"), "Terraform"),
        ({}, {}, ("Terraform",), "Terraform"),
        ({"app.kubernetes.io/managed-by": "pulumi"}, {}, ("HashiCorp",), "pulumi"),
    ],
)
def test_accounts(
    labels: dict[str, str], annotations: dict[str, str], managers: tuple[str, ...], maker: str
) -> None:
    assert maker_of_account(labels, annotations, managers) == maker


@pytest.mark.parametrize(
    ("texts", "source"),
    [
        ({}, ""),
        ({"argocd.argoproj.io/tracking-id": "shop:/ServiceAccount:web/app"}, "Application shop"),
        (
            {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
            "Kustomization flux-system/a",
        ),
        ({"helm.toolkit.fluxcd.io/name": "a", "meta.helm.sh/release-name": "b"}, "HelmRelease a"),
        (
            {"meta.helm.sh/release-name": "app", "meta.helm.sh/release-namespace": "web"},
            "release web/app",
        ),
    ],
)
def test_the_object_of_a_tool_that_has_the_manifest(texts: dict[str, str], source: str) -> None:
    assert source_of(texts, {}) == source
    assert source_of({}, texts) == source


def test_the_format_for_the_source_of_a_tool() -> None:
    assert {*TABLE["formats"]} <= {*TABLE["writesAgain"]}
    assert export_format("Argo CD", {}) == "manifests"
    assert export_format("Terraform", {}) == "env"
    assert export_format("Flux", {"meta.helm.sh/release-name": "app"}) == "helm"
