# risks: every-name medium
# not known: 0

locals {
  roles = {
    web = ["shop:web"]
    ci  = ["ci:*"]
  }
}

module "irsa" {
  source   = "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts-eks"
  for_each = local.roles

  create_role                = true
  allow_self_assume_role     = false
  role_name                  = each.key
  assume_role_condition_test = "StringLike"

  oidc_providers = {
    (var.cluster) : {
      provider_arn               = "arn:${var.partition}:iam::${var.account}:oidc-provider/${replace(var.issuer, "https://", "")}"
      namespace_service_accounts = each.value
    }
  }
}
