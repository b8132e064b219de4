"""`irsa migrate` and users of a role that are no pods: who exchanges tokens, and roles behind the role."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import NAME, associations, create, migrate, pod, refused, world
from tests.support.eks_states import add_addon, note_exchange, pass_time
from tests.support.stage import ROLE_ARN, Stage

HOUR = 3600.0


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def exchange(stage: Stage, namespace: str, code: str = "", role: str = "") -> None:
    """Somebody exchanges the ServiceAccount's token now; `code`: refused by STS."""
    subject = f"system:serviceaccount:{namespace}:{NAME}"
    arn = role or stage.role_of(namespace, NAME)["arn"]
    note_exchange(stage.sandbox, stage.cluster, subject, arn, code)


def moved(stage: Stage, namespace: str) -> None:
    """The first step is done."""
    create(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err


def finish(stage: Stage, namespace: str, *more: str) -> str:
    """The last step ends well; returns its messages."""
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish", *more)
    assert ran.code == 0, ran.err
    account = stage.world()["kubernetes"]["serviceaccounts"][f"{namespace}/{NAME}"]
    assert ROLE_ARN not in account["annotations"]
    return ran.err


def proposed(stage: Stage, said: str) -> None:
    """The command that goes on without the check works as it is printed."""
    (command,) = re.findall(r"without this check: irsa (.*)", said)
    ran = stage.irsa(*command.split())
    assert ran.code == 0, ran.err


def test_without_pods_irsa_is_not_removed_within_two_hours_of_an_exchange(
    stage: Stage, namespace: str
) -> None:
    """By External Secrets, for example, which requests tokens of the ServiceAccount itself."""
    moved(stage, namespace)
    exchange(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, 60)
    said = refused(stage, namespace, "pod-identity", "--finish")
    assert f"{namespace}/{NAME} still uses IRSA" in said
    assert "CloudTrail in eu-west-1 shows an exchange of its token at" in said
    (when,) = re.findall(r"run this again after (\S+ \S+) UTC", said)
    later = datetime.strptime(when, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    assert abs(later - datetime.now(timezone.utc) - timedelta(minutes=119)) < timedelta(minutes=1)
    pass_time(stage.sandbox, stage.cluster, 2 * HOUR)
    finish(stage, namespace)


def test_what_is_refused_is_done_by_the_command_that_is_proposed(stage: Stage, namespace: str) -> None:
    moved(stage, namespace)
    exchange(stage, namespace)
    proposed(stage, refused(stage, namespace, "pod-identity", "--finish"))


def test_a_shorter_time_that_the_user_gives(stage: Stage, namespace: str) -> None:
    moved(stage, namespace)
    exchange(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, HOUR)
    refused(stage, namespace, "pod-identity", "--finish")
    refused(stage, namespace, "pod-identity", "--finish", "--unused-for", "90m")
    finish(stage, namespace, "--unused-for", "30m")


def test_pods_that_replaced_older_ones_tell_since_when_nobody_should_use_irsa(
    stage: Stage, namespace: str
) -> None:
    """CloudTrail is up to 15 minutes late, and what others do is known only then."""
    moved(stage, namespace)
    exchange(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, 60)
    pod(stage, namespace)
    said = refused(stage, namespace, "pod-identity", "--finish")
    assert f"not known yet if anything but pods uses IRSA of {namespace}/{NAME}" in said
    assert "CloudTrail can be 15 minutes late" in said
    (when,) = re.findall(r"run this again after (\S+ \S+) UTC", said)
    later = datetime.strptime(when, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    assert timedelta(minutes=14) < later - datetime.now(timezone.utc) <= timedelta(minutes=15)
    pass_time(stage.sandbox, stage.cluster, 15 * 60)
    finish(stage, namespace)


def test_an_exchange_after_the_youngest_pod_is_of_somebody_else(stage: Stage, namespace: str) -> None:
    moved(stage, namespace)
    pod(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, 3 * HOUR)
    exchange(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, 2.5 * HOUR)
    said = refused(stage, namespace, "pod-identity", "--finish")
    assert "no pod has used IRSA since" in said
    assert "find who requests its token" in said
    proposed(stage, said)


@pytest.mark.parametrize("kind", ["refused by STS", "for another role", "of a Job"])
def test_what_does_not_count(stage: Stage, namespace: str, kind: str) -> None:
    """A pod of a Job replaces no other one."""
    moved(stage, namespace)
    if kind == "of a Job":
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "1", "controller": True}
        pod(stage, namespace, "x-1", owner)
    elif kind == "refused by STS":
        exchange(stage, namespace, "AccessDenied")
    else:
        exchange(stage, namespace, role="arn:aws:iam::111122223333:role/other")
    finish(stage, namespace)


def test_if_cloudtrail_cannot_be_read_a_note_says_so(stage: Stage, namespace: str) -> None:
    moved(stage, namespace)
    exchange(stage, namespace)
    stage.sandbox.faults.add(Fault("cloudtrail", "LookupEvents", "error", times=None))
    assert "irsa did not check CloudTrail for the use of IRSA" in finish(stage, namespace)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "pod-identity", "--unused-for", "2h"),
        ("--to", "irsa", "--finish", "--unused-for", "2h"),
        ("--to", "pod-identity", "--finish", "--unused-for", "10m"),
    ],
)
def test_a_time_that_makes_no_sense(stage: Stage, arguments: tuple[str, ...]) -> None:
    stage.sandbox.calls.clear()
    ran = stage.irsa("migrate", NAME, "-c", stage.cluster, *arguments)
    assert ran.code == 2, ran.err
    assert not stage.sandbox.calls


def test_the_walkthrough_where_pods_exchanged_a_minute_ago(stage: Stage, namespace: str) -> None:
    """docs/how-to/migrate.md: each step in its order, and what the page says of the last one."""
    create(stage, namespace)
    pod(stage, namespace)
    exchange(stage, namespace)
    pass_time(stage.sandbox, stage.cluster, 60)
    before = world(stage)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace, "--dry-run").code == 0
    assert world(stage) == before
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    assert "running pod with IRSA" in refused(stage, namespace, "pod-identity", "--finish")
    assert stage.kube.delete(f"/api/v1/namespaces/{namespace}/pods/app-1").status == 200
    pod(stage, namespace)
    assert "1 by Pod Identity" in migrate(stage, "pod-identity", NAME, "-n", namespace, "--status").out
    assert "not known yet" in refused(stage, namespace, "pod-identity", "--finish")
    pass_time(stage.sandbox, stage.cluster, 15 * 60)
    finish(stage, namespace)


def other_role(stage: Stage, namespace: str, actions: list[str], *, trust_actions: list[str]) -> str:
    """A role that the ServiceAccount's role may assume by these actions, and that trusts it; its ARN."""
    arn = stage.role_of(namespace, NAME)["arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": trust_actions}
    other: str = stage.iam().create_role(
        RoleName=f"{namespace}-other",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    allow(stage, namespace, actions, other)
    return other


def allow(stage: Stage, namespace: str, actions: list[str], resource: str) -> None:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    stage.iam().put_role_policy(
        RoleName=stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1],
        PolicyName="switch",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def switches(stage: Stage, namespace: str, other: str) -> str:
    """A new pod asks the agent for credentials, and assumes the other role; '' if it can."""
    url = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}/token"
    spec = {"audiences": ["pods.eks.amazonaws.com"], "expirationSeconds": 600}
    token = stage.kube.create(url, {"metadata": {}, "spec": spec}).body["status"]["token"]
    request = urllib.request.Request(stage.sandbox.agent_url, headers={"Authorization": token})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        found = json.load(answer)
    sts = boto3.client(
        "sts",
        endpoint_url=stage.sandbox.url,
        region_name=stage.region,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["Token"],
    )
    try:
        sts.assume_role(RoleArn=other, RoleSessionName="app")
    except ClientError as error:
        return str(error)
    return ""


ASSUME, BOTH = ["sts:AssumeRole"], ["sts:AssumeRole", "sts:TagSession"]
ALSO = ("update-sa", "--also", "pod-identity")
MIGRATE = ("migrate", "--to", "pod-identity")


@pytest.mark.parametrize("command", [MIGRATE, ALSO], ids=["migrate", "also"])
@pytest.mark.parametrize(
    ("own", "theirs", "why"),
    [
        (ASSUME, ASSUME, "the policies of the role allow sts:AssumeRole on {}, but not sts:TagSession"),
        (ASSUME, BOTH, "the policies of the role allow sts:AssumeRole on {}, but not sts:TagSession"),
        (BOTH, ASSUME, "the trust policy of {} does not allow sts:TagSession"),
    ],
)
def test_pods_that_switch_roles_are_not_given_session_tags(
    stage: Stage, namespace: str, own: list[str], theirs: list[str], why: str, command: tuple[str, ...]
) -> None:
    create(stage, namespace)
    other = other_role(stage, namespace, own, trust_actions=theirs)
    before = world(stage)
    ran = stage.irsa(*command, NAME, "-n", namespace, "-c", stage.cluster)
    assert ran.code == 4, ran.err
    assert world(stage) == before
    assert why.format(other) in ran.err
    (way_out,) = re.findall(r"irsa (migrate .*--disable-session-tags)", ran.err)
    ran = stage.irsa(*way_out.split())
    assert ran.code == 0, ran.err
    (given,) = associations(stage).values()
    assert given["disableSessionTags"] is True
    assert switches(stage, namespace, other) == ""
    finish(stage, namespace)
    assert switches(stage, namespace, other) == ""


def test_pods_that_may_pass_on_tags_move(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    other = other_role(stage, namespace, BOTH, trust_actions=BOTH)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err
    assert "not known if pods can still assume" not in ran.err
    assert switches(stage, namespace, other) == ""


def test_an_association_with_tags_is_not_finished_until_it_has_none(stage: Stage, namespace: str) -> None:
    moved(stage, namespace)
    other = other_role(stage, namespace, ASSUME, trust_actions=ASSUME)
    assert "TagSession" in switches(stage, namespace, other)
    said = refused(stage, namespace, "pod-identity", "--finish")
    back, again = re.findall(r"irsa (migrate [^#\n]*)", said)
    for command in (back, again):
        ran = stage.irsa(*command.split())
        assert ran.code == 0, ran.err
    finish(stage, namespace)
    assert switches(stage, namespace, other) == ""


@pytest.mark.parametrize(
    "resource", ["*", "arn:aws:iam::*:role/deploy-*", "arn:aws:iam::999900001111:role/x"]
)
def test_roles_that_irsa_can_not_see_are_named(stage: Stage, namespace: str, resource: str) -> None:
    create(stage, namespace)
    allow(stage, namespace, BOTH, resource)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--allow-wide-trust")
    assert ran.code == 0, ran.err
    assert "not known if pods can still assume other roles" in ran.err
    assert resource in ran.err


@pytest.mark.parametrize("kind", ["trusted by none", "denied"])
def test_roles_that_pods_can_not_assume_anyway(stage: Stage, namespace: str, kind: str) -> None:
    create(stage, namespace)
    other = other_role(stage, namespace, ASSUME, trust_actions=ASSUME)
    if kind == "denied":
        deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": other}
        stage.iam().put_role_policy(
            RoleName=stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1],
            PolicyName="no",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}),
        )
    else:
        nobody = {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        stage.iam().update_assume_role_policy(
            RoleName=f"{namespace}-other",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nobody]}),
        )
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert ran.code == 0, ran.err


def test_there_and_back_without_session_tags(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    for step in (
        ("pod-identity", "--disable-session-tags"),
        ("pod-identity", "--finish"),
        ("irsa",),
        ("irsa", "--finish"),
    ):
        ran = migrate(stage, step[0], NAME, "-n", namespace, *step[1:])
        assert ran.code == 0, (step, ran.err)
    assert world(stage) == before
