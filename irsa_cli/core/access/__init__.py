"""Access: who can assume which role, in a state that was read, and what a plan changes of that; pure.

Documents in, values out. `documents` has what was read and what a plan leaves of it. `admitting` judges it by
the evaluator of `irsa_cli.core.trust`, `difference` compares two states, `guard` refuses a plan.
"""
