"""Calls to AWS that read, and the meaning of their answers and failures.

IAM answers from many places, some of them seconds behind, and a proxy may answer in the place of AWS. So no
caller uses boto3 itself: here an answer is checked for its form, a late one is asked for again, and a
failure becomes an error that says whether the call was refused, not sent, or unknown. Codes decide that,
never messages, because AWS changes messages.

Writes are in `irsa_cli.changes`, each next to its inverse. The meaning of the values for a binding is
decided in `irsa_cli.core`, the reads of a command in `irsa_cli.usecases.read`.
"""
