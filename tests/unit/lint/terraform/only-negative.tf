# risks: only-negative high
# not known: 0

resource "aws_iam_role" "app" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringNotEquals = { "${var.oidc_provider}:sub" = "system:serviceaccount:kube-system:default" }
        StringEquals    = { "${var.oidc_provider}:aud" = "sts.amazonaws.com" }
      }
    }]
  })
}
