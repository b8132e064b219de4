# risks: pattern-crosses-colon high
# not known: 0

locals {
  key = "${replace(var.issuer, "https://", "")}:sub"
  aud = "${replace(var.issuer, "https://", "")}:aud"
}

resource "aws_iam_role" "app" {
  assume_role_policy = jsonencode({
    Statement = {
      Effect    = "Allow"
      Principal = { Federated = [var.provider_arn] }
      Action    = ["sts:AssumeRoleWithWebIdentity"]
      Condition = {
        StringLike   = { (local.key) = "system:serviceaccount:prod*" }
        StringEquals = { (local.aud) = "sts.amazonaws.com" }
      }
    }
  })
}
