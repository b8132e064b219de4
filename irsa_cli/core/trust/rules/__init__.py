"""All rules about risks, written once for files, for an account, and for what is about to be created.

A rule has a row in `rules.json` (its texts, its severity, an example that breaks it and one that does not)
and a check: a pure function of one subject that yields a `Risk`. Trust policies are judged by `judge`, with
`width` and `providers`; ServiceAccounts and associations by `accounts`; roles by `permissions`, weighed by
`power`. A subject's reader leaves unknown what it could not read, and what is unknown breaks no rule.

How a subject is read, and which risks are shown or fatal, does not belong here. Neither do rules that need
a whole account, such as unused roles: see `irsa_cli.core.audit`.
"""
