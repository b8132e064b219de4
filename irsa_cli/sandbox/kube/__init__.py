"""A small Kubernetes API of our own for irsa's calls; tests/contract also run against a real one."""
