"""The marks that irsa and other tools leave on their objects: the owner, and how far it has come."""
