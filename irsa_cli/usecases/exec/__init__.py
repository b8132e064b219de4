"""`irsa exec`: a command on this machine with the identity of a ServiceAccount, as in one of its pods.

A developer who tries a role with personal credentials tries another role. Here the command gets a token or
an agent on 127.0.0.1 like a container, in a private file that is renewed and removed, and nothing of the
caller's own credentials. It stays in the terminal's process group, so Ctrl-C and exit codes are the
command's. It is no security boundary: it runs as the same user.

How the identity is obtained is in `irsa_cli.usecases.read`, since `token` and `credentials` print it; which
variables a pod would have, in `irsa_cli.core.objects`.
"""
