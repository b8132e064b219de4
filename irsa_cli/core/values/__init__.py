"""Small values and their rules: ARNs, names, issuers, errors, durations, and texts that may be shown.

A value is checked by one rule, wherever it comes from: a flag, a file, a saved plan or an annotation that
anybody may have written. Rules quote AWS or Kubernetes and accept exactly what these do, since a stricter
one would refuse somebody's cluster. Errors are values too: they carry cause, next step and exit code.

This is the lowest room: it knows no policies, plans or commands. A rule about a policy belongs to
`irsa_cli.core.policies`; one about a field, to the type of that field in `checked`.
"""
