"""The facts, causes and findings of `irsa doctor`."""
