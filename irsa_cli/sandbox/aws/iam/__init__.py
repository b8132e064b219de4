"""IAM of the sandbox: the rules that stand before moto's calls, and what is put right in its answers.

A rule of a call either refuses (AwsError), answers by itself, or returns None: moto executes the call then.
The caller, and its permission, are found before that in `irsa_cli.sandbox.aws.front`.
"""
