"""What a verification looked at and found, as values.

Making the attempt is in `irsa_cli.usecases.verification`.
"""
