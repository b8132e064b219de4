"""Two runs at once, without a lock: whoever fails, the one that ended with 0 has what it was promised.

With locks, one waits for the other: tests/scenarios/test_locks.py.
"""

import json
from collections.abc import Callable

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import ACCOUNT, NO_LOCK, READ_ONLY, ROLE_ARN, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
POLICY = ("--attach-policy-arn", READ_ONLY)


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def meanwhile(
    stage: Stage, service: str, operation: str, run: Callable[[], Ran], match: str = ""
) -> list[Ran]:
    """Have another run come between, at the first such call; returns where its result will be."""
    found: list[Ran] = []
    between = Fault(service, operation, "callback", match=match, run=lambda: found.append(run()))
    stage.sandbox.faults.add(between)
    return found


def other(stage: Stage, name: str, namespace: str, *arguments: str) -> Ran:
    """A run on another machine: it has no journal of ours."""
    state = str(stage.folder / f"state-{name}-elsewhere")
    return stage.create_sa(name, namespace, *arguments, IRSA_STATE_DIR=state, **NO_LOCK)


def fail_last(stage: Stage, calls: int) -> None:
    """Refuse the making of a ServiceAccount after so many calls of both runs; rehearsals are calls, too.

    Between irsa and a real API server nothing can come here: there, both end well.
    """
    stage.sandbox.faults.add(
        Fault("kubernetes", "POST serviceaccounts", "error", status=403, times=1, skip=calls)
    )


@pytest.mark.parametrize("flags", [(), ("--verify",)])
def test_the_winner_keeps_what_the_loser_began(stage: Stage, namespace: str, flags: tuple[str, ...]) -> None:
    """The other run goes on from the role, and ends; then the first one fails, and takes nothing back."""
    second = meanwhile(
        stage, "iam", "AttachRolePolicy", lambda: other(stage, "app", namespace, *POLICY, *flags)
    )
    # The first one's call goes through after the second run has ended; what it does next is refused.
    fail_last(stage, 3)
    first = stage.create_sa("app", namespace, *POLICY, "-o", "json")
    assert [ran.code for ran in second] == [0], second[0].err
    assert first.code in (0, 3), first.err
    role = stage.role_of(namespace, "app")
    assert role["attached"] == [READ_ONLY]
    assert stage.create_sa("app", namespace, *POLICY, "--verify").code == 0


def test_both_wish_the_same(stage: Stage, namespace: str) -> None:
    before = stage.world()
    second = meanwhile(stage, "iam", "CreateRole", lambda: other(stage, "app", namespace, *POLICY))
    first = stage.create_sa("app", namespace, *POLICY)
    assert [first.code, second[0].code] == [0, 0], first.err + second[0].err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    assert len(stage.world()["roles"]) == len(before["roles"]) + 1


@pytest.mark.parametrize("at", ["CreateRole", "AttachRolePolicy"])
def test_of_two_wishes_one_wins_whole(stage: Stage, namespace: str, at: str) -> None:
    second = meanwhile(
        stage, "iam", at, lambda: other(stage, "app", namespace, "--attach-policy-arn", SQS, "--label", "a=b")
    )
    first = stage.create_sa("app", namespace, *POLICY)
    won = {READ_ONLY: first.code, SQS: second[0].code}
    assert sorted(won.values()) == [0, 4], first.err + second[0].err
    role = stage.role_of(namespace, "app")
    assert role["attached"] == [arn for arn, code in won.items() if code == 0]


@pytest.mark.parametrize("flags", [(), ("--associate-oidc",)])
def test_what_others_count_on_is_not_taken_back(stage: Stage, unique: str, flags: tuple[str, ...]) -> None:
    """The first one makes the namespace (and the provider), the other finds them; then the first fails."""
    if flags:
        (arn,) = stage.aws_world()["oidc_providers"]
        stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    theirs = (*POLICY, *flags)
    found = meanwhile(
        stage, "iam", "AttachRolePolicy", lambda: other(stage, "two", unique, *theirs), READ_ONLY[-20:]
    )
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match=SQS[-20:], times=1))
    first = stage.create_sa("one", unique, "--attach-policy-arn", f"{READ_ONLY},{SQS}", *flags)
    assert first.code != 0, first.err
    assert [ran.code for ran in found] == [0], found[0].err
    assert stage.account(unique, "one") is None
    assert stage.create_sa("two", unique, *POLICY, "--verify").code == 0
    assert stage.role_of(unique, "two")["attached"] == [READ_ONLY]


def test_two_service_accounts_join_one_shared_role_at_once(stage: Stage, namespace: str, unique: str) -> None:
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [theirs]}
    stage.iam().create_role(RoleName=unique, AssumeRolePolicyDocument=json.dumps(document))
    shared = ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/{unique}", "--update-trust")
    # Between the first one's reading and its writing: its write swallows the second's statement.
    second = meanwhile(
        stage, "iam", "UpdateAssumeRolePolicy", lambda: other(stage, "two", namespace, *shared)
    )
    first = stage.create_sa("one", namespace, *shared)
    codes = [first.code, second[0].code]
    subjects = json.dumps(stage.aws_world()["roles"][unique]["trust"])
    missing = [name for name in ("one", "two") if f"serviceaccount:{namespace}:{name}" not in subjects]
    assert codes == [0, 0]
    assert "ec2.amazonaws.com" in subjects
    # IAM has no conditional write: the window is told in docs/explanation/transaction.md.
    assert missing in ([], ["two"])
    assert stage.create_sa("two", namespace, *shared).code == 0
    assert f"serviceaccount:{namespace}:two" in json.dumps(stage.aws_world()["roles"][unique]["trust"])


def test_a_run_that_was_cut_off_behind_an_early_annotation_is_gone_on_with(
    stage: Stage, namespace: str
) -> None:
    """The ServiceAccount bore the role's ARN before the role was there, and so tells nothing."""
    planned = stage.create_sa("app", namespace, *POLICY, "--dry-run", "-o", "json").json
    stage.make_account(namespace, "app", annotations={ROLE_ARN: planned["role"]["arn"]})
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert stage.create_sa("app", namespace, *POLICY).code < 0
    stage.sandbox.settle(hurry=True)
    assert other(stage, "app", namespace, *POLICY).code == 0
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
