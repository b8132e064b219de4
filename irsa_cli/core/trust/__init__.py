"""Trust policies: the statement that irsa writes, whether one admits a token, how wide it is.

The token itself.

The tests of a Condition block are in `irsa_cli.core.policies`.
"""
