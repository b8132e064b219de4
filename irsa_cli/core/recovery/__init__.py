"""Leftovers of interrupted runs: which of them `irsa_cli.usecases.recovery` may roll back, on whose word.

The journal of a run may be gone with the machine that wrote it. Then only marks in IAM and Kubernetes tell
what a run has left, and anybody may have written those: what somebody may use is left alone, with the
reason.
"""
