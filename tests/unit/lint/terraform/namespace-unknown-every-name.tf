# risks: every-name medium
# not known: 1

variable "namespace" {}

resource "aws_iam_role" "jobs" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = var.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringLike = {
          "${var.provider}:sub" = "system:serviceaccount:${var.namespace}:*"
          "${var.provider}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}
