"""Settings that the EKS pod identity webhook gives to pods: role, audience, lifetime, environment.

https://github.com/aws/amazon-eks-pod-identity-webhook#eks-walkthrough
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from irsa_cli.core.plan import states
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

DEFAULT_SECONDS = 86400
"""How long a pod's token lives when nothing else is said; EKS gives no longer one."""
MINIMUM_SECONDS = 600
"""Kubernetes gives no shorter one; the webhook raises a smaller one to it."""

# The webhook is written in Go: what its ParseBool takes for false, and its ParseInt at all.
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = 2**63


AGENT = "eks-pod-identity-agent"
"""The add-on, and the name label of its pods."""


@dataclass(frozen=True)
class Injection:
    """The settings in a ServiceAccount's annotations; `role_arn` is empty without a role.

    `annotated`: the role's annotation exists. `token_seconds` is the requested lifetime. `regional_sts`:
    SDKs use the STS endpoint of their region, the default on EKS.
    """

    role_arn: str = ""
    audience: str = DEFAULT_AUDIENCE
    token_seconds: int = DEFAULT_SECONDS
    regional_sts: bool = True
    annotated: bool = field(default=False, compare=False)
    by_irsa: bool = field(default=False, compare=False)
    """Whether irsa wrote the role's annotation, as it is."""
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """irsa's annotations about the target role."""

    @classmethod
    def read(cls, annotations: Mapping[str, str]) -> Injection:
        """Read a ServiceAccount's annotations; ignores what the webhook ignores."""
        return cls(
            role_arn=annotations.get(states.ROLE_ARN_ANNOTATION, ""),
            audience=annotations.get(states.AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE),
            token_seconds=_seconds(annotations.get(states.TOKEN_EXPIRATION_ANNOTATION, "")),
            # Whatever is neither true nor false leaves it at EKS's default, which is true.
            regional_sts=annotations.get(states.STS_REGIONAL_ANNOTATION, "") not in _FALSE,
            annotated=states.ROLE_ARN_ANNOTATION in annotations,
            by_irsa=annotations.get(states.ROLE_ARN_ANNOTATION, "") == annotations.get(states.ROLE_MARK),
            notes={key: annotations[key] for key in states.CHAIN_ANNOTATIONS if key in annotations},
        )


def _seconds(text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -_INT64 <= int(text) < _INT64:
        return DEFAULT_SECONDS
    return max(int(text), MINIMUM_SECONDS)
