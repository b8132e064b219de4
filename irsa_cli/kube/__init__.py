"""Kubernetes: the connection built from DescribeCluster (or a kubeconfig), and the few calls irsa makes.

How ServiceAccounts and namespaces are changed is in `irsa_cli.changes`.
"""
