"""The language of IAM policies: documents, grammar, operators, conditions, what they give power over.

What of it a trust policy means to a token is in `irsa_cli.core.trust`.
"""
