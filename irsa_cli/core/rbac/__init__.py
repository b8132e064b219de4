"""Rights in a cluster by RBAC, and who can act as a ServiceAccount. Values and pure functions."""
