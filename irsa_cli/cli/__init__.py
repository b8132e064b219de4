"""The command line: from words to a request, and from a result to text and an exit code.

`irsa --help`, completion and mistyped lines must answer at once, so nothing here imports boto3, kubernetes
or rich before a command runs, and commands are imported by name. All commands share the way from start to
end (`session`): progress, signals, errors, output, exit code; a command that did this itself would forget
one.

Here nothing is read or changed: a command asks one use case, and nobody below the use cases. Rules of values
are in `irsa_cli.core.values`, so that files and saved plans obey the same ones.
"""
