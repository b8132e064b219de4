"""Rights in Kubernetes: who can act as a ServiceAccount, and so gets its IAM role.

Whoever can create a pod or a token for a ServiceAccount has its role in AWS, whatever the trust policy
says. The API server can be asked about one subject at a time, but not who has a right, and it knows no IAM
principals. So RBAC's objects are read once and evaluated here as the API server does it, together with
EKS's access entries and the ConfigMap aws-auth.

Reading them belongs in `irsa_cli.usecases.read`, the risks of rights in `irsa_cli.core.audit`. Nothing that
writes may import this room.
"""
