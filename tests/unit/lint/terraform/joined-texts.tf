# risks: every-subject high, no-audience low
# not known: 0

resource aws_iam_openid_connect_provider eks_oidc {
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = []
  url             = aws_eks_cluster.main.identity.0.oidc.0.issuer
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      identifiers = [join(":", ["arn:aws:iam:", var.account, join("/", ["oidc-provider", var.oidc])])]
      type        = "Federated"
    }
    condition {
      test     = "StringLike"
      variable = join(":", [replace(aws_iam_openid_connect_provider.eks_oidc.url, "https://", ""), "sub"])
      values   = ["system:serviceaccount:*:*"]
    }
  }
}

resource aws_iam_role app {
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
