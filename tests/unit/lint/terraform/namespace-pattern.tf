# risks: namespace-pattern medium
# not known: 0

data "aws_iam_policy_document" "trust" {
  version = "2012-10-17"

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    effect  = "Allow"

    principals {
      type        = "Federated"
      identifiers = ["arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/5B8D"]
    }

    condition {
      test     = "StringLike"
      variable = "oidc.eks.eu-west-1.amazonaws.com/id/5B8D:sub"
      values   = ["system:serviceaccount:preview-*:web", "system:serviceaccount:prod:web"]
    }

    condition {
      test     = "StringEquals"
      variable = "oidc.eks.eu-west-1.amazonaws.com/id/5B8D:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "web" {
  assume_role_policy = data.aws_iam_policy_document.trust.minified_json
}
