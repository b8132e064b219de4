"""A change as a value, and plans made of changes; the states that a change leads between.

Which changes a command needs is decided in `irsa_cli.core.planning`; carrying them out is not done here.
"""
