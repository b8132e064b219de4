# risks: none
# not known: 0

module "eks" {
  source      = "terraform-aws-modules/eks/aws"
  version     = "~> 20.0"
  enable_irsa = true

  eks_managed_node_group_defaults = {
    iam_role_additional_policies = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
  }
}

data "aws_iam_role" "admin" {
  name = "admin"
}

data "aws_iam_policy_document" "may_assume" {
  statement {
    actions   = ["sts:AssumeRole"]
    resources = ["arn:aws:iam::111122223333:role/deploy"]
  }
}

resource "aws_iam_policy" "may_assume" {
  policy = data.aws_iam_policy_document.may_assume.json
}
