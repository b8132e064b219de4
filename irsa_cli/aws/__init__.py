"""AWS: sessions, the cluster as EKS describes it, reading IAM, and the meaning of errors."""
