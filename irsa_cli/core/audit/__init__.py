"""A whole account: who can become which role, and what in it is unsafe. Values and pure functions.

What is unsafe in one trust policy is `irsa_cli.core.trust.rules`' business; reading an account is
`irsa_cli.usecases.audit`'s.
"""
