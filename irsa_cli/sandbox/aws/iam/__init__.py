"""IAM of the sandbox: the rules that stand before moto's calls, and corrections of its answers.

IAM is what irsa writes most, and where moto differs most: grammar of policies, quotas, deletions that
conflict, roles that refer to deleted users. A rule of a call either refuses (AwsError), answers by itself,
or returns None: moto executes the call then. moto itself stays as it is, since a copy with changes would age
with each of its versions.

The caller, and its permission, are found before that in `irsa_cli.sandbox.aws.front`. Other services have
modules of their own in `irsa_cli.sandbox.aws`.
"""
