"""What the commands do, without how they are called or shown: connect, observe, plan, run, report.

Options and output are in `irsa_cli.cli`; what a change does in `irsa_cli.changes`.
"""
