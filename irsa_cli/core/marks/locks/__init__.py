"""Locks by which one run at a time changes a binding, as values: what is locked, and what a Lease says of it.

Taking, renewing and releasing them is in `irsa_cli.usecases.locks`.
"""
