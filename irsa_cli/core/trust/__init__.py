"""Trust policies: the statement that irsa writes, whether one admits a token, how wide it is; and tokens.

The tests of a Condition block are in `irsa_cli.core.policies`.
"""
