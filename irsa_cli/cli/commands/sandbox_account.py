"""What is in the second account of `irsa sandbox run` and `up`, which docs/how-to/cross-account.md uses.

A sandbox that tests start has only what they put into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.model import RoleSpec

if TYPE_CHECKING:
    from irsa_cli.sandbox.stage import Sandbox

OTHER_ACCOUNT = "222222222222"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def _admitting(principal: dict[str, str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def put_other_account(sandbox: Sandbox, first: str) -> None:
    """Put `deployer` there, an administrator whom the first account may become, and `data`, for EC2."""
    deployer = _admitting({"AWS": f"arn:aws:iam::{first}:root"})
    roles = (
        RoleSpec("deployer", deployer, policies=(ADMINISTRATOR,)),
        RoleSpec("data", _admitting({"Service": "ec2.amazonaws.com"})),
    )
    sandbox.put_roles(roles, account=OTHER_ACCOUNT)
