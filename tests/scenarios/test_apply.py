"""`irsa apply` and `irsa diff`: configuration files made true, on both Kubernetes APIs.

What files are read as, the unit tests of `config` say; each call that breaks, the matrix.
"""

import signal
from typing import Any

import pytest
import yaml

from tests.scenarios.foreign import trust_of, write_trust
from tests.support import acts
from tests.support.acts import (
    SERVICE,
    account,
    after,
    asked,
    changed,
    killed,
    made,
    named,
    put,
    refused,
    role,
    strike,
    there_and_back,
    unchanged,
    wish,
    wish_own,
    wished,
    wished_own,
    written,
)
from tests.support.rows import Row, in_words, play_all, rows
from tests.support.stage import READ_ONLY, Json, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
THEIRS = SERVICE
READER = "{metadata: {name: reader, namespace: $ns}, attachPolicyARNs: [$S3]}"
WORKER = (
    "{metadata: {name: worker, namespace: $ns}, attachPolicy: "
    "{Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'sqs:*', Resource: '*'}]}}"
)
ATTACHED = "attached AmazonS3ReadOnlyAccess"
APPLY, DIFF, DELETE = "apply -f f.yaml", "diff -f f.yaml", "delete -f f.yaml --yes"


def entry(name: str, namespace: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **fields}


def config(stage: Stage, *entries: dict[str, Any], oidc: bool = True, **more: Any) -> str:
    head = yaml.safe_load(in_words(stage, acts.EKSCTL))
    iam = {**({"withOIDC": True} if oidc else {}), "serviceAccounts": list(entries)}
    return yaml.safe_dump({**head, "iam": iam, **more})


def bindings(stage: Stage, *entries: dict[str, Any]) -> str:
    head = yaml.safe_load(in_words(stage, acts.BINDINGS))
    return yaml.safe_dump({**head, "withOIDC": True, "serviceAccounts": list(entries)})


def apply(stage: Stage, text: str, *arguments: str, **env: str) -> Ran:
    return stage.irsa("apply", "-f", "-", *arguments, stdin=text, **env)


def writes(stage: Stage) -> list[str]:
    return acts.writes(stage)


def reader(namespace: str, **fields: Any) -> dict[str, Any]:
    return entry("reader", namespace, attachPolicyARNs=[READ_ONLY], **fields)


def worker(namespace: str, **fields: Any) -> dict[str, Any]:
    return entry("worker", namespace, attachPolicy=DOCUMENT, **fields)


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "worker", "app", "reader")


def with_more(text: str, more: str) -> str:
    """An entry with more fields."""
    return f"{text[:-1]}, {more}}}"


INLINED = 'inline attachPolicy {"Effect":"Allow","Action":"sqs:*","Resource":"*"}'


def test_what_is_missing_is_made_and_what_agrees_costs_no_write(stage: Stage, namespace: str) -> None:
    stage.run("disassociate-oidc")
    wish(stage, READER, WORKER.replace("$ns", "$ns-2"), more="nodeGroups: [{name: x}]")
    stage.run(f"{APPLY} -o json", says=("nodeGroups", '"committed": 3'))
    assert stage.role_of(namespace, "reader")["attached"] == [READ_ONLY]
    assert [*stage.role_of(f"{namespace}-2", "worker")["inline"].values()] == [DOCUMENT]
    stage.sandbox.calls.clear()
    unchanged(stage, f"{APPLY} -o json", '"unchanged": 2')
    assert writes(stage) == []


def test_what_differs_is_changed_and_back_again_leaves_no_trace(stage: Stage) -> None:
    one = (with_more(READER, "tags: {cost: a}"), with_more(WORKER, "permissionsBoundary: $S3"))
    wish(stage, *one)
    stage.run(APPLY)
    first = stage.world()
    changed = with_more(WORKER, "attachPolicyARNs: [$SQS]").replace(
        "namespace: $ns", "namespace: $ns, labels: {a: b}, annotations: {c: d}"
    )
    wish(stage, with_more(WORKER.replace("worker", "reader"), "attachPolicyARNs: [$SQS]"), changed)
    stage.run(
        f"{APPLY} --allow-boundary-removal",
        changes="""
        - role $reader_role attached AmazonS3ReadOnlyAccess
        - role $reader_role tags cost a
        - role $reader_role tags irsa/tags n4L3
        - role $worker_role boundary AmazonS3ReadOnlyAccess
        + role $reader_role attached AmazonSQSReadOnlyAccess
        + role $reader_role inline attachPolicy {"Effect":"Allow","Action":"sqs:*","Resource":"*"}
        + role $worker_role attached AmazonSQSReadOnlyAccess
        + sa $ns/worker annotations c d
        + sa $ns/worker annotations irsa/keys {"annotations":["c"],"labels":["a"]}
        + sa $ns/worker labels a b
        """,
    )
    wish(stage, *one)
    stage.run(APPLY)
    assert stage.world() == first


def test_a_tag_whose_key_changes_in_case_only_stays(stage: Stage) -> None:
    wish(stage, with_more(READER, "tags: {team: a}"))
    stage.run(APPLY)
    wish(stage, with_more(READER, "tags: {Team: a}"))
    stage.run(APPLY, changes="- role $role tags team a\n+ role $role tags Team a")
    stage.run(DIFF)


def test_diff_shows_what_would_change_and_changes_nothing(stage: Stage) -> None:
    wish(stage, READER, WORKER)
    stage.sandbox.calls.clear()
    stage.run(DIFF, code=6, says="AmazonS3ReadOnlyAccess", changes="")
    assert writes(stage) == []
    stage.run(APPLY)
    stage.run(DIFF)
    wish(stage, WORKER.replace("sqs", "sns"))
    stage.run(DIFF, code=6, says=('-      "Action": "sqs:*"', '+      "Action": "sns:*"'), changes="")


APP = "{metadata: {name: app, namespace: $ns}"
USING = "attachRoleARN: 'arn:aws:iam::$account:role/$ns-r'}"
WISHED = wished(READER)
BROKEN = wished(READER, f"{APP}, attachPolicyARNs: ['arn:aws:iam::$account:policy/none']}}")
TAKEN = after(account("worker", "arn:aws:iam::$account:role/old"), wished(READER, WORKER))
FOREIGN = after(role(), wished(with_more(WORKER, "roleName: $ns-r"), READER))
EMPTY = written("f.yaml", "---\n")
MADE_READER = made("reader", ATTACHED)


@rows(
    Row("one that fails ends no other", f"{APPLY} -o json", 1, '"failed": 1', MADE_READER, given=BROKEN),
    Row("a role of others", f"{APPLY} -o json", 1, '"refused": 1', MADE_READER, given=FOREIGN),
)
def test_how_a_run_ends(row: Row, stage: Stage, namespace: str) -> None:
    row.play(stage)


def test_what_is_planned_chosen_or_wrong(stage: Stage) -> None:
    missing = ("role/$ns-r", "attachRoleARN")
    played = (
        Row("a dry run", f"{APPLY} --dry-run -o json", says='"planned": 1', given=WISHED),
        Row("and its exit code", f"{APPLY} --dry-run --detailed-exitcode", 6),
        Row("no glob", f"{APPLY} --prune --yes --include [", 2),
        Row("nothing in a file", f"{APPLY} -c $cluster", 2, "no document", given=EMPTY),
        Row("nothing to prune by", f"{APPLY} -c $cluster --prune --yes", 2, "no document"),
        Row("a role that is not there", APPLY, 4, missing, given=wished(f"{APP}, {USING}")),
        Row("globs match something", f"{APPLY} --include nothing/*", 2, given=BROKEN),
        Row("globs choose", f"{APPLY} --include $ns/r*", 0, (), MADE_READER),
        Row("and leave out", f"{APPLY} --exclude $ns/a*", 0, "unchanged"),
    )
    play_all(stage, played)


def test_one_of_somebody_else_is_taken_when_told_so(stage: Stage, namespace: str) -> None:
    TAKEN(stage)
    refused(stage, f"{APPLY} --atomic", "irsa adopt worker")
    stage.run(f"{APPLY} --atomic --override-existing-serviceaccounts")
    assert stage.role_of(namespace, "worker")["inline"]


def test_atomic_is_all_or_nothing(stage: Stage) -> None:
    wish(stage, READER, WORKER)
    strike(stage, "iam PutRolePolicy error")
    stage.run(f"{APPLY} --atomic", code=1, changes="")
    stage.run(f"{APPLY} --atomic --verify", changes=[*MADE_READER, *made("worker", INLINED)])
    unchanged(stage, f"{APPLY} --atomic -o json", '"unchanged": 1')


def test_the_last_of_a_namespace_are_pruned_alone(stage: Stage) -> None:
    after(wished(WORKER.replace("$ns", "$ns-2")), APPLY)(stage)
    chosen = "--prune --include $ns/*"
    there_and_back(stage, WISHED, APPLY, wished(), f"{APPLY} --yes {chosen}")
    after(WISHED, APPLY, wished())(stage)
    stage.run(f"{DIFF} {chosen}", code=6, changes="")
    stage.run(f"{APPLY} --include $ns/*", code=2, changes="")


def subjects(statement: Json) -> list[str]:
    """Whom a statement admits."""
    tests = statement["Condition"]["StringEquals"]
    (named_ones,) = (value for key, value in tests.items() if key.endswith(":sub"))
    return [named_ones] if isinstance(named_ones, str) else list(named_ones)


SHARED = with_more(READER, "roleName: $ns-r, subjects: [{name: third}]")
ROLE_R = "arn:aws:iam::$account:role/irsa/$cluster/$ns-r"


def test_several_subjects_share_one_statement(stage: Stage, namespace: str) -> None:
    wish_own(stage, SHARED, f"{APP.replace('app', 'third')}, attachRoleARN: '{ROLE_R}'}}")
    stage.run(f"{APPLY} --verify")
    (statement,) = trust_of(stage, f"{namespace}-r")["Statement"]
    assert subjects(statement) == [
        f"system:serviceaccount:{namespace}:{name}" for name in ("reader", "third")
    ]
    unchanged(stage, APPLY)


def test_whom_others_have_let_in_stays_and_goes_when_others_say_so(stage: Stage, namespace: str) -> None:
    alone = wished_own(with_more(READER, "roleName: $ns-r"))
    after(alone, APPLY)(stage)
    (own,) = trust_of(stage, f"{namespace}-r")["Statement"]
    other_cluster = yaml.safe_load(yaml.safe_dump(own).replace("/id/", "/id/OTHER"))
    write_trust(stage, f"{namespace}-r", THEIRS, own, other_cluster)
    before = stage.world()
    stage.run(f"create-sa guest -n $ns --attach-role-arn {ROLE_R} --update-trust")
    joined = stage.world()
    unchanged(stage, APPLY)
    after(wished_own(SHARED), APPLY)(stage)
    theirs, ours, last, guest = trust_of(stage, f"{namespace}-r")["Statement"]
    assert (theirs, len(subjects(ours)), last) == (THEIRS, 2, other_cluster)
    assert guest == joined["roles"][f"{namespace}-r"]["trust"]["Statement"][-1]
    after(alone, APPLY)(stage)
    changed(stage, joined, "")
    stage.run("delete-sa guest -n $ns")
    changed(stage, before, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_all(stage: Stage, number: int, code: int) -> None:
    strike(stage, "iam CreateRole callback", run=lambda: stage.signal(number))
    wish(stage, READER, WORKER)
    ran = stage.run(f"{APPLY} --parallel 1 -o json", code=code, changes="")
    assert len(ran.metadata["notBegun"]) == 1


def test_a_run_that_was_killed_is_gone_on_with(stage: Stage) -> None:
    wish(stage, READER)
    before = stage.world()
    killed(stage, APPLY, "iam AttachRolePolicy callback")
    stage.run(APPLY)
    changed(stage, before, MADE_READER)
    assert "No unfinished" in stage.irsa("recover").out


def test_what_is_wrong_in_a_file_ends_the_run_before_the_first_call(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    for text in ("iam: [", "iam: {serviceAccount: []}"):
        put(stage, "f.yaml", acts.EKSCTL + text)
        stage.run(APPLY, code=2)
    assert not asked(stage)
