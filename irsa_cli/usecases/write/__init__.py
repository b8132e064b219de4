"""Commands that change one binding, or the cluster's OIDC provider."""
