# risks: none
# not known: 1

variable "assume_role_policy" {
  type = string
}

resource "aws_iam_role" "this" {
  assume_role_policy = var.assume_role_policy
}
