"""`irsa recover`: by the journals of this machine, or by the leftovers of runs in a cluster."""
