"""Facts of this machine without any call: kubeconfig, settings, names for completion."""
