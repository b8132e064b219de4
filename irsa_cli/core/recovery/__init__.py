"""Leftovers of interrupted runs: which of them may be rolled back, and on whose word.

Reading it and taking it back is in `irsa_cli.usecases.recovery`.
"""
