"""Commands for configuration files: `irsa apply`, `diff`, `delete -f` and `apply --prune`.

Files name hundreds of ServiceAccounts in many clusters. One after the other, as the commands for
one do it, they took minutes: so a cluster is read in lists, its entries run at the same time, and one that
fails stops no other. The shared parts (OIDC provider, namespaces) are a transaction around those
of the entries. Deletions take their locks before they read, as a list is no evidence once others can write.

How one ServiceAccount is created or deleted is in `irsa_cli.usecases.write`; the form of the files is in
`irsa_cli.core.config`. Neither belongs here, nor anything that a command for one ServiceAccount needs.
"""
