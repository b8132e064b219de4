"""The marks that irsa and other tools leave on what they make, and whose it is, and how far it is.

What may be done with it then is decided in `irsa_cli.core.planning`.
"""
