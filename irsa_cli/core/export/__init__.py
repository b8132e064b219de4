"""Bindings in the words of other tools: what Git, Helm, Argo CD or Terraform needs to know of them.

irsa creates a role, but often a repository owns the ServiceAccount: an annotation written into the cluster is
lost at the next sync. So the role's ARN must get into that repository, in the form of the tool that reads it,
and existing files must keep every other byte, because a person reviews the difference.

All functions here turn values into texts. Bindings are read in `irsa_cli.usecases.read`, files in
`irsa_cli.usecases.show`. Files that irsa itself applies are read in `irsa_cli.core.config`, and Terraform
is checked for risks in `irsa_cli.core.lint`.
"""
