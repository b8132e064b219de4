"""All keys of tags and annotations by which irsa marks what it manages.

Whoever removes irsa's marks, or sets them apart, goes by this list: a key of somebody else may begin with
`irsa/` too. `docs/reference/names-and-tags.md` describes each of them.
"""

from __future__ import annotations

import re

from irsa_cli.core.marks.applied import KEYS_ANNOTATION
from irsa_cli.core.plan import states

TAGS = (
    states.CLUSTER_TAG,
    states.SERVICE_ACCOUNT_TAG,
    states.TRANSACTION_TAG,
    states.SPEC_HASH_TAG,
    states.COMMIT_TAG,
    states.TAGS_TAG,
    states.THEIRS_TAG,
)
"""Tags of roles and associations, besides those of the trust policy, which are numbered."""
ANNOTATIONS = (
    *states.MARKS.values(),
    *states.CHAIN_ANNOTATIONS,
    states.TRANSACTION_TAG,
    KEYS_ANNOTATION,
)
"""Annotations of ServiceAccounts."""
_TRUST_TAG = re.compile(states.TRUST_KEY)


def is_own_tag(key: str) -> bool:
    """Whether irsa writes tags with this key."""
    return key in TAGS or _TRUST_TAG.fullmatch(key) is not None
