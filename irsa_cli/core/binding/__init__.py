"""One ServiceAccount's binding to its role: its desired state, its current state, and whose it is.

The plan from one to the other is in `irsa_cli.core.planning`.
"""
