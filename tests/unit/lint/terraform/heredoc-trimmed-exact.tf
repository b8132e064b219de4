# risks: none
# not known: 0

resource "aws_iam_role" "autoscaler" {
  assume_role_policy = <<-EOF
    {
      "Version": "2012-10-17",
      "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "${aws_iam_openid_connect_provider.this.arn}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
          "StringEquals": {
            "${aws_iam_openid_connect_provider.this.url}:sub": "system:serviceaccount:kube-system:cluster-autoscaler",
            "${aws_iam_openid_connect_provider.this.url}:aud": "sts.amazonaws.com"
          }
        }
      }]
    }
  EOF
}
