"""Trust policies: irsa's statement, which subjects a policy allows, tokens, and (in `rules`) what is unsafe.

The tests of a Condition block are in `irsa_cli.core.policies`.
"""
