"""Leftovers of interrupted runs: which of them may be rolled back, and on whose word.

A run may die between a write and the line that notes it, on a machine that nobody has any more. Its
leftovers look like somebody's half of a binding, and deleting a complete one is worse than leaving rubbish.
So a leftover is rolled back only if marks on the objects prove that its run never ended. A journal alone
proves nothing: a file can be put into a folder.

Reading and acting are in `irsa_cli.usecases.recovery`, the rollback itself in `irsa_cli.transaction`, the
meaning of one object's marks in `irsa_cli.core.marks`.
"""
