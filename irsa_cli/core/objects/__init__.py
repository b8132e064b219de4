"""Objects of Kubernetes and AWS as values, reduced to what irsa reads of them.

The clients' own models take longer to import than a run of irsa, and hold more than irsa may know: a
container's environment contains secrets. So a value of a variable is kept only if a module declares that it
needs it, and asking for any other is an error.

Here an object is parsed and described, not judged: who uses a role is in `irsa_cli.core.uses`, what is wrong
with a pod in `irsa_cli.core.doctor`. Objects that irsa writes have states in `irsa_cli.core.plan.states`;
calls are in `irsa_cli.kube` and `irsa_cli.aws`.
"""
