"""Objects of Kubernetes as values, what could not be read, and what a pod gets of an identity.

What is wrong with one is decided in `irsa_cli.core.doctor`; a command is run as a pod would in
`irsa_cli.usecases.exec`.
"""
