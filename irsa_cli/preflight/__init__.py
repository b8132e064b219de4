"""`irsa preflight`: the AWS identity that the programs of this container get, seen from inside of it.

`irsa doctor` sees a pod from outside and cannot know what an SDK in it really does with its files, variables
and network. This runs in the image itself, with Python 3.8 and no packages, so it imports only the standard
library and nothing else of irsa. It reads environment, files, STS, EKS Pod Identity's agent and IMDS. It
writes nothing, and needs neither the Kubernetes API nor a permission.

A cause that shows from outside of the pod belongs to `irsa_cli.core.doctor`; the command that starts this
one is in `irsa_cli.cli.commands`.
"""
