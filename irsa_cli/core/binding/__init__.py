"""One ServiceAccount and its role: what a user wants of them, and what is there.

A command line and an entry of a file become the same `BindingSpec`, and only with a cluster it becomes the
desired state, because ARNs need a partition and an account. The current state is one value for all commands,
a `Binding`: it has all that a plan must not destroy (owner, further statements), and for a part that could
not be read the reason. Whether a part is irsa's is judged on it once, so that no command deletes what another
one calls foreign.

A field that decides whether irsa acts is compared in `irsa_cli.core.planning`, not here. Lists of many
bindings are in `irsa_cli.core.inventory`, marks of owners in `irsa_cli.core.marks`, the syntax of files in
`irsa_cli.core.config`.
"""
