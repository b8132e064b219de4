"""A part of many clusters: which of them it has depends on each cluster alone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import InvalidInput


@dataclass(frozen=True)
class Shard:
    """One of `total` parts of the clusters, counted from 0. Another cluster moves none to another part."""

    index: int
    total: checked.Parts

    def has(self, *cluster: str) -> bool:
        """Whether the cluster with this account, region and name is in it."""
        digest = hashlib.sha256("/".join(cluster).encode()).digest()
        return int.from_bytes(digest, "big") % self.total == self.index


def parse(text: str) -> Shard:
    """A shard from INDEX/TOTAL; raises `InvalidInput`."""
    found = re.fullmatch(r"(0|[1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise InvalidInput(
            f"'{text}' is not a shard", reason="expected INDEX/TOTAL, counted from 0: 0/4 to 3/4"
        )
    return Shard(int(found[1]), int(found[2]))
