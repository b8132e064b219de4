"""`irsa update-sa` as its users run it: each flag changes what it names, and the rest of the world stays."""

import copy
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.binding import make_binding
from tests.scenarios.updating import (
    ADMIN,
    EVERYTHING,
    NAME,
    QUEUE,
    SNS,
    SQS,
    TOPIC,
    make_complete,
    update,
    write,
)
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

Edit = Callable[[Json, Json], Any]
"""What is to change of a role and a ServiceAccount, done by hand."""


@pytest.fixture(autouse=True)
def complete(stage: Stage, namespace: str) -> None:
    make_complete(stage, namespace)


def _edited(stage: Stage, namespace: str, world: Json, edit: Edit) -> Json:
    desired = copy.deepcopy(world)
    name = stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1]
    edit(desired["roles"][name], desired["kubernetes"]["serviceaccounts"][f"{namespace}/{NAME}"])
    return desired


def _retagged(**tags: str | None) -> Edit:
    def edit(role: Json, _: Json) -> None:
        role["tags"] = {key: value for key, value in {**role["tags"], **tags}.items() if value is not None}

    return edit


def _set(key: str, value: Any) -> Edit:
    return lambda role, _: role.__setitem__(key, value)


def _without(key: str, name: str) -> Edit:
    return lambda role, _: role[key].pop(name)


def _marked(key: str, value: str) -> dict[str, str]:
    """One of the webhook's annotations, and the mark that irsa wrote it."""
    return {f"eks.amazonaws.com/{key}": value, f"irsa/{key}": value}


FLAGS: dict[str, tuple[tuple[str, ...], Edit]] = {
    "attach": (("--attach-policy-arn", SNS), lambda role, _: role["attached"].insert(1, SNS)),
    "detach": (("--detach-policy-arn", f"{SQS}"), lambda role, _: role["attached"].remove(SQS)),
    "set": (("--set-policy-arns", f"{READ_ONLY},{SNS}"), _set("attached", [READ_ONLY, SNS])),
    "set-none": (("--set-policy-arns", "none"), _set("attached", [])),
    "replace-inline": (
        ("--inline-policy", "queue.json"),
        lambda role, _: role["inline"].__setitem__("queue", TOPIC),
    ),
    "add-inline": (
        ("--inline-policy", "topic.json"),
        lambda role, _: role["inline"].__setitem__("topic", TOPIC),
    ),
    "remove-inline": (("--remove-inline-policy", "theirs"), _without("inline", "theirs")),
    "boundary": (("--permissions-boundary", READ_ONLY), _set("boundary", READ_ONLY)),
    "no-boundary": (("--no-permissions-boundary", "--allow-boundary-removal"), _set("boundary", None)),
    "boundary-none": (
        ("--permissions-boundary", "none", "--allow-boundary-removal"),
        _set("boundary", None),
    ),
    "tags": (("--tags", "team=b,more=c"), _retagged(team="b", more="c")),
    "tags-in-another-case": (("--tags", "Team=b"), _retagged(team="b")),
    "remove-tag": (("--remove-tag", "team,Env"), _retagged(team=None, env=None)),
    "description": (("--description", "new"), _set("description", "new")),
    "no-description": (("--description", ""), _set("description", "")),
    "duration": (("--max-session-duration", "7200"), _set("max_session_duration", 7200)),
    "label": (("--label", "team=b"), lambda _, account: account["labels"].__setitem__("team", "b")),
    "no-label": (("--label", "team-"), lambda _, account: account["labels"].pop("team")),
    "annotation": (
        ("--annotation", "example.com/note=a=b-"),
        lambda _, account: account["annotations"].__setitem__("example.com/note", "a=b-"),
    ),
    "no-annotation": (
        ("--annotation", "example.com/note-"),
        lambda _, account: account["annotations"].pop("example.com/note"),
    ),
    "global-sts": (
        ("--no-sts-regional-endpoints",),
        lambda _, account: account["annotations"].update(_marked("sts-regional-endpoints", "false")),
    ),
    "expiration": (
        ("--token-expiration", "900"),
        lambda _, account: account["annotations"].update(_marked("token-expiration", "900")),
    ),
}


@pytest.mark.parametrize("flag", FLAGS)
def test_what_a_flag_names_changes_and_nothing_else(stage: Stage, namespace: str, flag: str) -> None:
    for name in ("queue.json", "topic.json"):
        write(stage, name, TOPIC)
    arguments, edit = FLAGS[flag]
    before = stage.world()
    desired = _edited(stage, namespace, before, edit)
    planned = update(stage, namespace, *arguments, "--dry-run", "--detailed-exitcode", "-o", "json")
    assert planned.code == 6, planned.err
    assert planned.metadata["outcome"] == "planned"
    assert stage.world() == before
    ran = update(stage, namespace, *arguments, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.metadata["outcome"] == "committed"
    assert stage.world() == desired
    again = update(stage, namespace, *arguments)
    assert again.code == 0, again.err
    assert again.out.startswith("Nothing to do")
    assert stage.world() == desired


def test_only_the_service_account_needs_no_right_in_iam(stage: Stage, namespace: str) -> None:
    stage.sandbox.calls.clear()
    assert update(stage, namespace, "--label", "team=b", "--annotation", "example.com/note-").code == 0
    assert not [call for call in stage.sandbox.calls if call.service == "iam"]


def test_all_at_once_with_proof(stage: Stage, namespace: str) -> None:
    write(stage, "queue.json", TOPIC)
    ran = update(stage, namespace, *EVERYTHING, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["verifications"][0]["audience"] == "vault"
    assert ran.item["restart"] is True
    role = stage.role_of(namespace, NAME)
    assert (role["attached"], role["inline"]) == ([READ_ONLY, SNS], {"queue": TOPIC})
    assert (role["boundary"], role["description"], role["max_session_duration"]) == (
        READ_ONLY,
        "another",
        7200,
    )
    account = stage.account(namespace, NAME)
    assert account is not None
    assert account["annotations"]["eks.amazonaws.com/audience"] == "vault"
    assert update(stage, namespace, *EVERYTHING).out.startswith("Nothing to do")


def test_a_plan_shows_documents_as_differences(stage: Stage, namespace: str) -> None:
    write(stage, "queue.json", TOPIC)
    ran = update(stage, namespace, "--inline-policy", "queue.json", "--audience", "vault", "--dry-run")
    assert ran.code == 4, ran.out
    ran = update(
        stage,
        namespace,
        "--inline-policy",
        "queue.json",
        "--audience",
        "vault",
        "--associate-oidc",
        "--dry-run",
    )
    assert ran.code == 0, ran.err
    assert '-    "Action": "sqs:*",' in ran.out
    assert '+    "Action": "sns:*",' in ran.out
    assert "oidc" in ran.out


def test_an_audience_that_the_provider_does_not_accept_is_refused(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = update(stage, namespace, "--audience", "vault")
    assert ran.code == 4
    assert "--associate-oidc" in ran.err
    assert stage.world() == before


def test_the_audience_goes_there_and_back(stage: Stage, namespace: str) -> None:
    role, account = stage.role_of(namespace, NAME), stage.account(namespace, NAME)
    assert update(stage, namespace, "--audience", "vault", "--associate-oidc", "--verify").code == 0
    assert "vault" in str(stage.role_of(namespace, NAME)["trust"])
    ran = update(stage, namespace, "--audience", "sts.amazonaws.com", "--verify")
    assert ran.code == 0, ran.err
    assert (stage.role_of(namespace, NAME), stage.account(namespace, NAME)) == (role, account)


def test_statements_of_others_and_a_sid_are_kept(stage: Stage, namespace: str) -> None:
    role = stage.role_of(namespace, NAME)
    ours = {"Sid": "Ours", **role["trust"]["Statement"][0]}
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [theirs, ours]}
    stage.iam().update_assume_role_policy(
        RoleName=role["arn"].rsplit("/", 1)[-1], PolicyDocument=json.dumps(trust)
    )
    assert update(stage, namespace, "--audience", "vault", "--associate-oidc").code == 0
    first, second = stage.role_of(namespace, NAME)["trust"]["Statement"]
    assert first == theirs
    assert second["Sid"] == "Ours"
    assert "vault" in str(second["Condition"])


def test_a_statement_that_admits_others_is_not_changed(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("b", namespace, "--subject-pattern", "b*").code == 0
    before = stage.world()
    ran = update(stage, namespace, "--audience", "vault", "--associate-oidc", name="b")
    assert ran.code == 4, ran.err
    assert stage.world() == before


def test_policies_give_way_first_where_there_is_no_room(stage: Stage, namespace: str) -> None:
    names = ("EC2", "SNS", "DynamoDB", "RDS", "Kinesis", "Route53", "VPC", "ElastiCache", "Glacier", "SES")
    iam = stage.iam()
    ten = [iam.create_policy(PolicyName=f"p{n}", PolicyDocument=_text())["Policy"]["Arn"] for n in names]
    assert update(stage, namespace, "--set-policy-arns", ",".join(ten)).code == 0
    new = iam.create_policy(PolicyName="new", PolicyDocument=_text())["Policy"]["Arn"]
    before = stage.world()
    refused = update(stage, namespace, "--attach-policy-arn", new)
    assert refused.code == 4, refused.err
    assert stage.world() == before
    ran = update(stage, namespace, "--attach-policy-arn", new, "--detach-policy-arn", ten[0])
    assert ran.code == 0, ran.err
    assert stage.role_of(namespace, NAME)["attached"] == sorted([*ten[1:], new])
    stage.sandbox.quotas["AttachedPoliciesPerRoleQuota"] = 20
    try:
        assert update(stage, namespace, "--attach-policy-arn", ten[0]).code == 0
    finally:
        stage.sandbox.quotas["AttachedPoliciesPerRoleQuota"] = 10


def _text() -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [QUEUE["Statement"]]})


def test_inline_policies_are_measured_together_before_the_first_write(stage: Stage, namespace: str) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject"] * 500, "Resource": "*"}
    big = {"Version": "2012-10-17", "Statement": statement}
    write(stage, "queue.json", big)
    write(stage, "more.json", big)
    assert update(stage, namespace, "--inline-policy", "queue.json").code == 0
    before = stage.world()
    assert update(stage, namespace, "--inline-policy", "more.json").code == 4
    assert stage.world() == before
    write(stage, "queue.json", QUEUE)
    write(stage, "theirs.json", big)
    # One grows by what the other gives up: in between there is no room for both.
    ran = update(stage, namespace, "--inline-policy", "queue.json", "--inline-policy", "theirs.json")
    assert ran.code == 0, ran.err
    assert stage.role_of(namespace, NAME)["inline"] == {"queue": QUEUE, "theirs": big}


def test_fifty_tags_are_all_there_is(stage: Stage, namespace: str) -> None:
    assert update(stage, namespace, "--tags", ",".join(f"k{n}=v" for n in range(44))).code == 0
    before = stage.world()
    ran = update(stage, namespace, "--tags", "one=a,two=b")
    assert ran.code == 4, ran.err
    assert stage.world() == before
    assert update(stage, namespace, "--tags", "one=a,two=b", "--remove-tag", "k1,k2").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--verify",),
        ("--attach-policy-arn", "arn:foo"),
        ("--attach-policy-arn", SNS, "--detach-policy-arn", SNS),
        ("--set-policy-arns", SNS, "--attach-policy-arn", SQS),
        ("--inline-policy", "queue.json", "--remove-inline-policy", "queue"),
        ("--permissions-boundary", ADMIN, "--no-permissions-boundary"),
        ("--tags", "a=b", "--remove-tag", "A"),
        ("--remove-tag", "irsa/cluster"),
        ("--label", "team"),
        ("--label", "team=a", "--label", "team-"),
        ("--label", "-"),
        ("--annotation", f"{ROLE_ARN}-"),
        ("--associate-oidc", "--label", "a=b"),
        ("--token-expiration", "5"),
    ],
)
def test_what_makes_no_sense_is_told_before_any_call(
    stage: Stage, namespace: str, arguments: tuple[str, ...]
) -> None:
    stage.sandbox.calls.clear()
    assert update(stage, namespace, *arguments).code == 2
    assert not stage.sandbox.calls


def test_a_policy_that_does_not_exist_is_found_before_the_first_write(stage: Stage, namespace: str) -> None:
    before = stage.world()
    for flag in ("--attach-policy-arn", "--set-policy-arns", "--permissions-boundary"):
        ran = update(stage, namespace, flag, f"{READ_ONLY}x", "--description", "new")
        assert ran.code == 1
        assert READ_ONLY in ran.err
    assert stage.world() == before


def test_in_the_wrong_namespace_it_says_where_it_is(stage: Stage, namespace: str) -> None:
    ran = update(stage, "default", "--label", "a=b")
    assert ran.code == 4
    assert namespace in ran.err


def test_a_service_account_without_a_role_is_refused(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "bare")
    ran = update(stage, namespace, "--label", "a=b", name="bare")
    assert ran.code == 4
    assert "create-sa" in ran.err


def test_what_is_not_there_to_be_removed_is_told(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = update(
        stage,
        namespace,
        *("--detach-policy-arn", SNS, "--remove-inline-policy", "nothing", "--remove-tag", "none"),
    )
    assert ran.code == 0
    assert ran.out.startswith("Nothing to do")
    assert all(text in ran.err for text in (SNS, "nothing", "none"))
    assert stage.world() == before


def test_a_role_that_is_not_irsas_is_refused(stage: Stage, namespace: str) -> None:
    stage.iam().delete_open_id_connect_provider(
        OpenIDConnectProviderArn=next(iter(stage.aws_world()["oidc_providers"]))
    )
    make_binding(stage, namespace)
    before = stage.world()
    ran = update(stage, namespace, "--description", "new", name="reader")
    assert ran.code == 4, ran.err
    assert f"irsa adopt reader -n {namespace}" in ran.err
    assert stage.world() == before
    assert update(stage, namespace, "--label", "a=b", name="reader").code == 0


def test_a_role_of_another_service_account_is_refused(stage: Stage, namespace: str) -> None:
    arn = stage.role_of(namespace, NAME)["arn"]
    stage.make_account(namespace, "guest", annotations={ROLE_ARN: arn})
    before = stage.world()
    ran = update(stage, namespace, "--description", "new", name="guest")
    assert ran.code == 4, ran.err
    assert f"{namespace}/{NAME}" in ran.err
    ran = update(stage, namespace, "--description", "new")
    assert ran.code == 4, ran.err
    assert f"{namespace}/guest" in ran.err
    assert stage.world() == before


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::444455556666:role/far", "arn:aws:iam::111122223333:role/none", "rubbish"]
)
def test_a_role_that_is_elsewhere_or_nowhere_is_refused(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "lost", annotations={ROLE_ARN: arn})
    before = stage.world()
    assert update(stage, namespace, "--description", "new", name="lost").code == 4
    assert stage.world() == before


def test_a_caller_who_may_not_list_goes_on_and_is_told(stage: Stage, namespace: str) -> None:
    user = stage.restricted((("get", "patch"), ("serviceaccounts",)))
    ran = update(stage, namespace, "--description", "new", user=user)
    assert ran.code == 0, ran.err
    assert "can't list" in ran.err


def test_a_role_that_is_being_made_is_refused(stage: Stage, namespace: str) -> None:
    def kill_before() -> None:
        stage.kill()
        raise ConnectionAbortedError("the request got lost on its way")

    stage.sandbox.faults.add(Fault("iam", "TagRole", "callback", run=kill_before))
    arn = f"arn:aws:iam::111122223333:role/irsa/{stage.cluster}/own"
    stage.make_account(namespace, "half", annotations={ROLE_ARN: arn})
    made = stage.create_sa("half", namespace, "--role-name", "own", "--attach-policy-arn", READ_ONLY)
    assert made.code == -9, made.err
    stage.sandbox.faults.clear()
    before = stage.world()
    ran = update(stage, namespace, "--description", "new", name="half")
    assert ran.code == 4, ran.err
    assert stage.world() == before


@pytest.mark.parametrize("stage", ["sandbox"], indirect=True)  # Nothing comes between irsa and a real server.
def test_a_second_signal_stops_at_once_also_when_the_first_came_too_late(
    stage: Stage, namespace: str
) -> None:
    """The first one meets the last write, after which nothing is left to stop but giving the lock back."""

    def first() -> None:
        stage.sandbox.faults.add(
            Fault("kubernetes", "DELETE leases", "callback", run=lambda: stage.signal(signal.SIGTERM))
        )
        stage.signal(signal.SIGTERM)

    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", run=first))
    flags = ("--attach-policy-arn", SNS, "--detach-policy-arn", SQS)
    assert update(stage, namespace, *flags).code == -signal.SIGTERM
    attached = stage.role_of(namespace, NAME)["attached"]
    assert (SNS in attached, SQS in attached) == (True, False)
    assert update(stage, namespace, *flags).code == 0
