# risks: default-service-account medium
# not known: 0

locals {
  namespace = "web"
  name      = "default"
}

resource "aws_iam_role" "web" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.eks.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          format("%s:sub", local.issuer) = "system:serviceaccount:${local.namespace}:${local.name}"
          format("%s:aud", local.issuer) = "sts.amazonaws.com"
        }
      }
    }]
  })
}

locals {
  issuer = replace(aws_eks_cluster.this.identity.0.oidc.0.issuer, "https://", "")
}
