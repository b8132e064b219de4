"""Facts that several causes derive from what was read: users of a ServiceAccount, flaws of a trust policy.

If two causes each searched for "the pods of this application", they would find different pods and contradict
each other in one diagnosis. So facts that more than one cause needs are derived once, here, from `Facts`.

A clue has no verdict, no weight and no fix: a module of `irsa_cli.core.doctor.causes` decides what it means.
It does not know that causes exist (import-linter checks it). A fact that only one cause needs stays in that
cause; whether a token is accepted is evaluated in `irsa_cli.core.trust`.
"""
