"""The decisions of irsa as values and pure functions: what is desired, what is there, what follows.

A decision about somebody's IAM roles must be testable without AWS, and the same for a flag, a file and a
saved plan. So nothing here does I/O or imports boto3, kubernetes, click or rich (import-linter checks it):
facts come in as values, and a plan, a verdict or an error goes out. An object that could not be read is a
value too, never the same as one that does not exist.

Reading belongs to `irsa_cli.usecases.read` and below, writing to `irsa_cli.changes`, texts on a screen to
`irsa_cli.cli.output`.
"""
