"""get-sa of a large account: how its calls and its memory grow, and that other people's roles cost nothing.

Measured on the sandbox, whose objects are put there without calls. Called by `benchmarks.run`.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.measuring import irsa, measure, report
from irsa_cli.sandbox import RoleSpec, Sandbox
from tests.support.service_accounts import put_service_accounts

ACCOUNTS = 1000
ROLES = 5000
CROWD = 20_000
"""Roles of an account that is four times as large."""
CALLS_PER_HUNDRED = 3
MEGABYTES = 200
CLUSTER = "demo"
ACCOUNT = "111122223333"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def reading(env: Mapping[str, str]) -> list[bool]:
    """get-sa of 1,000 ServiceAccounts among 5,000 roles, of fewer, and of the same among many more."""
    with Sandbox() as sandbox:
        env = {**env, **sandbox.env()}
        measure([irsa(), "associate-oidc", "-c", CLUSTER], env)
        found = {}
        for accounts, roles in (
            (ACCOUNTS, ROLES),
            (ACCOUNTS // 2, ROLES),
            (10, ROLES),
            (10, CROWD),
            (ACCOUNTS, CROWD),
        ):
            fill(sandbox, accounts, roles)
            sandbox.calls.clear()
            measured = measure([irsa(), "get-sa", "-c", CLUSTER, "-q"], env)
            found[accounts, roles] = len(sandbox.calls), measured
            print(
                f"      get-sa of {accounts} among {roles} roles: {len(sandbox.calls)} calls,"
                f" {measured.seconds:.1f} s, {measured.megabytes:.0f} MB"
            )
    calls, measured = found[ACCOUNTS, ROLES]
    per_hundred, crowded = (found[ACCOUNTS, roles][0] * 100 / ACCOUNTS for roles in (ROLES, CROWD))
    few, crowd = found[10, ROLES][0], found[10, CROWD][0]
    half = found[ACCOUNTS // 2, ROLES][0]
    return [
        report(
            f"get-sa of {ACCOUNTS} among {ROLES} roles: calls per 100",
            f"{per_hundred:.1f}",
            f"{CALLS_PER_HUNDRED}",
            holds=per_hundred <= CALLS_PER_HUNDRED,
        ),
        report(
            f"the same among {CROWD} roles",
            f"{crowded:.1f}",
            f"{CALLS_PER_HUNDRED}",
            holds=crowded <= CALLS_PER_HUNDRED,
        ),
        report(
            "get-sa: peak memory",
            f"{measured.megabytes:.0f} MB",
            f"{MEGABYTES} MB",
            holds=measured.megabytes <= MEGABYTES,
        ),
        report("get-sa: calls of twice as many", f"{calls / half:.2f}x", "2x", holds=calls <= 2 * half),
        report(
            f"get-sa of 10: calls with {CROWD // ROLES}x the roles",
            f"{crowd} / {few}",
            "equal",
            holds=crowd == few,
        ),
    ]


def fill(sandbox: Sandbox, accounts: int, roles: int) -> None:
    """A fresh account with that many bindings, nine in ten made by irsa, among roles of others."""
    sandbox.reset()
    issuer = _associate(sandbox)
    specs = [_role(issuer, number) for number in range(accounts)]
    # IAM sorts by names: those of others stand between.
    others = (
        RoleSpec(f"app-{number % 1000}-{number}", _OTHERS, policies=(POLICY,))
        for number in range(roles - accounts)
    )
    sandbox.put_roles([*specs, *others])
    annotations = {
        f"app-{number}": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role{spec.path}{spec.name}"}
        for number, spec in enumerate(specs)
    }
    put_service_accounts(sandbox, CLUSTER, "backend", annotations)


_OTHERS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def _associate(sandbox: Sandbox) -> str:
    import boto3

    env = sandbox.env()
    session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1")
    cluster = session.client("eks", endpoint_url=sandbox.url).describe_cluster(name=CLUSTER)["cluster"]
    issuer = str(cluster["identity"]["oidc"]["issuer"])
    iam = session.client("iam", endpoint_url=sandbox.url)
    iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["sts.amazonaws.com"])
    return issuer.removeprefix("https://")


def _role(issuer: str, number: int) -> RoleSpec:
    own = number % 10 > 0
    subject = {f"{issuer}:sub": f"system:serviceaccount:backend:app-{number}"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {**subject, f"{issuer}:aud": "sts.amazonaws.com"}},
    }
    tags = {
        "irsa/cluster": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{CLUSTER}",
        "irsa/service-account": f"backend/app-{number}",
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    path = f"/irsa/{CLUSTER}/" if own else "/"
    return RoleSpec(f"app-{number}", trust, path, tags if own else {}, (POLICY,))
