"""`irsa token`, `credentials` and `exec`: the identity of a ServiceAccount on this machine, as in its pods.

A developer who tries a role with personal credentials tries another role. `identity` gets a token and
exchanges it, `forms` has the credentials as shells and SDKs read them, `run` gives them to a command: it
gets a token or an agent on 127.0.0.1 like a container, in a private file that is renewed and removed, and
nothing of the caller's own credentials. It stays in the terminal's process group, so Ctrl-C and exit codes
are the command's. It is no security boundary: it runs as the same user.

Whether a ServiceAccount has a role is in `irsa_cli.usecases.read`, as other commands ask it; which variables
a pod would have, in `irsa_cli.core.objects`.
"""
