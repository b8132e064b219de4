"""Why a pod has no credentials of its role: all known causes, each judged by facts that were read before.

A setup fails in many places (cluster, annotation, trust policy, webhook, pod, STS), and most failures look
the same to the application. So everything around a ServiceAccount is read once into `facts`, and every
cause is a pure check of them, which tests can break one at a time. A check that lacks a fact says so:
"can't be read" is never "does not exist". `finding` has the verdicts, `commands` the proposals.

Reads belong in `irsa_cli.usecases.doctor`, what several causes derive from facts in `clues`, and what works
but is risky in `irsa_cli.core.trust.rules`.
"""
