"""`irsa update-sa` as its users run it: each flag changes what it names, and the rest of the world stays."""

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.binding import make_binding
from tests.scenarios.updating import EVERYTHING, EVERYTHING_CHANGED, QUEUE, TOPIC, make_complete, write
from tests.support.documents import doc, policy
from tests.support.rows import Row, in_words, play_all
from tests.support.stage import ROLE_ARN, Stage

SQS_ALL = '{"Effect":"Allow","Action":"sqs:*","Resource":"*"}'
SNS_ALL = '{"Effect":"Allow","Action":"sns:*","Resource":"*"}'


@pytest.fixture(autouse=True)
def complete(stage: Stage, namespace: str) -> None:
    make_complete(stage, namespace)
    write(stage, "topic.json", TOPIC)
    stage.words["issuer"] = next(iter(stage.aws_world()["oidc_providers"])).rpartition("/")[2]


CHANGES = {
    "--attach-policy-arn $SNS": "+ $role attached AmazonSNSReadOnlyAccess",
    "--detach-policy-arn $SQS": "- $role attached AmazonSQSReadOnlyAccess",
    "--set-policy-arns $S3,$SQS": """- $role attached AmazonSNSReadOnlyAccess
        + $role attached AmazonSQSReadOnlyAccess""",
    "--set-policy-arns none": """- $role attached AmazonSQSReadOnlyAccess
        - $role attached AmazonS3ReadOnlyAccess""",
    "--inline-policy queue.json": f"""- $role inline queue {SQS_ALL}
        + $role inline queue {SNS_ALL}""",
    "--inline-policy topic.json": f"+ $role inline topic {SNS_ALL}",
    "--remove-inline-policy theirs": f"- $role inline theirs {SNS_ALL}",
    "--permissions-boundary $S3": """- $role boundary AdministratorAccess
        + $role boundary AmazonS3ReadOnlyAccess""",
    "--no-permissions-boundary --allow-boundary-removal": "- $role boundary AmazonS3ReadOnlyAccess",
    "--permissions-boundary $SQS": "+ $role boundary AmazonSQSReadOnlyAccess",
    "--permissions-boundary none --allow-boundary-removal": "- $role boundary AmazonSQSReadOnlyAccess",
    "--tags team=b,more=c": """- $role tags team a
        + $role tags team b
        + $role tags more c""",
    "--tags Team=d": """- $role tags team b
        + $role tags team d""",
    "--remove-tag team,Env": """- $role tags team d
        - $role tags env test""",
    "--description new": """- $role description what it is
        + $role description new""",
    "--description ''": "- $role description new",
    "--max-session-duration 7200": """- $role max_session_duration 3600
        + $role max_session_duration 7200""",
    "--label team=b": """- $sa labels team a
        + $sa labels team b""",
    "--label team-": "- $sa labels team b",
    "--annotation example.com/note=a=b-": """- $sa annotations example.com/note hello
        + $sa annotations example.com/note a=b-""",
    "--annotation example.com/note-": "- $sa annotations example.com/note a=b-",
    "--no-sts-regional-endpoints": """+ $sa annotations eks.amazonaws.com/sts-regional-endpoints false
        + $sa annotations irsa/sts-regional-endpoints false""",
    "--token-expiration 900": """+ $sa annotations eks.amazonaws.com/token-expiration 900
        + $sa annotations irsa/token-expiration 900""",
}
"""One flag after the other."""


def test_what_a_flag_names_changes_and_nothing_else(stage: Stage) -> None:
    write(stage, "queue.json", TOPIC)
    for flags, changes in CHANGES.items():
        line = f"update-sa app -n $ns {flags}"
        planned = stage.run(f"{line} --dry-run --detailed-exitcode -o json", code=6, changes="")
        assert planned.metadata["outcome"] == "planned"
        stage.sandbox.calls.clear()
        ran = stage.run(f"{line} -o json", changes=changes)
        assert ran.metadata["outcome"] == "committed"
        if "$role" not in changes:
            assert not [call for call in stage.sandbox.calls if call.service == "iam"]
        stage.run(line, says="Nothing to do", changes="")


def test_all_at_once_with_proof(stage: Stage) -> None:
    write(stage, "queue.json", TOPIC)
    ran = stage.run(f"{EVERYTHING} --verify -o json", says="restart running pods", changes=EVERYTHING_CHANGED)
    assert (ran.item["verifications"][0]["audience"], ran.item["restart"]) == ("vault", True)
    stage.run(EVERYTHING, says="Nothing to do", changes="")


def test_a_plan_shows_documents_as_differences(stage: Stage) -> None:
    write(stage, "queue.json", TOPIC)
    line = "update-sa app -n $ns --inline-policy queue.json --audience vault --dry-run"
    stage.run(line, code=4, changes="")
    said = ['-    "Action": "sqs:*",', '+    "Action": "sns:*",', "oidc"]
    stage.run(f"{line} --associate-oidc", says=said, changes="")


def test_the_audience_goes_there_and_back(stage: Stage) -> None:
    before = stage.world()
    stage.run("update-sa app -n $ns --audience vault --associate-oidc --verify")
    stage.run("update-sa app -n $ns --audience sts.amazonaws.com --verify")
    assert {**stage.world(), "oidc_providers": 0} == {**before, "oidc_providers": 0}


def test_statements_of_others_and_a_sid_are_kept(stage: Stage, namespace: str) -> None:
    ours = {"Sid": "Ours", **stage.role_of(namespace, "app")["trust"]["Statement"][0]}
    theirs = doc(
        '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
    )
    trust = json.dumps({"Version": "2012-10-17", "Statement": [theirs, ours]})
    stage.iam().update_assume_role_policy(RoleName=stage.words["name"], PolicyDocument=trust)
    stage.run("update-sa app -n $ns --audience vault --associate-oidc")
    first, second = stage.role_of(namespace, "app")["trust"]["Statement"]
    assert (first, second["Sid"], "vault" in str(second["Condition"])) == (theirs, "Ours", True)


def test_policies_give_way_first_where_there_is_no_room(stage: Stage) -> None:
    iam, document = stage.iam(), json.dumps(policy("Allow sqs:* on *"))
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document)["Policy"]["Arn"]
        for number in range(11)
    ]
    stage.words |= {"ten": ",".join(arns[:10]), "old": arns[0], "new": arns[10]}
    stage.run("update-sa app -n $ns --set-policy-arns $ten")
    stage.run("update-sa app -n $ns --attach-policy-arn $new", code=4, changes="")
    swap = "update-sa app -n $ns --attach-policy-arn $new --detach-policy-arn $old"
    counted = """- policy p0 attachments 1
        + policy p0 attachments 0
        - policy p10 attachments 0
        + policy p10 attachments 1"""
    stage.run(swap, changes=["- $role attached p0", "+ $role attached p10", counted])
    stage.sandbox.quotas["AttachedPoliciesPerRoleQuota"] = 20
    try:
        stage.run("update-sa app -n $ns --attach-policy-arn $old")
    finally:
        stage.sandbox.quotas["AttachedPoliciesPerRoleQuota"] = 10


def test_inline_policies_are_measured_together_before_the_first_write(stage: Stage, namespace: str) -> None:
    big = policy(f"Allow {','.join(['s3:GetObject'] * 500)} on *")
    for name in ("queue.json", "more.json", "theirs.json"):
        write(stage, name, big)
    stage.run("update-sa app -n $ns --inline-policy queue.json")
    stage.run("update-sa app -n $ns --inline-policy more.json", code=4, changes="")
    write(stage, "queue.json", QUEUE)
    # One grows by what the other gives up: in between there is no room for both.
    stage.run("update-sa app -n $ns --inline-policy queue.json --inline-policy theirs.json")
    assert stage.role_of(namespace, "app")["inline"] == {"queue": QUEUE, "theirs": big}


def test_fifty_tags_are_all_there_is(stage: Stage) -> None:
    stage.run(f"update-sa app -n $ns --tags {','.join(f'k{n}=v' for n in range(44))}")
    stage.run("update-sa app -n $ns --tags one=a,two=b", code=4, changes="")
    stage.run("update-sa app -n $ns --tags one=a,two=b --remove-tag k1,k2")


def test_what_makes_no_sense_is_told_before_any_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for flags in (
        "",
        "--verify",
        "--attach-policy-arn arn:foo",
        "--attach-policy-arn $SNS --detach-policy-arn $SNS",
        "--set-policy-arns $SNS --attach-policy-arn $SQS",
        "--inline-policy queue.json --remove-inline-policy queue",
        "--permissions-boundary $ADMIN --no-permissions-boundary",
        "--tags a=b --remove-tag A",
        "--remove-tag irsa/cluster",
        "--label team",
        "--label team=a --label team-",
        "--label -",
        f"--annotation {ROLE_ARN}-",
        "--associate-oidc --label a=b",
        "--token-expiration 5",
    ):
        stage.run(f"update-sa app -n $ns {flags}", code=2)
    assert not stage.sandbox.calls


def annotated(arn: str) -> Callable[[Stage], None]:
    """The ServiceAccount `other` has this role; `$app` is the one of another ServiceAccount."""
    return lambda stage: stage.annotate(stage.words["ns"], "other", **{ROLE_ARN: in_words(stage, arn)})


def bare(stage: Stage) -> None:
    stage.words["app"] = stage.role_of(stage.words["ns"], "app")["arn"]
    stage.make_account(stage.words["ns"], "other")


def by_hand(stage: Any) -> None:
    (provider,) = stage.aws_world()["oidc_providers"]
    stage.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    make_binding(stage, stage.words["ns"])


def half_made(stage: Any) -> None:
    """A run is killed before it marks the role that its ServiceAccount names."""

    def kill_before() -> None:
        stage.kill()
        raise ConnectionAbortedError("the request got lost on its way")

    stage.sandbox.faults.add(Fault("iam", "TagRole", "callback", run=kill_before))
    annotated(f"arn:aws:iam::111122223333:role/irsa/{stage.cluster}/own")(stage)
    stage.run("create-sa other -n $ns --role-name own --attach-policy-arn $S3", code=-9)
    stage.sandbox.faults.clear()


OTHER = "update-sa other -n $ns --description new"
MISSING = "${S3}x --description new"


REFUSED = (
    Row("an audience that the provider does not accept", "update-sa app -n $ns --audience vault", 4, "-oidc"),
    Row(
        "a statement that admits others",
        "update-sa b -n $ns --audience vault --associate-oidc",
        4,
        given="create-sa b -n $ns --subject-pattern b* --no-policy",
    ),
    Row("attached and not there", f"update-sa app -n $ns --attach-policy-arn {MISSING}", 1, "$S3"),
    Row("set and not there", f"update-sa app -n $ns --set-policy-arns {MISSING}", 1, "$S3"),
    Row("no boundary there", f"update-sa app -n $ns --permissions-boundary {MISSING}", 1, "$S3"),
    Row("in another namespace", "update-sa app -n default --label a=b", 4, "$ns"),
    Row("a ServiceAccount without a role", OTHER, 4, "create-sa", given=bare),
    Row("another account's", OTHER, 4, given=annotated("arn:aws:iam::444455556666:role/far")),
    Row("a role that is not there", OTHER, 4, given=annotated("arn:aws:iam::111122223333:role/none")),
    Row("no ARN", OTHER, 4, given=annotated("rubbish")),
    Row("a role of another ServiceAccount", OTHER, 4, "$ns/app", given=annotated("$app")),
    Row("a role that a guest uses", "update-sa app -n $ns --description new", 4, "$ns/other"),
    Row("a role that is being made", OTHER, 4, given=half_made),
    Row(
        "what is not there to be removed",
        "update-sa app -n $ns --detach-policy-arn $SNS --remove-inline-policy nothing --remove-tag none",
        says=["Nothing to do", "$SNS", "nothing", "none"],
    ),
    Row(
        "a role that is not irsa's",
        "update-sa reader -n $ns --description new",
        4,
        "irsa adopt reader -n $ns",
        given=by_hand,
    ),
)
"""One after the other: what a row was given is there for the next one, too."""


def test_what_is_refused_changes_nothing(stage: Stage) -> None:
    play_all(stage, REFUSED)
    stage.run("update-sa reader -n $ns --label a=b", changes="+ sa $ns/reader labels a b")


def test_a_caller_who_may_not_list_goes_on_and_is_told(stage: Stage) -> None:
    user = stage.restricted((("get", "patch"), ("serviceaccounts",)))
    stage.run("update-sa app -n $ns --description new", says="can't list", user=user)


@pytest.mark.parametrize("stage", ["sandbox"], indirect=True)  # Nothing comes between irsa and a real server.
def test_a_second_signal_stops_at_once_also_when_the_first_came_too_late(stage: Stage) -> None:
    """The first one meets the last write, after which nothing is left to stop but giving the lock back."""

    def first() -> None:
        stage.sandbox.faults.add(
            Fault("kubernetes", "DELETE leases", "callback", run=lambda: stage.signal(signal.SIGTERM))
        )
        stage.signal(signal.SIGTERM)

    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", run=first))
    line = "update-sa app -n $ns --attach-policy-arn $SNS --detach-policy-arn $SQS"
    changes = "- $role attached AmazonSQSReadOnlyAccess\n + $role attached AmazonSNSReadOnlyAccess"
    stage.run(line, code=-signal.SIGTERM, changes=changes)
    stage.run(line, changes="")
