"""The parts of every command around its own work: connect, run a plan, retry, and stop in time.

All plans pass one function, `perform` of `execute`: it compares who can assume which role, shows the plan,
asks, writes the journal, runs the transaction and says how to repair what is left. A command that did a part
of this itself would be the one without a rollback. Time limits, signals and parallel runs are here for the
same reason.

The content of a plan comes from `irsa_cli.core.planning`; the transaction is in `irsa_cli.transaction`;
locks have a room of their own, `irsa_cli.usecases.locks`.
"""
