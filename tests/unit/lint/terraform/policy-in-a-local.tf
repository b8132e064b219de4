# risks: no-subject high
# not known: 0

locals {
  trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
        Condition = {
          StringEquals = { "${aws_iam_openid_connect_provider.cluster.url}:aud" = "sts.amazonaws.com" }
        }
      }
    ]
  }
}

resource "aws_iam_openid_connect_provider" "cluster" {
  url             = module.eks.cluster_oidc_issuer_url
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = []
}

resource "aws_iam_role" "app" {
  name               = "app"
  assume_role_policy = jsonencode(local.trust)
}
