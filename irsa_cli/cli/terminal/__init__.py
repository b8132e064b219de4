"""The terminal: progress, colours and widths, words that are printed.

What results look like is in `irsa_cli.cli.output`.
"""
