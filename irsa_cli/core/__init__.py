"""Pure values and functions: names, ARNs, issuers, policies, the desired state and the plan.

Nothing here does I/O or imports boto3, kubernetes, click or rich (import-linter checks it).
"""
