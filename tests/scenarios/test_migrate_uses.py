"""`irsa migrate` and users of a role that are no pods: who exchanges tokens, and roles behind the role."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import NAME, create, migrate, pod, refused, world
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
