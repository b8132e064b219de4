"""`irsa exec`: a local command with a ServiceAccount's identity.

Getting the identity is in `irsa_cli.usecases.read`.
"""
