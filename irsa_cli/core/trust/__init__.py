"""Trust policies: which tokens a role accepts, and the statement that makes it accept one.

AWS answers AccessDenied without a reason, and IAM's simulator does not simulate trust policies. So the
policies are evaluated here as AWS does it, with three answers: yes, no, and unknown, with the condition
that decides. What is written is checked by the same evaluation. Statements that irsa wrote are recognized,
so that only they are changed.

What is risky belongs in `rules`; what a role may do in `irsa_cli.core.policies`; reading and writing IAM in
`irsa_cli.aws` and `irsa_cli.changes`.
"""
