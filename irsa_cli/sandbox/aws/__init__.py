"""IAM, STS, EKS and S3 of the sandbox: moto, behind a layer that refuses what AWS refuses.

moto stores objects well and permits nearly everything: bad signatures, missing permissions, policies that
IAM rejects. A transaction that is only tried on it works until its first day at AWS. So every call passes
`front`: who signed it, may they do it, is the request valid; then moto executes it, and what its answer
lacks is added.

Latency, faults and late reads are not about AWS and are in `irsa_cli.sandbox.exchange`. Facts about AWS are
quoted with their sources in `tests/aws_facts`; a rule without a source does not belong here.
"""
