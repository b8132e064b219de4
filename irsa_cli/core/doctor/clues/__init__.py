"""What several causes ask of the facts: injection, users, roles that were meant, flaws of trusts, exchanges.

No cause is defined here, and nothing here knows one: those are in `irsa_cli.core.doctor.causes`.
"""
