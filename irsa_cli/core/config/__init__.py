"""Configuration files: text in, values out (`documents.parse`), each error with its file, line and column.

Two kinds are read: eksctl's ClusterConfig (its `iam.serviceAccounts`) and irsa's own Bindings, which have the
same fields and more. Which files there are, and reading them, is `irsa_cli.usecases.files.reading`' business.
"""
