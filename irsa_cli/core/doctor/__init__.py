"""What `irsa doctor` observes, the causes it knows, and what they say together.

Reading what it observes is in `irsa_cli.usecases.doctor`.
"""
