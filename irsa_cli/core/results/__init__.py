"""The results of commands as values, with their JSON documents and exit codes.

Scripts depend on both, so they are promises: fields are added and never changed, and an exit code has one
meaning in all commands. A result says what was not read or not checked as plainly as what was: an empty list
must never mean "not permitted".

Texts for people are elsewhere (`irsa_cli.cli.output`), and nothing is decided about AWS or a cluster.
Results of one subject alone live in its room: a diagnosis in `irsa_cli.core.doctor`, an audit in
`irsa_cli.core.audit`.
"""
