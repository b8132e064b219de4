"""What is unsafe in who may become which role: one table of rules, and the pure functions that judge by them.

Audits, linters and the warnings of other commands take their words from here. A whole account is put
together in `irsa_cli.core.audit`; whether a token is admitted is `irsa_cli.core.trust`'s business.
"""
