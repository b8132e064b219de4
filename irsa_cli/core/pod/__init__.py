"""What a pod gets of a ServiceAccount's identity: what the webhook injects, and an environment like a pod's.

Running a command in it is in `irsa_cli.usecases.exec`.
"""
