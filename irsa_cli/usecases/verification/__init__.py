"""`irsa verify` and `--verify`: prove that a ServiceAccount can use its role by doing what its pods do.

Reading policies shows what should work. Only an exchange of a real token at STS shows that it does: IAM
spreads a change over seconds, and SCPs or endpoints are in no policy of the role. So each step is a try with
a verdict, the first that fails names the obstacle, and what was not checked is said.

Tokens and credentials are neither printed nor kept. Why a step fails beyond its own answer is a question for
`irsa_cli.usecases.doctor`; verdicts as values are in `irsa_cli.core.results`.
"""
