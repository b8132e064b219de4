# risks: none
# not known: 0

data "aws_iam_policy_document" "key" {
  dynamic "statement" {
    for_each = var.statements
    content {
      actions   = ["kms:*"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  policy = data.aws_iam_policy_document.key.json
}
