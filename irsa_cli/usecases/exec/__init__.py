"""`irsa exec`: a local command with a ServiceAccount's identity."""
