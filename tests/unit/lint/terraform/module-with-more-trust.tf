# risks: none
# not known: 1

module "role" {
  source             = "terraform-aws-modules/iam/aws//modules/iam-role"
  enable_oidc        = true
  enable_github_oidc = true
  oidc_provider_urls = [module.eks.oidc_provider]
  oidc_subjects      = ["system:serviceaccount:a:b"]
}
