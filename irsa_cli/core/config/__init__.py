"""Configuration files: text in, checked values out, every problem with its line and column.

Files come from a repository of hundreds of entries, so reading does not stop at the first mistake, and a
mistake names its place. eksctl's ClusterConfig is read as eksctl reads it, including its quirks; what irsa
does not do with it is said in a notice instead of being ignored. Values obey the rules of the flags, which
are the types of the fields.

No file is opened here (`irsa_cli.usecases.texts`), and clusters are found elsewhere
(`irsa_cli.usecases.files`). Terraform, CloudFormation and manifests are only checked, in
`irsa_cli.core.lint`.
"""
