# risks: every-name medium
# not known: 0

variable "service_accounts" {
  type    = list(string)
  default = ["backend:*"]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }
    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = [for sa in var.service_accounts : "system:serviceaccount:${sa}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

locals {
  issuer = replace(var.issuer, "https://", "")
}

resource "aws_iam_role" "this" {
  assume_role_policy = one(data.aws_iam_policy_document.trust[*].json)
}
