"""irsa: give a Kubernetes ServiceAccount on Amazon EKS its own IAM role, in one transaction.

Only the version is here. `irsa --help` and shell completion import this package, so one import here would
make every start slower. Decisions are in `core`, which does no I/O; calls that read are in `aws` and `kube`;
`changes` and `transaction` write and roll back; `usecases` connects them for one command, and `cli` reads
the command line and prints. Two packages share no code with these: `sandbox`, because a mistake in shared
code would be wrong on both sides of a test, and `preflight`, which runs in pods without irsa.
"""

__version__ = "0.1.0"
