"""The work of each command, without its options and its output: connect, read, plan, act, report.

A command line, an entry of a file and a saved plan ask for the same work, so it has one entrance: a
`Request` with checked values in, a result out. Here calls are put in an order, run at the same time,
repeated when another run interferes, and stopped by a signal.

Decisions are not made here: what a state means, and what to change, is asked of `irsa_cli.core`. How a
change is written is in `irsa_cli.changes`, options and texts are in `irsa_cli.cli`.
"""
