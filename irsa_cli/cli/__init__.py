"""The command line: one module for each command (options in, use case called, result printed).

Nothing here imports boto3, kubernetes or rich when `irsa --help` loads it.
"""
