# risks: none
# not known: 0

module "role" {
  source                       = "terraform-aws-modules/iam/aws//modules/iam-assumable-role-with-oidc"
  create_role                  = false
  provider_url                 = module.eks.oidc_provider
  oidc_subjects_with_wildcards = ["system:serviceaccount:*:*"]
}
