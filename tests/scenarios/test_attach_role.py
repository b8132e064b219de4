"""`--attach-role-arn`: an existing role, whose trust policy fits or not, of this account and of another."""

import pytest

from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support.acts import SERVICE, account, after, fault, named, strike
from tests.support.rows import Row, rows
from tests.support.stage import Stage

OTHERS = {"Sid": "Theirs", **SERVICE}
USE = "create-sa app -n $ns --attach-role-arn arn:aws:iam::$account:role/$ns"
FAR = "create-sa app -n $ns --attach-role-arn arn:aws:iam::222222222222:role/theirs"


@pytest.fixture(autouse=True)
def shared(stage: Stage, namespace: str) -> None:
    """Somebody's role that doesn't admit our ServiceAccount, and another one at a path."""
    stage.run("associate-oidc")
    named(stage, "app")
    make_role(stage, namespace, OTHERS)
    make_role(stage, f"{namespace}-path", OTHERS, path="/teams/")


USED = """
+ sa $ns/app
+ sa $ns/app annotations eks.amazonaws.com/role-arn ROLE
+ sa $ns/app annotations irsa/role-arn ROLE
+ sa $ns/app labels app.kubernetes.io/managed-by irsa
"""
ADMITTED = USED.replace("ROLE", "$ns") + "+ role $ns trusts $ns/app for sts.amazonaws.com ($sid)"
TRUST = f"{USE} --update-trust"
FAIL = f"{TRUST} --verify --override-existing-serviceaccounts"
OLD = account(role="arn:aws:iam::$account:role/old")
NO_STS = fault("sts AssumeRoleWithWebIdentity error", times=None)
NO_TIME = {"time_ends_at": "sts AssumeRoleWithWebIdentity"}


@rows(
    Row("a role that does not admit us", f"{USE} -o json", 4, "system:serviceaccount:$ns:app"),
    Row("a role that is not there", f"{USE}-none", 4),
    Row("a role without its path", f"{USE}-path", 4, "role/teams/$ns-path"),
    Row("another account", FAR, 0, "222222222222", USED.replace("ROLE", "theirs")),
    Row("its trust policy", f"{FAR} --update-trust", 4),
    Row("the statement", f"{TRUST} --verify", changes=ADMITTED),
    Row("again", USE, 0, "Nothing to do", given=TRUST),
    Row("a run that fails", FAIL, 5, given=after(OLD, NO_STS), options=NO_TIME),
)
def test_how_it_ends(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_a_statement_that_somebody_adds_meanwhile_is_kept(stage: Stage, namespace: str) -> None:
    more = {**OTHERS, "Sid": "More", "Principal": {"Service": "lambda.amazonaws.com"}}
    # Between our write and our look at it, somebody writes what they had read before: ours is swallowed.
    strike(stage, "iam GetRole callback", skip=2, run=lambda: write_trust(stage, namespace, OTHERS, more))
    stage.run(f"{USE} --update-trust")
    statements = trust_of(stage, namespace)["Statement"]
    assert (OTHERS in statements, more in statements, len(statements)) == (True, True, 3)
