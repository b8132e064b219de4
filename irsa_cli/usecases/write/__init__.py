"""The commands that change one binding, or the cluster's provider.

Many at a time, from files, are in `irsa_cli.usecases.files`.
"""
