"""Objects of AWS and Kubernetes as they were seen: roles, associations, ServiceAccounts, pods, webhooks.

Each class is what irsa knows of one object, whichever command has read it and however deep: a part that
was not read says so, so that nobody takes "not read" for "none". A command that needs more of an object
reads more of it, and has no class of its own. A value that a run writes is a state
(`irsa_cli.core.plan.states`). The owner of an object depends on more than the object: see
`irsa_cli.core.marks` and `irsa_cli.core.binding`.
"""
