"""Trust policies: the statement that irsa writes, whether one admits a token; tokens; `rules`: what is unsafe.

The tests of a Condition block are in `irsa_cli.core.policies`.
"""
