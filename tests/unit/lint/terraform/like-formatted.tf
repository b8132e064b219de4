# risks: no-audience low
# not known: 1

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = [format("system:serviceaccount:%s:%s", var.namespace, var.service_account)]
    }
    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider]
    }
  }
}

resource "aws_iam_role" "this" {
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
