"""Which regions AWS has, by what botocore knows: a region that it does not know can't be meant.

Which of them an account may use is not known here.
"""

from __future__ import annotations

import boto3
import botocore

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.nearest import near


def regions_of(session: boto3.Session, partition: str) -> tuple[str, ...]:
    """The regions of a partition."""
    return tuple(session.get_available_regions("ec2", partition))


def check_region(session: boto3.Session, region: str) -> None:
    """Raise `InvalidInput` for a region that there is not, with those whose names are like it."""
    known = [name for item in session.get_available_partitions() for name in regions_of(session, item)]
    if region in known:
        return
    similar = near(region, known) or near(region, known, 5)
    raise InvalidInput(
        f"there is no AWS region {region} that botocore {botocore.__version__} knows",
        details=(f"regions with a similar name: {', '.join(similar)}",) if similar else (),
        next_steps=("check --region, AWS_REGION and the profile; a newer region needs a newer boto3",),
        code="NoSuchRegion",
    )
