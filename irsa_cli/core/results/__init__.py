"""The results of commands as values: what `-o json` prints, and what the exit code is.

How they look as text is in `irsa_cli.cli`; what is verified, in `irsa_cli.usecases.verification`.
"""
