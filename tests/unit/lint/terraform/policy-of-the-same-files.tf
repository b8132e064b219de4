# risks: every-name high
# not known: 0

data "aws_iam_policy_document" "trust" {
  count = var.create ? 1 : 0

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [var.arn]
    }
    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:jobs:*"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "jobs" {
  count              = var.create ? 1 : 0
  name_prefix        = "jobs-"
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
}

resource "aws_iam_policy" "jobs" {
  name_prefix = "jobs-"
  policy      = jsonencode({ Statement = [{ Effect = "Allow", Action = "iam:*", Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "jobs" {
  for_each   = toset([aws_iam_policy.jobs.arn, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"])
  role       = aws_iam_role.jobs[0].id
  policy_arn = each.value
}
