"""A small Kubernetes API for the calls of irsa, as strict as the real one where irsa depends on it.

A real control plane needs Go and minutes to build, so most tests use this one; `tests/contract` runs the
same tests against both, and what differs is corrected here. It stores objects with versions and
preconditions, answers discovery, dry runs and token requests, enforces RBAC, and changes new pods as the
webhook of EKS does.

It has only what irsa calls or a page of the documentation shows. AWS callers are identified in
`irsa_cli.sandbox.kubefront`; sockets and faults are in `irsa_cli.sandbox`.
"""
