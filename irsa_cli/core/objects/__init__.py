"""Objects of AWS and Kubernetes as they were seen: roles, associations, ServiceAccounts, pods, webhooks.

Each class is what irsa knows of one object, whichever command has read it and however deep: a part that
was not read says so, so that nobody takes "not read" for "none". A command that needs more of an object
reads more of it, and has no class of its own. What a run writes is another thing, a state
(`irsa_cli.core.plan.states`), and whose an object is depends on more than itself: see
`irsa_cli.core.marks` and `irsa_cli.core.binding`.
"""
