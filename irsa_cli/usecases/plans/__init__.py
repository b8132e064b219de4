"""Saved plans: writing what a dry run has planned into a file, reading it, carrying exactly that out.

How a plan is made and carried out is the business of `irsa_cli.usecases.write` and `irsa_cli.usecases.files`;
whether one is still what was planned, that of `irsa_cli.core.plan.expected`.
"""
