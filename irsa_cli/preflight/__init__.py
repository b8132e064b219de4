"""`irsa preflight`: which AWS identity the programs of this container get, seen from inside of it.

It runs in images that have Python 3.8 and nothing else, so it imports the standard library only, and nothing of the
rest of irsa. It reads environment, files, STS, EKS Pod Identity's agent and IMDS; it writes nothing, and needs neither
the Kubernetes API nor a permission. What can be seen from outside of a pod is `irsa_cli.core.doctor`'s business.
"""
