# risks: no-condition high
# not known: 1

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }
  }
}

module "role" {
  source             = "./modules/iam-role"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
