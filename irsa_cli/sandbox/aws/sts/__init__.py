"""STS of the sandbox: exchanges decided as STS decides them, and the trail that they leave.

What credentials stand for afterwards is in `irsa_cli.sandbox.aws.callers`.
"""
