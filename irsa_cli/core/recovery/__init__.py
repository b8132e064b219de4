"""Leftovers of interrupted runs: which of them `irsa_cli.usecases.recovery` may roll back, on whose word."""
