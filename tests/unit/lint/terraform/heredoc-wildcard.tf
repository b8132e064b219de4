# risks: every-subject high
# not known: 0

resource "aws_iam_role" "external_dns" {
  name = "${var.cluster}-external-dns"
  path = "/"

  assume_role_policy = <<POLICY
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${replace(var.oidc_url, "https://", "")}"
      },
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringLike": {
          "${replace(var.oidc_url, "https://", "")}:sub": "system:serviceaccount:*:*",
          "${replace(var.oidc_url, "https://", "")}:aud": "sts.amazonaws.com"
        }
      }
    }
  ]
}
POLICY
}
