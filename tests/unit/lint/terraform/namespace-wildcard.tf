# risks: every-namespace high
# not known: 1

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }
    condition {
      test     = "StringLike"
      variable = "${local.provider_id}:sub"
      values   = ["system:serviceaccount:*:${var.service_account}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.provider_id}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name_prefix        = "operator-"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
