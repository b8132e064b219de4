"""The commands that show bindings as they are: `get-sa`, `describe-sa`, `export` and `init`.

People run them first when something is broken, often with few permissions. So each part that cannot be read
becomes a line that says so, and the rest is shown; nothing is tried out, and no token is requested. A list
of a whole cluster costs few calls, whatever its size.

Whether a role really works is proven in `irsa_cli.usecases.verification`, why it does not in
`irsa_cli.usecases.doctor`. The reads are in `irsa_cli.usecases.read`, the status of a binding in
`irsa_cli.core.inventory`.
"""
