"""The commands that write: what a journal calls them, and what a result is told by."""

from __future__ import annotations

from enum import Enum


class Command(str, Enum):
    """A command that writes. The values are in journals: they stay what they are."""

    CREATE_SA = "create-sa"
    UPDATE_SA = "update-sa"
    DELETE_SA = "delete-sa"
    ADOPT = "adopt"
    ASSOCIATE_OIDC = "associate-oidc"
    DISASSOCIATE_OIDC = "disassociate-oidc"
    APPLY = "apply"
    RECOVER = "recover"
