# risks: every-name medium
# not known: 0

locals {
  roles = {
    reader = { namespace = "prod", subject = "reader" }
    runner = { namespace = "ci", subject = "*" }
  }
}

resource "aws_iam_role" "each" {
  for_each = local.roles
  name     = each.key
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = module.eks.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringLike = {
          "${module.eks.oidc_provider}:sub" = "system:serviceaccount:${each.value.namespace}:${each.value["subject"]}"
          "${module.eks.oidc_provider}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}
