"""Risks in files, before anything is deployed: the objects to check, with the place of each in its file.

A trust policy reaches review as Terraform, CloudFormation, a manifest, or a plan. The readers here turn
each of these forms into the same few objects (`found`), which the rules of `irsa_cli.core.trust.rules`
judge as they judge an account. Many values are known only after deployment: a reader leaves a gap in their
place, the rest is checked, and the report tells what could not be. Evaluating a whole language was not
tried: an unknown function gives a gap.

Rules do not belong here, nor the search for files on disk (`irsa_cli.usecases.audit`).
"""
