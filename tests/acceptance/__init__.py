"""A run of irsa in a real AWS account and an existing cluster, by anybody: docs/how-to/acceptance.md."""
