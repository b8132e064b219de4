# risks: none
# not known: 1

module "role" {
  source  = "cloudposse/eks-iam-role/aws"
  version = "2.1.1"

  eks_cluster_oidc_issuer_url = var.issuer_url
  service_account_name        = "*"
  service_account_namespace   = "*"
}
