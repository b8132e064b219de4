"""Locks by which one run at a time changes a binding: taking, renewing and releasing them.

What is locked, and what a Lease says, is in `irsa_cli.core.marks.locks`; the calls are in
`irsa_cli.kube.client`.
"""
