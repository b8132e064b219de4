"""The marks on roles and ServiceAccounts: their owner, and how far a run of irsa has come with them.

irsa keeps no state of its own, so a deletion, a rollback and a second run on another machine know only what
tags and annotations say. One room reads them as an answer: a command that judged them by itself could delete
what another one calls complete. Marks of other tools are read the same way, and never guessed from names.

Marks are written as parts of a plan (`irsa_cli.core.planning`). Which leftovers may be rolled back is
decided in `irsa_cli.core.recovery`; names of the keys are in `irsa_cli.core.plan.states`.
"""
