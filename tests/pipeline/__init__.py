"""What irsa offers to pipelines: the action, files for other systems, manifests, the release."""
