"""AWS partitions: which region is in which, and the domain names that they use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """A partition, the beginning of its regions' names, and its DNS suffix."""

    name: str
    region_prefix: str
    suffix: str
    home: str
    """The region that signs calls to its global services, such as IAM."""


_AWS = Partition("aws", "", "amazonaws.com", "us-east-1")
_OTHERS = (
    Partition("aws-cn", "cn-", "amazonaws.com.cn", "cn-north-1"),
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", "us-gov-west-1"),
    Partition("aws-iso", "us-iso-", "c2s.ic.gov", "us-iso-east-1"),
    Partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "us-isob-east-1"),
    Partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "eu-isoe-west-1"),
    Partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "us-isof-south-1"),
    Partition("aws-eusc", "eusc-", "amazonaws.eu", "eusc-de-east-1"),
)
BY_NAME = {partition.name: partition for partition in (_AWS, *_OTHERS)}


def partition_of(region: str) -> Partition:
    """The partition of a region; `aws` for any that no other partition claims."""
    return next((p for p in _OTHERS if region.startswith(p.region_prefix)), _AWS)
