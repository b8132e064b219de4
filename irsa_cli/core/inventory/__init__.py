"""The bindings of a cluster, or one in detail, for `get-sa` and `describe-sa`."""
