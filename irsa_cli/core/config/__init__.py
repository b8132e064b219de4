"""Configuration files: text in, values out (`parse`), each error with its file, line and column.

Two kinds are read: eksctl's ClusterConfig (its `iam.serviceAccounts`) and irsa's own Bindings, which have the
same fields and more. Which files there are, and reading them, is `irsa_cli.usecases.files.reading`' business.
"""

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Binding, Config, OtherCluster, Selection, distinct

__all__ = [
    "Binding",
    "Config",
    "OtherCluster",
    "Selection",
    "distinct",
    "parse",
]
