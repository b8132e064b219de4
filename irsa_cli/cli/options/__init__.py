"""The options that several commands share, their types, and the way from their values to a request.

The same flag must mean the same everywhere: with one definition for each, `--cluster` has one help text, one
completion and one rule. Types call the rules of `irsa_cli.core.values` only when a value is checked, so that
`--help` does not import them. All values are checked before the first call: bad input ends with exit code 2.

An option of one command stays in its module in `irsa_cli.cli.commands`. Which variable or setting stands for
an option is decided in `irsa_cli.cli.help`.
"""
