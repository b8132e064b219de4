"""Calls to one Kubernetes API, and the meaning of their answers and failures.

irsa needs no kubeconfig: EKS tells endpoint and CA, and the token is a presigned URL. Calls are raw JSON
instead of the client's models, which take longer to import than a run takes. A page of a proxy with status
200 is no answer: its form is checked, and statuses and reasons, never messages, say what a failure means.

Compare-and-set of objects is in `irsa_cli.changes`; which objects a command reads, in
`irsa_cli.usecases.read`; what they mean, in `irsa_cli.core.objects`.
"""
