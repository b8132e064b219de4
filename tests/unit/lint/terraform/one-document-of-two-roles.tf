# risks: every-subject high, every-subject high, no-audience low, no-audience low
# not known: 0

locals {
  url = trimprefix(aws_iam_openid_connect_provider.oidc.url, "https://")
}

resource "aws_iam_openid_connect_provider" "oidc" {
  url             = "https://${var.bucket}.s3.${var.region}.amazonaws.com/${var.infra}"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = []
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.oidc.arn]
    }
    condition {
      test     = "StringLike"
      variable = "${local.url}:sub"
      values   = ["system:serviceaccount:*:*"]
    }
  }
}

resource "aws_iam_role" "one" {
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role" "two" {
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
