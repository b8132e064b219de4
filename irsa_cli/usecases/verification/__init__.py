"""`irsa verify`: proves that a token is exchanged for a role, step by step.

Looking for causes is in `irsa_cli.usecases.doctor`.
"""
