"""irsa: give a Kubernetes ServiceAccount on Amazon EKS its own IAM role, in one transaction.

Only the version lives here, so that importing the package costs nothing.
"""

__version__ = "0.1.0"
