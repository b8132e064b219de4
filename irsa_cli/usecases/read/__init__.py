"""Reading what is there: of one ServiceAccount, of many, of a whole cluster. Nothing is written here.

What follows from it is decided in `irsa_cli.core`.
"""
