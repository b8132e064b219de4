"""All bindings of a cluster, or one with all around it, as `get-sa` and `describe-sa` show them.

Why a pod does not get its role is in `irsa_cli.core.doctor`.
"""
