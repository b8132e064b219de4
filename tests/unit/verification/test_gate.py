"""The gate of `--verify`: what it says of an account that this run can't read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from irsa_cli.core.values.errors import FailedCall, ServiceError
from irsa_cli.usecases.command.connect import Connection, Target
from irsa_cli.usecases.verification.iam_steps import _explained
from tests.unit.planning.desired_states import desired as desired_state


def test_an_account_without_credentials_is_not_checked_and_no_other_is_asked() -> None:
    """A role of the same name in the account of the cluster would be another role."""
    desired = desired_state()
    stub: Any = SimpleNamespace(cluster=desired.cluster, target=Target("demo"), session_of=lambda _: None)
    refused = ServiceError("STS refused", FailedCall("sts", "Assume", "AccessDenied"))
    told = [*_explained(cast("Connection", stub), desired, refused)]
    assert len(told) == 2
    assert all("not checked: irsa has no credentials for it" in line for line in told)
