"""Kubernetes: the connection built from DescribeCluster (or a kubeconfig), and the few calls irsa makes."""
