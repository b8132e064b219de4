"""`irsa migrate` and users of a role that are no pods: who exchanges tokens, and roles behind the role."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import statement
from tests.support.eks_states import note_exchange, pass_time
from tests.support.migrated import (
    ALSO,
    BACK,
    CREATE,
    FINISH,
    FINISHED,
    MIGRATE,
    allow,
    ask_agent,
    moved,
    pod,
    proposed,
    set_trust,
    with_agent,
)
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import Stage

HOUR = 3600.0


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return with_agent(sandbox_stage(sandbox, "demo", tmp_path))


def exchange(stage: Stage, code: str = "", role: str = "") -> None:
    """Somebody exchanges the ServiceAccount's token now; `code`: refused by STS."""
    arn = role or stage.role_of("apps", "app")["arn"]
    note_exchange(stage.sandbox, "demo", "system:serviceaccount:apps:app", arn, code)


def later(stage: Stage, seconds: float) -> None:
    pass_time(stage.sandbox, "demo", seconds)


def refused(stage: Stage, *said: str, more: str = "") -> str:
    return stage.run(f"{FINISH}{more}", code=4, says=said, changes="").err


def minutes_to_wait(said: str) -> float:
    (when,) = re.findall(r"run this again after (\S+ \S+) UTC", said)
    moment = datetime.strptime(when, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    return (moment - datetime.now(timezone.utc)) / timedelta(minutes=1)


def test_without_pods_irsa_is_not_removed_within_two_hours_of_an_exchange(stage: Stage) -> None:
    """By External Secrets, for example, which requests tokens of the ServiceAccount itself."""
    moved(stage)
    exchange(stage)
    later(stage, 60)
    said = refused(
        stage, "apps/app still uses IRSA", "CloudTrail in eu-west-1 shows an exchange of its token at"
    )
    assert 110 < minutes_to_wait(said) < 120
    later(stage, HOUR)
    refused(stage, more=" --unused-for 90m")
    stage.run("migrate app -n apps --to pod-identity --finish --unused-for 30m --dry-run", changes="")
    later(stage, HOUR)
    stage.run(FINISH, changes=FINISHED)


def test_what_is_refused_is_done_by_the_command_that_is_proposed(stage: Stage) -> None:
    moved(stage)
    exchange(stage)
    proposed(stage, refused(stage, "without this check"), "migrate .*--unused-for 0")


def test_pods_that_replaced_older_ones_tell_since_when_nobody_should_use_irsa(stage: Stage) -> None:
    """CloudTrail is up to 15 minutes late, and what others do is known only then."""
    stage.run(CREATE)
    pod(stage)
    exchange(stage)
    later(stage, 60)
    stage.run(MIGRATE)
    refused(stage, "running pod with IRSA")
    stage.kube.delete("/api/v1/namespaces/apps/pods/app-1")
    pod(stage)
    stage.run("migrate app -n apps --to pod-identity --status", says="1 by Pod Identity", changes="")
    said = refused(stage, "not known yet if anything but pods uses IRSA of", "can be 15 minutes late")
    assert 5 < minutes_to_wait(said) <= 15
    later(stage, 15 * 60)
    stage.run(FINISH, changes=FINISHED)


def test_what_does_not_count(stage: Stage) -> None:
    """What STS refused, what was for another role, and a pod of a Job, which replaces no other one."""
    moved(stage)
    exchange(stage, "AccessDenied")
    exchange(stage, role="arn:aws:iam::111122223333:role/other")
    pod(stage, owner="Job")
    stage.run(FINISH, changes=FINISHED)


def test_what_cloudtrail_does_not_tell_is_a_note(stage: Stage) -> None:
    moved(stage)
    exchange(stage)
    stage.sandbox.faults.add(Fault("cloudtrail", "LookupEvents", "error", times=None))
    stage.run(FINISH, says="irsa did not check CloudTrail for the use of IRSA", changes=FINISHED)


def test_a_time_that_makes_no_sense(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for line in (MIGRATE, f"{BACK} --finish"):
        stage.run(f"{line} --unused-for 2h", code=2)
    stage.run(f"{FINISH} --unused-for 10m", code=2)
    assert not stage.sandbox.calls


# Roles behind the role.

ASSUME, BOTH = "sts:AssumeRole", "sts:AssumeRole,sts:TagSession"


def other_role(stage: Stage) -> str:
    """A role that the ServiceAccount's role may assume, without tags, and that trusts it; its ARN."""
    arn = stage.role_of("apps", "app")["arn"]
    trusted = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": ASSUME}
    stage.iam().create_role(RoleName="other", AssumeRolePolicyDocument=EC2_TRUST)
    set_trust(stage, trusted, name="other")
    other = f"arn:aws:iam::{stage.account_id}:role/other"
    allow(stage, statement(f"Allow {ASSUME} on {other}"))
    return other


def switches(stage: Stage, other: str) -> str:
    """A new pod asks the agent for credentials, and assumes the other role; '' if it can."""
    given = ask_agent(stage).json
    sts = boto3.client(
        "sts",
        endpoint_url=stage.sandbox.url,
        region_name=stage.region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )
    try:
        sts.assume_role(RoleArn=other, RoleSessionName="app")
    except ClientError as error:
        return str(error)
    return ""


def test_pods_that_switch_roles_are_not_given_session_tags(stage: Stage) -> None:
    """Where policies or trust policies allow no sts:TagSession; all are in tests/unit/uses."""
    stage.run(CREATE)
    other = other_role(stage)
    why = f"the policies of the role allow sts:AssumeRole on {other}, but not sts:TagSession"
    for line in (ALSO, MIGRATE):
        said = stage.run(line, code=4, says=why, changes="").err
    proposed(stage, said, "migrate .*--disable-session-tags")
    (given,) = stage.world()["associations"].values()
    assert given["disableSessionTags"] is True
    assert switches(stage, other) == ""
    stage.run(FINISH)
    assert switches(stage, other) == ""


def test_an_association_with_tags_is_not_finished_until_it_has_none(stage: Stage) -> None:
    moved(stage)
    other = other_role(stage)
    assert "TagSession" in switches(stage, other)
    for command in re.findall(r"irsa (migrate [^#\n]*)", refused(stage)):
        stage.run(command)
    stage.run(FINISH)
    assert switches(stage, other) == ""


def test_roles_that_irsa_can_not_see_are_named(stage: Stage) -> None:
    stage.run(CREATE)
    resource = "arn:aws:iam::*:role/deploy-*"
    allow(stage, statement(f"Allow {BOTH} on {resource}"))
    stage.run(MIGRATE, says=("not known if pods can still assume other roles", resource))


def test_there_and_back_without_session_tags(stage: Stage) -> None:
    stage.run(CREATE)
    before = stage.world()
    for line in (f"{MIGRATE} --disable-session-tags", FINISH, BACK, "migrate app -n apps --to irsa --finish"):
        stage.run(line)
    assert stage.world() == before
