"""The commands that only show: `get-sa` and `describe-sa`.

Reading is in `irsa_cli.usecases.read`, the documents are in `irsa_cli.core.inventory`.
"""
