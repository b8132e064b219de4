"""Reading the current state: of one ServiceAccount, of many, of a cluster, of an account.

Readers decide how fast irsa is, and what it may say: calls that do not need each other run at the same time,
many objects are read in lists, and a part whose call is not permitted is unread, not absent. All commands
read through here, so that two of them never see the same binding differently.

Nothing is written and little is judged: values go to `irsa_cli.core`. A single call, and what its failure
means, is in `irsa_cli.aws` or `irsa_cli.kube`; facts that only a diagnosis needs are read in
`irsa_cli.usecases.doctor`.
"""
