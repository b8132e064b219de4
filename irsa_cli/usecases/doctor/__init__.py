"""`irsa doctor`: reads all that may tell why a pod does not get its role.

The causes are in `irsa_cli.core.doctor`.
"""
