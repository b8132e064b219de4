# risks: none
# not known: 0

resource "aws_iam_role" "app" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.oidc_provider}:sub"                                = "system:serviceaccount:prod:app"
          "${element(split("oidc-provider/", var.oidc_provider_arn), 1)}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}
