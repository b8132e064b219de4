"""Evidence in CloudTrail that the tokens of a cluster are used for a role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from irsa_cli.aws.session import AwsSession
from irsa_cli.aws.trail import HOMES, exchanged_since
from irsa_cli.core.planning.repoint import trusted
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.errors import Unreadable, read
from irsa_cli.core.values.names import subject
from irsa_cli.core.values.shown import moment

_REGION = re.compile(r"oidc[.-]eks\.([a-z0-9-]+)\.")
KEPT = timedelta(days=90, minutes=5)
"""For how long CloudTrail keeps its event history, with time for a run that asks for all of it."""


def sts_regions(aws: AwsSession, provider: str, region: str) -> list[str]:
    """Where pods of the provider's cluster call STS: its region (else `region`), or the global endpoint."""
    found = _REGION.match(issuer_of(provider))
    own = found[1] if found else region
    return list(dict.fromkeys((own, HOMES.get(aws.partition, own))))


def use_in_trail(aws: AwsSession, trust: Mapping[str, Any], provider: str, since: datetime) -> str:
    """The last use of the provider's tokens for what a trust policy allows; '' for none since then.

    Also why it is not known: CloudTrail is asked for one subject at a time.
    """
    said = trusted(trust, provider)
    if said.patterns:
        return "a statement allows a pattern of subjects: CloudTrail can't show who uses it"
    if datetime.now(timezone.utc) - since > KEPT:
        return "CloudTrail keeps 90 days: it can't show who used it before"
    for region in sts_regions(aws, provider, aws.region):
        for name in said.names:
            look = partial(exchanged_since, aws.moved_to(region), subject(*name), provider, since)
            found = read(look)
            if isinstance(found, Unreadable):
                return f"CloudTrail in {region} could not be read: {found.why}"
            if found is not None:
                used = f"{'/'.join(name)} of the old cluster used it on {moment(found)}"
                return f"{used} (CloudTrail in {region})"
    return ""
