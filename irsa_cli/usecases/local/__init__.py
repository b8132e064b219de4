"""Facts of this machine without any call: kubeconfig, settings in force, names to complete.

Completion runs at every Tab and must neither wait, fail nor run a credential plugin, so these modules read
files only and skip what they cannot read. The cluster of a kubeconfig context is recognized from its text
for the same reason: calling the cluster to learn its name would need the credentials that are being chosen.

Settings that change what a run does are read, strictly, by `irsa_cli.usecases.command`; here they are only
shown. The syntax of `.irsa.yaml` is in `irsa_cli.core.config`.
"""
