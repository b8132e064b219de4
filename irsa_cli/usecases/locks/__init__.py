"""Locks: one run at a time changes a binding, on whatever machine it runs.

Two runs that both read "not there" both create a role. IAM cannot prevent that, but the cluster can: a
Lease, taken and renewed by compare-and-set, with the server's clock as the only clock. A run that loses its
lock stops writing. Locks are taken in one order, and free ones during the work before, so that runs neither
block each other for ever nor wait in line for nothing.

Names of locks and the content of a Lease are in `irsa_cli.core.marks`. A lock replaces no check: changes
still compare before they write (`irsa_cli.changes`).
"""
