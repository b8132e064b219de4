"""Access: the roles that each identity can assume, in a state that was read, and the changes by a plan.

Every plan of every command is checked here: one that adds takes a role from nobody and gives it to nobody
else than it says. A command that looked after its own case only would miss the rest, since a statement that
is harmless by itself can bypass the condition of another one. So the question is who can assume the role
before and after, over all ways.

Documents in, values out: A single policy is evaluated in `irsa_cli.core.trust`; risks of policies that no
plan changes are found in `irsa_cli.core.audit`.
"""
