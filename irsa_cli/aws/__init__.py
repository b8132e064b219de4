"""AWS: sessions, the cluster as EKS describes it, reading IAM, and which errors mean what.

How IAM objects are written is in `irsa_cli.changes`.
"""
