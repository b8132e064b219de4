# risks: none
# not known: 1

module "role" {
  source   = "terraform-aws-modules/iam/aws//modules/iam-assumable-role-with-oidc"
  for_each = var.items

  create_role                   = true
  provider_url                  = var.provider_url
  oidc_fully_qualified_subjects = try(each.value.subjects, var.defaults.subjects, [])
  oidc_fully_qualified_audiences = ["sts.amazonaws.com"]
}
