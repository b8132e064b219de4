"""Pages of IAM lists. A marker names the last item of its page, so that pages survive deletions."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from irsa_cli.sandbox.aws.answer import validation_error
from irsa_cli.sandbox.aws.request import AwsRequest


def page(request: AwsRequest, keys: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The page of sorted `keys` that a call asks for, and the members that tell whether there is more."""
    size = int(request.params.get("MaxItems", "100"))
    last = _read(request.params["Marker"]) if "Marker" in request.params else ""
    rest = [key for key in keys if key > last]
    if len(rest) <= size:
        return rest, {"IsTruncated": False}
    marker = urlsafe_b64encode(rest[size - 1].encode()).decode()
    return rest[:size], {"IsTruncated": True, "Marker": marker}


def _read(marker: str) -> str:
    try:
        return urlsafe_b64decode(marker).decode()
    except ValueError:
        raise validation_error("Invalid Marker.") from None
