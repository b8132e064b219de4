"""Which regions AWS has, by what botocore knows: a region that it does not know can't be meant.

Which of them an account may use is not known here.
"""

from __future__ import annotations

import boto3
import botocore

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import near


def regions_of(session: boto3.Session, partition: str = "") -> tuple[str, ...]:
    """The regions of a partition, or of all.

    By the file that botocore has read already to find endpoints: `get_available_regions` would read a whole
    service's model for it, which takes as long as all else that a short run does.
    """
    known = session._session.get_data("endpoints")["partitions"]
    return tuple(
        name for item in known if partition in ("", item["partition"]) for name in item.get("regions", {})
    )


def check_region(session: boto3.Session, region: str) -> None:
    """Raise `InvalidInput` for a region that there is not, with those whose names are like it."""
    known = regions_of(session)
    if region in known:
        return
    similar = near(region, known)
    raise InvalidInput(
        f"there is no AWS region {region} that botocore {botocore.__version__} knows",
        details=(f"regions with a similar name: {', '.join(similar)}",) if similar else (),
        next_steps=("check --region, AWS_REGION and the profile; a newer region needs a newer boto3",),
        code="NoSuchRegion",
    )
