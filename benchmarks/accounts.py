"""create-sa over two accounts: its round trips, beside those within one account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import boto3

from benchmarks.measuring import LATENCY, alone, irsa, measure, report, sequential
from irsa_cli.sandbox import Sandbox

OTHER = "222222222222"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DEPLOYER, DATA = (f"arn:aws:iam::{OTHER}:role/{name}" for name in ("deployer", "data"))
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
ROUNDS = 3
MORE = 1
"""Round trips that another account may cost."""


def _elsewhere(sandbox: Sandbox) -> None:
    env = sandbox.env(account=OTHER)
    iam = boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    us = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [us]})
    for name in ("deployer", "data"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))


def _trips(sandbox: Sandbox, env: Mapping[str, str], name: str, more: Sequence[str]) -> int:
    """The shortest of several rounds: what waits for a busy machine is no round trip."""
    found = []
    for number in range(ROUNDS):
        where = (f"{name}-{number}", "-n", "default", "-c", "demo")
        sandbox.latency = LATENCY
        sandbox.calls.clear()
        measure([irsa(), "create-sa", *where, "--attach-policy-arn", READ_ONLY, *more], env)
        found.append(sequential(sandbox.calls))
        sandbox.latency = 0.0
    return min(found)


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """The longest chains of calls, with the same policy in the same namespace."""
    _elsewhere(sandbox)
    away = ("--role-account", OTHER, "--role-assume-role", DEPLOYER)
    measure([irsa(), "associate-oidc", "-c", "demo", *away], env)
    chain = ("--target-role", DATA, "--target-assume-role", DEPLOYER)
    trips = [_trips(sandbox, env, name, more) for name, more in (("here", ()), ("away", away), ("on", chain))]
    here, there, chained = trips
    limit = f"{here} and {MORE} more"
    return [
        report("round trips, role in another account", f"{there}", limit, holds=there <= here + MORE),
        report(
            "round trips, chaining with its target read", f"{chained}", limit, holds=chained <= here + MORE
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(alone(results))
