"""A change as a value with its inverse, a plan as stages of changes, and how both are written down.

Rollback, recovery from a journal, saved plans, progress and `--dry-run` are one mechanism because a change
is the same value backwards. They know no kinds: what they must know of one is a trait in its row of `kinds`,
and a kind without a trait does not load. Journals and saved plans outlive a version, so keys on disk never
change, and what is not understood is refused rather than skipped.

Which changes a command needs is decided in `irsa_cli.core.planning`; how a change is carried out, in
`irsa_cli.changes`; in which order and with what safety, in `irsa_cli.transaction`.
"""
