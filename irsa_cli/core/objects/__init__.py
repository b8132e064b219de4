"""Objects of Kubernetes as values, read from their JSON, and what could not be read.

What is wrong with one is decided in `irsa_cli.core.doctor`.
"""
