"""Reading what is there: of one ServiceAccount, of many, of a whole cluster. Nothing is written here.

The conclusions are in `irsa_cli.core`.
"""
