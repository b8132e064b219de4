"""`irsa preflight`: the AWS identity that the programs of this container get, seen from inside of it.

It runs in images with Python 3.8 and no packages, so it imports only the standard library, and nothing else
of irsa. It reads environment, files, STS, EKS Pod Identity's agent and IMDS. It writes nothing, and needs
neither the Kubernetes API nor a permission. `irsa_cli.core.doctor` examines a pod from outside.
"""
