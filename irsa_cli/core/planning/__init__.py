"""Plans of the writing commands, and their refusals.

A plan is a function of what is wanted and what was read, so that `--dry-run`, a saved plan and a run show
and do the same. Each command has its module; what several of them ask (who uses a role, how broad it
becomes, whose it is) is asked in one place. Nothing is read or written here.
"""
