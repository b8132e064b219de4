# risks: every-name high, no-audience medium
# not known: 0

module "gitlab" {
  source                       = "terraform-aws-modules/iam/aws//modules/iam-assumable-role-with-oidc"
  create_role                  = true
  provider_url                 = module.eks.oidc_provider
  role_policy_arns             = ["arn:aws:iam::aws:policy/AdministratorAccess"]
  oidc_subjects_with_wildcards = ["system:serviceaccount:gitlab-runner:*"]
}
