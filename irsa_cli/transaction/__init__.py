"""A plan as one transaction: run it, note every step before its call, roll it back, or recover it later.

A process can die between a call and its answer, and a call can end without saying whether it worked. So each
step is in the journal, on disk, before its request goes out, and a rollback treats an unknown end as
"perhaps done". It undoes only what it can prove to be its own: another run may have continued from it.

It knows no AWS, no Kubernetes and no kind of change (import-linter checks it): what a change does is behind
the protocol of a handler, in `irsa_cli.changes`. Which runs may be recovered is decided in
`irsa_cli.core.recovery`.
"""
