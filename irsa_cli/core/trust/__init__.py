"""Trust policies: the tokens that a role accepts, and the statement with which it accepts one.

AWS answers AccessDenied without a reason, and IAM's simulator does not simulate trust policies. So the
policies are evaluated here as AWS does it, with three answers: yes, no, and unknown, with the condition
that decides. The same evaluation checks a statement before it is written. Statements that irsa wrote are
recognized, so that only they are changed.

Risks belong in `rules`; permissions of a role in `irsa_cli.core.policies`; reading and writing IAM in
`irsa_cli.aws` and `irsa_cli.changes`.
"""
