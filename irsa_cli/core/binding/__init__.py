"""The binding of one ServiceAccount to its role: desired state, current state, and owner."""
