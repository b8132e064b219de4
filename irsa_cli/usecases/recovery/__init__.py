"""`irsa recover`: by the journals of this machine, or by what runs have left in a cluster.

What may be rolled back is decided in `irsa_cli.core.recovery`.
"""
