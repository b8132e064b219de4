"""The work of the commands, without their options and output: connect, observe, plan, run, report.

Options and output are in `irsa_cli.cli`; what a change does in `irsa_cli.changes`.
"""
