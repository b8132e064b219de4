"""The cluster of a run as a value. Reading it is in `irsa_cli.usecases.command.connect`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """The cluster as IAM needs to know it. `arn` is the issuer URL for a cluster that isn't EKS."""

    name: str
    arn: str
    region: str
    partition: str
    account: str
    issuer: str
