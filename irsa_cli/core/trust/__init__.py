"""Trust policies: irsa's statement, whether one admits a token; tokens; in `rules`, what is unsafe.

The tests of a Condition block are in `irsa_cli.core.policies`.
"""
