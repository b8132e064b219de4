"""The two ways by which pods get a role, and the variables of each."""

from __future__ import annotations

from enum import Enum

from irsa_cli.core.objects.kinds import variable

ROLE = variable("AWS_ROLE_ARN")
TOKEN_FILE = variable("AWS_WEB_IDENTITY_TOKEN_FILE")
CREDENTIALS_URI = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
AGENT_TOKEN_FILE = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")


class IdentitySource(Enum):
    """How pods get a role; the value is what `--to` takes."""

    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"

    @property
    def title(self) -> str:
        return "IRSA" if self is IdentitySource.IRSA else "Pod Identity"

    @property
    def other(self) -> IdentitySource:
        return IdentitySource.IRSA if self is IdentitySource.POD_IDENTITY else IdentitySource.POD_IDENTITY
