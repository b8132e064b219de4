"""`irsa recover`: by the journals of this machine, or by what runs have left in a cluster.

`irsa_cli.core.recovery` decides what may be rolled back.
"""
