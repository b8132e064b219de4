"""The bindings of a cluster as a list, one of them in detail, and the same as a configuration file.

A role and a ServiceAccount name each other, and either may be missing, changed by others or unreadable. Here
the pair gets one status that `get-sa`, `describe-sa`, `init` and `audit` share, so that no command calls
complete what another one calls broken. A problem of one binding hides no other.

The calls are in `irsa_cli.usecases.read`; pods and templates are judged in `irsa_cli.core.uses`, and risks
in `irsa_cli.core.audit`. How far irsa's run with a role has come, `irsa_cli.core.marks` says.
"""
