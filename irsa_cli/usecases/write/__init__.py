"""The commands that change a binding, a provider, or all roles of an account: one module for each.

Each is the same loop with its own middle: connect, lock, read, plan, perform, and again if somebody came
between. They differ in their reads and in the function of `irsa_cli.core.planning` that plans. They import
no diagnosis, audit or sandbox, so that little code can write to an account (SECURITY.md counts it).

A decision or a refusal belongs to `irsa_cli.core.planning`, a read to `irsa_cli.usecases.read`, locks to
`irsa_cli.usecases.locks`. Files and prune, which run this work many times, are in `irsa_cli.usecases.files`.
"""
