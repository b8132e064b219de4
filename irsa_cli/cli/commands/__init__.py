"""The commands, one module for each: its options, the call of its use case, its output.

A run imports the module of its command only, so a command does not import another one, except if they are
the same work (`diff` and `apply`). Its help is written here; the summary is in `commands.json`, because
`irsa --help` lists all without importing any.

Shared parts of commands go elsewhere: an option to `irsa_cli.cli.options`, a result's text to
`irsa_cli.cli.output.results`. Whatever a test without a command line could ask belongs to
`irsa_cli.usecases` or `irsa_cli.core`.
"""
