"""`irsa apply` and `irsa diff`: configuration files made true, on both Kubernetes APIs."""

import json
import signal
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import Fault
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
WRITES = ("Create", "Put", "Attach", "Detach", "Delete", "Update", "Tag", "Untag", "POST", "PATCH", "DELETE")


def entry(name: str, namespace: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **fields}


def config(stage: Stage, *entries: dict[str, Any], oidc: bool = True, **more: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": stage.cluster, "region": stage.region},
            "iam": {**({"withOIDC": True} if oidc else {}), "serviceAccounts": list(entries)},
            **more,
        }
    )


def bindings(stage: Stage, *entries: dict[str, Any]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "irsa/v1",
            "kind": "Bindings",
            "metadata": {"name": stage.cluster, "region": stage.region},
            "withOIDC": True,
            "serviceAccounts": list(entries),
        }
    )


def apply(stage: Stage, text: str, *arguments: str, **env: str) -> Ran:
    return stage.irsa("apply", "-f", "-", *arguments, stdin=text, **env)


def writes(stage: Stage) -> list[str]:
    return [
        call.operation
        for call in stage.sandbox.calls
        if call.service in ("iam", "kubernetes")
        and call.operation.startswith(WRITES)
        and not call.operation.endswith(" leases")
    ]


def reader(namespace: str, **fields: Any) -> dict[str, Any]:
    return entry("reader", namespace, attachPolicyARNs=[READ_ONLY], **fields)


def worker(namespace: str, **fields: Any) -> dict[str, Any]:
    return entry("worker", namespace, attachPolicy=DOCUMENT, **fields)


def test_what_is_missing_is_made_and_what_agrees_costs_no_write(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), worker(f"{unique}-2"), nodeGroups=[{"name": "x"}])
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.metadata["summary"] == {"committed": 3}
    assert "nodeGroups" in ran.err
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]
    assert list(stage.role_of(f"{unique}-2", "worker")["inline"].values()) == [DOCUMENT]
    before = stage.world()
    stage.sandbox.calls.clear()
    again = apply(stage, text, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 2})
    assert writes(stage) == []
    assert stage.world() == before


def test_what_differs_is_changed_and_back_again_leaves_no_trace(stage: Stage, unique: str) -> None:
    one = config(stage, reader(unique, tags={"cost": "a"}), worker(unique, permissionsBoundary=READ_ONLY))
    other = config(
        stage,
        entry("reader", unique, attachPolicyARNs=[SQS], attachPolicy=DOCUMENT, roleOnly=False),
        {
            "metadata": {
                "name": "worker",
                "namespace": unique,
                "labels": {"a": "b"},
                "annotations": {"c": "d"},
            },
            "attachPolicyARNs": [READ_ONLY, SQS],
        },
    )
    assert apply(stage, one).code == 0
    first = stage.world()
    assert apply(stage, other, "--allow-boundary-removal").code == 0
    role = stage.role_of(unique, "reader")
    assert (role["attached"], list(role["inline"].values())) == ([SQS], [DOCUMENT])
    assert "cost" not in role["tags"]
    account = stage.account(unique, "worker")
    assert account is not None
    assert (account["labels"]["a"], account["annotations"]["c"]) == ("b", "d")
    assert stage.role_of(unique, "worker")["boundary"] is None
    assert apply(stage, one).code == 0
    assert stage.world() == first


def test_a_tag_whose_key_changes_in_case_only_stays(stage: Stage, unique: str) -> None:
    one, other = (config(stage, reader(unique, tags=tags)) for tags in ({"team": "a"}, {"Team": "a"}))
    assert apply(stage, one).code == 0
    first = stage.world()
    assert apply(stage, other).code == 0
    tags = stage.role_of(unique, "reader")["tags"]
    assert {key: value for key, value in tags.items() if key.lower() == "team"} == {"Team": "a"}
    assert stage.irsa("diff", "-f", "-", stdin=other).code == 0
    assert apply(stage, one).code == 0
    assert stage.world() == first


def test_diff_shows_what_would_change_and_changes_nothing(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique))
    before = stage.world()
    stage.sandbox.calls.clear()
    ran = stage.irsa("diff", "-f", "-", stdin=text)
    assert ran.code == 6, ran.err
    assert READ_ONLY.rpartition("/")[2] in ran.out
    assert writes(stage) == []
    assert stage.world() == before
    assert apply(stage, text).code == 0
    assert stage.irsa("diff", "-f", "-", stdin=text).code == 0
    changed = config(stage, worker(unique), reader(unique))
    assert apply(stage, changed).code == 0
    document = json.loads(json.dumps(DOCUMENT).replace("sqs:*", "sns:*"))
    ran = stage.irsa("diff", "-f", "-", stdin=config(stage, entry("worker", unique, attachPolicy=document)))
    assert ran.code == 6
    assert '-      "Action": "sqs:*"' in ran.out
    assert '+      "Action": "sns:*"' in ran.out


@pytest.mark.parametrize("flags", [(), ("--detailed-exitcode",)])
def test_a_dry_run_of_apply_is_a_diff(stage: Stage, unique: str, flags: tuple[str, ...]) -> None:
    before = stage.world()
    ran = apply(stage, config(stage, reader(unique)), "--dry-run", *flags, "-o", "json")
    assert ran.code == (6 if flags else 0)
    assert ran.metadata["summary"] == {"planned": 2}
    assert stage.world() == before


def test_one_that_fails_does_not_end_the_others(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    before = stage.world()
    missing = f"arn:aws:iam::{ACCOUNT}:policy/none"
    text = config(stage, reader(unique), entry("broken", unique, attachPolicyARNs=[missing]))
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 1, ran.err
    assert ran.metadata["summary"] == {"committed": 1, "failed": 1}
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]
    assert stage.account(unique, "broken") is None
    assert len(stage.world()["roles"]) == len(before["roles"]) + 1


def test_atomic_is_all_or_nothing(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)  # A bare API server never ends one that is being deleted.
    before = stage.world()
    text = config(stage, reader(unique), worker(unique))
    stage.sandbox.faults.add(Fault("iam", "PutRolePolicy", "error", status=403, code="AccessDenied"))
    ran = apply(stage, text, "--atomic")
    assert ran.code == 1, ran.err
    assert stage.world() == before
    ran = apply(stage, text, "--atomic", "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert stage.role_of(unique, "worker")["inline"]
    world = stage.world()
    assert apply(stage, text, "--atomic", "-o", "json").metadata["summary"] == {"unchanged": 1}
    assert stage.world() == world


def test_atomic_refuses_all_when_one_is_somebody_elses(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    stage.make_account(unique, "worker", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/old"})
    before = stage.world()
    ran = apply(stage, config(stage, reader(unique), worker(unique)), "--atomic")
    assert ran.code == 4, ran.err
    assert "irsa adopt worker" in ran.err
    assert stage.world() == before
    override = apply(
        stage,
        config(stage, reader(unique), worker(unique)),
        "--atomic",
        "--override-existing-serviceaccounts",
    )
    assert override.code == 0, override.err
    assert stage.role_of(unique, "worker")["inline"]


def test_a_role_of_somebody_else_is_refused(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    stage.iam().create_role(RoleName=f"{unique}-taken", AssumeRolePolicyDocument=document)
    text = config(stage, reader(unique, roleName=f"{unique}-taken"), worker(unique))
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 1, ran.err
    assert ran.metadata["summary"]["refused"] == 1
    assert stage.account(unique, "reader") is None
    assert stage.role_of(unique, "worker")["inline"]


def test_globs_choose(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), worker(unique))
    ran = apply(stage, text, "--include", f"{unique}/w*", "-o", "json")
    assert ran.code == 0, ran.err
    assert stage.account(unique, "reader") is None
    assert apply(stage, text, "--exclude", f"{unique}/w*").code == 0
    assert stage.account(unique, "reader") is not None
    nothing = apply(stage, text, "--include", "nothing/*")
    assert nothing.code == 2


def test_the_last_of_a_namespace_are_pruned_alone(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique), worker(f"{unique}-2"))).code == 0
    nothing = config(stage)
    chosen = ("--prune", "--include", f"{unique}/*")
    assert stage.irsa("diff", "-f", "-", *chosen, stdin=nothing).code == 6
    ran = apply(stage, nothing, "--yes", *chosen)
    assert ran.code == 0, ran.err
    assert stage.account(unique, "reader") is None
    assert stage.account(f"{unique}-2", "worker") is not None
    assert apply(stage, nothing, "--include", f"{unique}/*").code == 2
    assert apply(stage, nothing, "--prune", "--yes", "--include", "[").code == 2


def test_several_subjects_share_one_statement(stage: Stage, unique: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/irsa/{stage.cluster}/{unique}-shared"
    owner = reader(unique, roleName=f"{unique}-shared", subjects=[{"namespace": unique, "name": "guest"}])
    text = bindings(stage, owner, entry("guest", unique, attachRoleARN=role))
    ran = apply(stage, text, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    (statement,) = stage.role_of(unique, "guest")["trust"]["Statement"]
    (subjects,) = [
        value for key, value in statement["Condition"]["StringEquals"].items() if key.endswith(":sub")
    ]
    assert subjects == [f"system:serviceaccount:{unique}:{name}" for name in ("guest", "reader")]
    before = stage.world()
    assert apply(stage, text).code == 0
    assert stage.world() == before


GITHUB = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/repo:*"}},
}


def test_whom_others_have_let_in_stays_and_goes_when_others_say_so(stage: Stage, unique: str) -> None:
    name = f"{unique}-own"
    text = bindings(stage, reader(unique, roleName=name))
    assert apply(stage, text).code == 0
    alone = stage.role_of(unique, "reader")["trust"]
    other_cluster = json.loads(json.dumps(alone["Statement"][0]).replace("/id/", "/id/OTHER"))
    document = {**alone, "Statement": [GITHUB, *alone["Statement"], other_cluster]}
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    arn = f"arn:aws:iam::{ACCOUNT}:role/irsa/{stage.cluster}/{name}"
    guest = ("guest", "-n", unique, "-c", stage.cluster)
    assert stage.irsa("create-sa", *guest, "--attach-role-arn", arn, "--update-trust").code == 0
    shared = stage.world()
    assert apply(stage, text, "-o", "json").metadata["summary"] == {"unchanged": 1}
    assert stage.world() == shared
    more = reader(unique, roleName=name, subjects=[{"name": "third"}])
    assert apply(stage, bindings(stage, more)).code == 0
    theirs, ours, last, joined = stage.role_of(unique, "reader")["trust"]["Statement"]
    assert (theirs, last) == (GITHUB, other_cluster)
    assert joined == shared["roles"][name]["trust"]["Statement"][-1]
    assert [
        len(value) for value in ours["Condition"]["StringEquals"].values() if isinstance(value, list)
    ] == [2]
    assert apply(stage, text).code == 0
    assert stage.world() == shared
    assert stage.irsa("delete-sa", *guest).code == 0
    assert stage.role_of(unique, "reader")["trust"] == document


def test_many_join_the_trust_of_a_role_that_is_somebody_elses(stage: Stage, unique: str) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    arn = stage.iam().create_role(RoleName=f"{unique}-r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    entries = [entry(f"app-{number}", unique, attachRoleARN=arn) for number in range(4)]
    ran = apply(stage, config(stage, *entries), "--update-trust")
    assert ran.code == 0, ran.err
    theirs, ours = stage.role_of(unique, "app-0")["trust"]["Statement"]
    assert theirs == THEIRS
    assert [
        len(value) for value in ours["Condition"]["StringEquals"].values() if isinstance(value, list)
    ] == [4]
    ran = stage.irsa("delete", "--yes", "-f", "-", stdin=config(stage, *entries))
    assert ran.code == 0, ran.err
    role = stage.iam().get_role(RoleName=f"{unique}-r")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [THEIRS]


def test_many_that_part_leave_the_one_statement_that_a_role_must_have(stage: Stage, unique: str) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    arn = stage.iam().create_role(RoleName=f"{unique}-r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    entries = [entry(f"app-{number}", unique, attachRoleARN=arn) for number in range(3)]
    assert apply(stage, config(stage, *entries), "--update-trust").code == 0
    ours = json.dumps(
        {**json.loads(document), "Statement": stage.role_of(unique, "app-0")["trust"]["Statement"][1:]}
    )
    stage.iam().update_assume_role_policy(RoleName=f"{unique}-r", PolicyDocument=ours)
    ran = stage.irsa("delete", "--yes", "-f", "-", stdin=config(stage, *entries))
    assert ran.code == 0, ran.err
    assert ran.err.count("is its only one, and") == 1
    (last,) = stage.iam().get_role(RoleName=f"{unique}-r")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    (subject,) = [value for key, value in last["Condition"]["StringEquals"].items() if key.endswith(":sub")]
    assert isinstance(subject, str)


def test_a_role_that_is_to_be_used_and_is_not_there(stage: Stage, unique: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/{unique}"
    ran = apply(stage, config(stage, entry("app", unique, attachRoleARN=role)))
    assert ran.code == 1, ran.err
    assert role in ran.err
    assert "attachRoleARN" in ran.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_all(stage: Stage, unique: str, number: int, code: int) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=lambda: stage.signal(number)))
    text = config(stage, reader(unique), worker(unique))
    ran = apply(stage, text, "--parallel", "1", "-o", "json")
    assert ran.code == code, ran.err
    assert stage.world() == before
    assert len(ran.metadata["notBegun"]) == 1


def test_a_run_that_was_killed_is_gone_on_with(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert apply(stage, text).code < 0
    ran = apply(stage, text, "-o", "json")
    assert ran.code == 0, ran.err
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]
    assert "No unfinished" in stage.irsa("recover").out


def test_who_may_not_list_reads_one_by_one(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    user = stage.restricted((("get", "create", "patch"), ("serviceaccounts",)))
    stage.sandbox.faults.add(Fault("iam", "ListRoles", "error", times=None, status=403, code="AccessDenied"))
    text = config(stage, reader(unique), oidc=False)
    for summary in ({"committed": 1}, {"unchanged": 1}):
        ran = stage.irsa("apply", "-f", "-", "-o", "json", stdin=text, user=user)
        assert ran.code == 0, ran.err
        assert ran.metadata["summary"] == summary


HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n"


@pytest.mark.parametrize(
    "text",
    [
        "iam: [",
        f"{HEAD}metadata: {{name: demo}}\niam: {{serviceAccount: []}}",
        f"{HEAD}iam: {{serviceAccounts: []}}",
    ],
)
def test_what_is_wrong_in_a_file_ends_the_run_before_the_first_call(stage: Stage, text: str) -> None:
    stage.sandbox.calls.clear()
    ran = apply(stage, text)
    assert ran.code == 2, ran.err
    assert not [call for call in stage.sandbox.calls if call.service in ("iam", "eks")]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--prune", "--yes"),
    ],
)
@pytest.mark.parametrize("text", ["", "---\n"])
def test_standard_input_that_holds_nothing_is_no_wish(
    stage: Stage, text: str, arguments: tuple[str, ...]
) -> None:
    stage.sandbox.calls.clear()
    ran = apply(stage, text, "-c", stage.cluster, *arguments)
    assert ran.code == 2, ran.err
    assert "no document" in ran.err
    assert not [call for call in stage.sandbox.calls if call.service in ("iam", "eks")]
