"""`irsa recover` and `irsa history`: finish what interrupted runs have begun, with or without their journal.

With the journal of this machine, a run is rolled back or continued step by step. Without it (another
machine, a container that is gone), what the run left is found by its marks in IAM and the cluster, and goes
by the same inverse changes, with a new journal. Neither trusts a file alone: somebody who puts a journal
into the folder must achieve no more than to remove what bears that run's mark.

The decision about leftovers is in `irsa_cli.core.recovery`. The rollback of a run that fails now is part of
`irsa_cli.transaction`.
"""
