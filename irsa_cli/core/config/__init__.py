"""Configuration files: parse eksctl's ClusterConfig and irsa's Bindings, with line and column of errors."""
