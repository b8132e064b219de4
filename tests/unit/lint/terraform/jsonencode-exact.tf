# risks: none
# not known: 0

resource "aws_iam_role" "app" {
  assume_role_policy = jsonencode({
    Version = "2012-10-17",
    Statement = [{
      Effect    = "Allow",
      Principal = { Federated = "arn:aws:iam::${var.account_id}:oidc-provider/${local.oidc}" },
      Action    = ["sts:AssumeRoleWithWebIdentity"],
      Condition = {
        "StringEquals" : {
          "${local.oidc}:sub" : ["system:serviceaccount:shop:web", "system:serviceaccount:shop:api"],
          "${local.oidc}:aud" : "sts.amazonaws.com",
        }
      }
    }]
  })
}

locals {
  oidc = replace(var.cluster_oidc_issuer_url, "https://", "")
}
