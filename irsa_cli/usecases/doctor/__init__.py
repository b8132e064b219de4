"""`irsa doctor`: read what surrounds a ServiceAccount, or all of them, and judge every cause by it.

A diagnosis needs some thirty reads of EKS, IAM, Kubernetes and CloudTrail, and whoever runs it has often
not the right to some of them. So the reads begin early, run at the same time, and each ends in a value or
in the reason why it can't be known (`reads`). Reads that depend on others follow (`further_reads`). A Job
that runs under the ServiceAccount comes last (`in_pod`): no read may see its pod. doctor deletes it, and
writes nothing else.

Causes and verdicts belong in `irsa_cli.core.doctor`.
"""
