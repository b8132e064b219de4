"""Drift: `irsa diff` run by a schedule says what has changed and who did it, and nothing when nothing did."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Rule, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import SQS, apply, config, reader
from tests.support.stage import READ_ONLY, Ran, Stage

ALL_BUT_TRAIL = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*"},
    ],
}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def nightly(stage: Stage, text: str, *more: str, **env: str) -> Ran:
    return stage.irsa(
        "diff", "-f", "-", "--detailed-exitcode", "--changed-by", "-q", *more, stdin=text, **env
    )


def drifted(stage: Stage, namespace: str) -> str:
    """Somebody takes a policy away; returns the role's name."""
    role = str(stage.role_of(namespace, "reader")["arn"]).rsplit("/", 1)[-1]
    stage.iam().detach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    return role


def test_nothing_is_said_while_all_is_as_desired(small: Stage, unique: str) -> None:
    text = config(small, reader(unique))
    assert apply(small, text).code == 0
    ran = nightly(small, text)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_what_has_changed_and_who_did_it_are_told(small: Stage, unique: str) -> None:
    text = config(small, reader(unique))
    assert apply(small, text).code == 0
    role = drifted(small, unique)
    ran = nightly(small, text)
    assert ran.code == 6
    assert "+ PolicyAttachment AmazonS3ReadOnlyAccess" in " ".join(ran.out.split())
    who = f"arn:aws:iam::{small.account_id}:user/admin"
    assert f"changed: {role}: DetachRolePolicy by {who} at 20" in ran.out
    shown = nightly(small, text, "-o", "json")
    newest = shown.item["changedBy"][0]
    assert (newest["object"], newest["operation"], newest["who"]) == (role, "DetachRolePolicy", who)
    assert newest["agent"].startswith("Boto3/")
    # Those before it are irsa's own, from when the role was made.
    assert [one["agent"].split("/")[0] for one in shown.item["changedBy"][1:]] == ["irsa", "irsa"]


@pytest.mark.parametrize("broken", ["denied", "failing"])
def test_drift_is_told_where_the_trail_can_not_be_read(small: Stage, unique: str, broken: str) -> None:
    text = config(small, reader(unique))
    assert apply(small, text).code == 0
    drifted(small, unique)
    if broken == "denied":
        small.sandbox.add_user(unique, policy=ALL_BUT_TRAIL)
        small.sandbox.grant("demo", unique, rules=[Rule(("*",), ("*",))])
    else:
        fault = Fault(
            "cloudtrail", "LookupEvents", "error", times=None, status=400, code="InvalidTimeRangeException"
        )
        small.sandbox.faults.add(fault)
    user = unique if broken == "denied" else "admin"
    ran = small.irsa("diff", "-f", "-", "--changed-by", stdin=text, user=user)
    assert ran.code == 6
    assert "AmazonS3ReadOnlyAccess" in ran.out
    assert "unknown who changed it" in ran.err


def test_what_the_file_wants_anew_is_no_drift_of_somebody_else(small: Stage, unique: str) -> None:
    text = config(small, reader(unique))
    assert apply(small, text).code == 0
    changed = text.replace(READ_ONLY, SQS)
    ran = nightly(small, changed, "-o", "json")
    assert ran.code == 6
    assert {one["agent"].split("/")[0] for one in ran.item["changedBy"]} == {"irsa"}
