"""`--attach-role-arn`: an existing role, whose trust policy fits or not, of this account and of another."""

import pytest

from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support.acts import SERVICE, named, strike
from tests.support.rows import Row, rows
from tests.support.stage import ROLE_ARN, Stage

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


@rows(
    Row("a role that does not admit us", f"{USE} -o json", 4, "system:serviceaccount:$ns:app"),
    Row("a role that is not there", f"{USE}-none", 4),
    Row("a role without its path", f"{USE}-path", 4, "role/teams/$ns-path"),
    Row("a trust policy of another account", f"{FAR} --update-trust", 4),
    Row("another account", FAR, 0, "222222222222", None),
    Row("the statement", f"{USE} --update-trust --verify", 0, (), None),
)
def test_how_it_ends(row: Row, stage: Stage, namespace: str) -> None:
    row.play(stage)
    if not row.code:
        account = stage.account(namespace, "app") or {}
        arn = row.line.replace("$account", stage.account_id).replace("$ns", namespace).split()[5]
        assert account["annotations"][ROLE_ARN] == arn


def test_the_statement_is_added_when_told_so_and_the_rest_is_kept(stage: Stage, namespace: str) -> None:
    added = """
    + role $ns trusts $ns/app for sts.amazonaws.com ($sid)
    + sa $ns/app
    + sa $ns/app annotations eks.amazonaws.com/role-arn $ns
    + sa $ns/app annotations irsa/role-arn $ns
    + sa $ns/app labels app.kubernetes.io/managed-by irsa
    """
    stage.run(f"{USE} --update-trust", changes=added)
    stage.run(USE, says="Nothing to do", changes="")


def test_the_statement_is_taken_back_when_the_run_fails(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", annotations={ROLE_ARN: "arn:aws:iam::111122223333:role/old"})
    strike(stage, "sts AssumeRoleWithWebIdentity error", times=None)
    flags = "--update-trust --verify --timeout 4s --override-existing-serviceaccounts"
    stage.run(f"{USE} {flags}", code=5, changes="")


def test_a_statement_that_somebody_adds_meanwhile_is_kept(stage: Stage, namespace: str) -> None:
    more = {**OTHERS, "Sid": "More", "Principal": {"Service": "lambda.amazonaws.com"}}
    # Between our write and our look at it, somebody writes what they had read before: ours is swallowed.
    strike(stage, "iam GetRole callback", skip=2, run=lambda: write_trust(stage, namespace, OTHERS, more))
    stage.run(f"{USE} --update-trust")
    statements = trust_of(stage, namespace)["Statement"]
    assert (OTHERS in statements, more in statements, len(statements)) == (True, True, 3)
