"""The marks that irsa and other tools leave on what they make, and whose it is, and how far it is.

`irsa_cli.core.planning` decides the actions on it.
"""
