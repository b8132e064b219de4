"""Who may do what in a cluster, by RBAC, and who may become a ServiceAccount. Values and pure functions.

What a ServiceAccount gets in AWS is `irsa_cli.core.audit`'s business.
"""
