"""One account as a whole: which ServiceAccounts can assume which roles, and the risks of that.

A single trust policy does not tell who gets a role: it depends on the ServiceAccounts that exist, on roles
that assume other roles, on associations, and on who can act as a ServiceAccount in Kubernetes. So
everything is read once in lists (`estate`), from AWS or from files, and all answers are computed from that.
A part that could not be read is a gap in the report, never a risk.

Rules about a single policy, ServiceAccount or association belong in `irsa_cli.core.trust.rules`, where lint
uses them as well. Calls to AWS belong in `irsa_cli.usecases.audit`.
"""
