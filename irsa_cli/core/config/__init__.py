"""Configuration files: text in, values out (`documents.parse`), each error with its file, line and column.

Two kinds are read: eksctl's ClusterConfig (its `iam.serviceAccounts`) and irsa's own Bindings, which have the
same fields and more.
"""
