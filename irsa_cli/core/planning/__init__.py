"""The plan of each writing command, or the reason why there is none: pure functions of what was read.

All changes must be known before the first write: for `--dry-run`, for a review and for a rollback. So a
command does not decide step by step while it writes: here it gets all changes at once, or `Refused` with
every difference and the flag that would settle it. A plan touches nothing that irsa's marks do not cover,
unless a flag names it.

The state is read in `irsa_cli.usecases.read`. Gains and losses of roles by a plan are checked for all
commands in `irsa_cli.core.access`; the kinds of change are in `irsa_cli.core.plan`.
"""
