"""The text of each kind of result, and the `Report` that all other forms are views of.

A module is about a result, not about a command: `create-sa`, `apply` and `recover` end in the same
transaction and must describe it in the same words. Text for people and entries of a report are written next
to each other, so that a fact which is added to one is not forgotten in the other.

Here nothing is counted or judged again: totals, verdicts and exit codes come from `irsa_cli.core.results`
and the room of their subject. How a form escapes and shortens is its business, in
`irsa_cli.cli.output.views`.
"""
