"""What `irsa lint` judges before it is live: what a file holds, and what of that is unsafe.

The rules are `irsa_cli.core.trust.rules`; finding and reading files is the business of
`irsa_cli.usecases.audit.lint`.
"""
