"""Flags as typed fields: the groups that several commands share, and the mechanism that binds them to click.

click hands a command a dictionary, in which nobody notices a misspelt name or a value of another type. Here
a field of a dataclass declares its flag (`fields`) with the kind of its values (`kinds`), mypy compares the
two, and a command gets an object of its own class. Flags that belong together are a group, which a command
has as one field: `accounts`, `reach`, `running`, `outputs`, `files`, `roles`, `audits`. Flags that
contradict each other are rows of a table (`contradictions`).

A group may turn its values into a value of a use case (`RunFlags.settings`, `Destination.target`). A flag
of one command is in the module of that command; variables, `.irsa.yaml` and help are in
`irsa_cli.cli.help`.
"""
