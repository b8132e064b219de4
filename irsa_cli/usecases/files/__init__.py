"""The commands that work on configuration files: apply, diff, delete, prune.

What files may say is in `irsa_cli.core.config`.
"""
