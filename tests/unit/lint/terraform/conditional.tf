# risks: none
# not known: 1

resource "aws_iam_role" "this" {
  assume_role_policy = var.irsa ? data.aws_iam_policy_document.irsa[0].json : var.policy
}
