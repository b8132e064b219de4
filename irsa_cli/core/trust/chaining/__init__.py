"""Roles that go on to another role: the permission, the target's trust policy, and what SDKs have to be told.

All of it is pure; what is there is read by `irsa_cli.usecases`.
"""
