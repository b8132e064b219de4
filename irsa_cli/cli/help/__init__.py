"""Help texts, completion, near misses, and values from the environment: all before a command runs.

A line that was meant for eksctl or kubectl gets one short answer with the line that was probably meant. irsa
never runs it: a guess that creates a role is worse than an error. For the same reason, options that permit a
deletion or a broader policy have no environment variable.

Every command imports this room, so it imports little. Options themselves are in `irsa_cli.cli.options`; what
a value must look like, in `irsa_cli.core.values`; errors of a run that has begun, in `irsa_cli.cli.output`.
"""
