"""The binding of one ServiceAccount to its role: as it is wanted, as it is, and whose it is.

A plan connects the two. `spec` has what is wanted; `current`, `bound` and `update_request` have what the
commands that create, delete and change a binding have read of it; `ownership` tells whom a role belongs to
and refuses what is somebody else's. Nothing here knows a command, reads anything or decides about the
order of changes: that is the business of `irsa_cli.core.planning`.
"""
