"""Drift: `irsa diff` run by a schedule says what has changed and who did it, and nothing when nothing did."""

from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Rule
from tests.scenarios.alone import small_alone as small_alone
from tests.scenarios.test_apply import SQS, apply, config, reader
from tests.support.documents import policy
from tests.support.stage import READ_ONLY, Stage

NIGHTLY = "diff -f - --detailed-exitcode --changed-by -q"


@pytest.fixture
def text(small: Stage, unique: str) -> str:
    """A file that was applied."""
    found = config(small, reader(unique))
    assert apply(small, found).code == 0
    return found


def drifted(stage: Stage, namespace: str) -> str:
    """Somebody takes a policy away; returns the role's name."""
    role = str(stage.role_of(namespace, "reader")["arn"]).rsplit("/", 1)[-1]
    stage.iam().detach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    return role


def test_nothing_is_said_while_all_is_as_desired(small: Stage, text: str) -> None:
    ran = small.run(NIGHTLY, stdin=text, changes="")
    assert (ran.out, ran.err) == ("", "")


def test_what_has_changed_and_who_did_it_are_told(small: Stage, unique: str, text: str) -> None:
    role = drifted(small, unique)
    who = f"arn:aws:iam::{small.account_id}:user/admin"
    ran = small.run(NIGHTLY, code=6, says=f"changed: {role}: DetachRolePolicy by {who} at 20", stdin=text)
    assert "+ PolicyAttachment AmazonS3ReadOnlyAccess" in " ".join(ran.out.split())
    newest, *own = small.run(f"{NIGHTLY} -o json", code=6, stdin=text).item["changedBy"]
    assert (newest["object"], newest["operation"], newest["who"]) == (role, "DetachRolePolicy", who)
    assert newest["agent"].startswith("Boto3/")
    # Those before it are irsa's own, from when the role was made.
    assert [change["agent"].split("/")[0] for change in own] == ["irsa", "irsa"]


@pytest.mark.parametrize("broken", ["denied", "failing"])
def test_drift_is_told_where_the_trail_can_not_be_read(
    small: Stage, unique: str, text: str, broken: str
) -> None:
    drifted(small, unique)
    user = "admin"
    if broken == "denied":
        user = unique
        small.sandbox.add_user(unique, policy=policy("Allow * on *", "Deny cloudtrail:* on *"))
        small.sandbox.grant("demo", unique, rules=[Rule(("*",), ("*",))])
    else:
        how: Any = {"times": None, "status": 400, "code": "InvalidTimeRangeException"}
        small.sandbox.faults.add(Fault("cloudtrail", "LookupEvents", "error", **how))
    said = ("AmazonS3ReadOnlyAccess", "unknown who changed it")
    small.run("diff -f - --changed-by", code=6, says=said, stdin=text, user=user)


def test_what_the_file_wants_anew_is_no_drift_of_somebody_else(small: Stage, text: str) -> None:
    ran = small.run(f"{NIGHTLY} -o json", code=6, stdin=text.replace(READ_ONLY, SQS))
    assert {change["agent"].split("/")[0] for change in ran.item["changedBy"]} == {"irsa"}
