"""Locks by which one run at a time changes a binding: taking, renewing and releasing them.

Locks and the content of a Lease are in `irsa_cli.core.marks.locks`; the calls are in `irsa_cli.kube.client`.
"""
