"""What a role may do: by really calling AWS with its credentials, or by IAM's simulation of its policies.

What policies say by themselves is `irsa_cli.core.policies.permissions`' business.
"""
