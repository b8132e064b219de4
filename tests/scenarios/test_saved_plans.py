"""Saved plans: what was shown is what is carried out, or nothing where the world has moved since."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import SQS, apply, config, entry, reader, worker, writes
from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

SNS = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
COMMANDS: dict[str, tuple[str, ...]] = {
    "create-sa": ("--attach-policy-arn", READ_ONLY, "--associate-oidc"),
    "update-sa": ("--attach-policy-arn", SQS),
    "delete-sa": (),
    "adopt": (),
}


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def plan_file(stage: Stage) -> Path:
    return stage.folder / "plan.json"


def saved(stage: Stage, *command: str, stdin: str = "") -> Json:
    """The plan of a dry run; `command` is that without `--out`."""
    dry = () if command[0] == "diff" else ("--dry-run",)
    ran = stage.irsa(*command, *dry, "--out", str(plan_file(stage)), stdin=stdin)
    assert ran.code in (0, 6), ran.err
    found: Json = json.loads(plan_file(stage).read_text())
    assert f"Plan saved, {found['digest']}" in ran.err
    return found


def apply_plan(stage: Stage, *arguments: str, **env: str) -> Ran:
    return stage.irsa("apply", str(plan_file(stage)), *arguments, **env)


def prepared(stage: Stage, namespace: str, command: str) -> None:
    """What the command needs to have anything to do."""
    if command == "create-sa":
        return
    made = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY, "--associate-oidc")
    assert made.code == 0, made.err
    if command == "adopt":
        role = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
        tags = [tag["Key"] for tag in stage.iam().get_role(RoleName=role)["Role"]["Tags"]]
        stage.iam().untag_role(RoleName=role, TagKeys=tags)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plan_is_carried_out_as_its_dry_run_has_shown_it(stage: Stage, unique: str, command: str) -> None:
    prepared(stage, unique, command)
    before = stage.world()
    line = (command, "app", "-n", unique, "-c", stage.cluster, *COMMANDS[command])
    plan = saved(stage, *line)
    assert stage.world() == before
    assert plan["metadata"]["command"] == command
    assert os.stat(plan_file(stage)).st_mode & 0o777 == 0o600
    shown = stage.irsa("show", str(plan_file(stage)), "-o", "json")
    assert (shown.code, shown.metadata["outcome"]) == (0, "planned")
    assert stage.irsa("show", str(plan_file(stage)), "--detailed-exitcode").code == 6
    ran = apply_plan(stage, "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    done = [(item["kind"], item["action"], item["target"]) for item in ran.item["changes"]]
    planned = [(item["kind"], item["action"], item["target"]) for item in shown.item["changes"]]
    assert done == planned
    after = stage.world()
    assert after != before
    again = apply_plan(stage, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged"), again.err
    assert stage.world() == after


def test_the_plan_of_adopting_all_is_carried_out_whole(small: Stage, unique: str) -> None:
    both = [entry(name, unique, attachPolicyARNs=[READ_ONLY]) for name in ("app", "web")]
    assert apply(small, config(small, *both)).code == 0
    roles = {}
    for name in ("app", "web"):
        arn = small.role_of(unique, name)["arn"]
        roles[name] = arn.rsplit("/", 1)[-1]
        tags = [tag["Key"] for tag in small.iam().get_role(RoleName=roles[name])["Role"]["Tags"]]
        small.iam().untag_role(RoleName=roles[name], TagKeys=tags)
    line = ("adopt", "--all", "-n", unique, "-c", small.cluster)
    saved(small, *line)
    small.iam().tag_role(RoleName=roles["web"], Tags=[{"Key": "theirs", "Value": "z"}])
    before = small.world()
    ran = apply_plan(small, "-o", "json")
    assert (ran.code, {item["outcome"] for item in ran.items}) == (4, {"planned", "refused"}), ran.err
    assert small.world() == before
    plan = saved(small, *line)
    ran = apply_plan(small, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 2}), ran.err
    assert "irsa/service-account" in small.role_of(unique, "web")["tags"]
    after = small.world()
    again = apply_plan(small, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged"), again.err
    assert small.world() == after
    assert saved(small, *line)["digest"] != plan["digest"]
    without_account(small, unique, "web")
    assert apply_plan(small).code == 0, "nothing is in this plan any more"


def test_the_plan_of_files_is_carried_out_whole(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), entry("worker", f"{unique}-2", attachPolicy=DOCUMENT))
    saved(stage, "diff", "-f", "-", stdin=text)
    ran = apply_plan(stage, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 3}), ran.err
    unchanged = apply(stage, text, "-o", "json")
    assert unchanged.metadata["summary"] == {"unchanged": 2}
    again = apply_plan(stage, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged"), again.err


def test_the_plan_of_a_transaction_over_all_is_carried_out(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), entry("worker", unique, attachPolicy=DOCUMENT))
    saved(stage, "apply", "-f", "-", "--atomic", "--verify", stdin=text)
    ran = apply_plan(stage, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1}), ran.err
    assert len(ran.item["verifications"]) == 2


def test_pruning_and_deleting_are_planned_too(stage: Stage, unique: str) -> None:
    first = config(stage, reader(unique), entry("worker", unique, attachPolicy=DOCUMENT))
    assert apply(stage, first).code == 0
    include = ("--include", f"{unique}/*")
    saved(stage, "diff", "-f", "-", "--prune", *include, stdin=config(stage, reader(unique)))
    assert apply_plan(stage).code == 0
    assert stage.account(unique, "worker") is None
    assert stage.account(unique, "reader") is not None
    saved(stage, "delete", "-f", "-", stdin=first)
    ran = apply_plan(stage)
    assert ran.code == 0, ran.err
    assert stage.account(unique, "reader") is None
    assert apply_plan(stage).code == 0


def role_name(stage: Stage, namespace: str) -> str:
    arn: str = stage.role_of(namespace, "reader")["arn"]
    return arn.rsplit("/", 1)[-1]


def own_policy(stage: Stage, namespace: str) -> str:
    return f"arn:aws:iam::{stage.account_id}:policy/{namespace}"


def without_role(stage: Stage, namespace: str) -> Json:
    iam, name = stage.iam(), role_name(stage, namespace)
    role: Json = iam.get_role(RoleName=name)["Role"]
    for item in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=item["PolicyArn"])
    iam.delete_role(RoleName=name)
    return role


def made_again(stage: Stage, namespace: str) -> None:
    role = without_role(stage, namespace)
    stage.iam().create_role(
        RoleName=role["RoleName"],
        Path=role["Path"],
        AssumeRolePolicyDocument=json.dumps(role["AssumeRolePolicyDocument"]),
        Tags=role["Tags"],
    )
    stage.iam().attach_role_policy(RoleName=role["RoleName"], PolicyArn=READ_ONLY)


def trusting_more(stage: Stage, namespace: str) -> None:
    name = role_name(stage, namespace)
    trust = stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({**trust, "Statement": [*trust["Statement"], theirs]})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=document)


def account_path(namespace: str, name: str = "reader") -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"


def without_account(stage: Stage, namespace: str, name: str = "reader") -> None:
    assert stage.kube.delete(account_path(namespace, name)).status == 200


def account_made_again(stage: Stage, namespace: str) -> None:
    found = stage.account(namespace, "reader")
    assert found is not None
    without_account(stage, namespace)
    stage.make_account(namespace, "reader", annotations=found["annotations"], labels=found["labels"])


def labelled(stage: Stage, namespace: str) -> None:
    assert stage.kube.patch(account_path(namespace), {"metadata": {"labels": {"team": "x"}}}).status == 200


def provider_of(stage: Stage) -> str:
    [arn] = [
        item["Arn"]
        for item in stage.iam().list_open_id_connect_providers()["OpenIDConnectProviderList"]
        if stage.sandbox._cluster(
            f"arn:aws:eks:{stage.region}:{stage.account_id}:cluster/{stage.cluster}"
        ).issuer.removeprefix("https://")
        in item["Arn"]
    ]
    return str(arn)


def on_role(operation: str, **given: Any) -> Callable[[Stage, str], None]:
    def move(stage: Stage, namespace: str) -> None:
        getattr(stage.iam(), operation)(RoleName=role_name(stage, namespace), **given)

    return move


def new_version(stage: Stage, namespace: str) -> None:
    stage.iam().create_policy_version(
        PolicyArn=own_policy(stage, namespace), PolicyDocument=json.dumps(DOCUMENT), SetAsDefault=True
    )


def taken_name(stage: Stage, namespace: str) -> None:
    """The name that the new role is to have."""
    plan = json.loads(plan_file(stage).read_text())
    changes = [change for item in plan["items"] for stage_ in item["stages"] for change in stage_]
    [role] = [item for item in changes if item["kind"] == "Role" and item["before"] is None]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    stage.iam().create_role(RoleName=role["target"][0], AssumeRolePolicyDocument=json.dumps(trust))


def policy_made_again(stage: Stage, namespace: str) -> None:
    """The same name, and v1 again: everything else may be another."""
    iam, arn = stage.iam(), own_policy(stage, namespace)
    for role in iam.list_entities_for_policy(PolicyArn=arn).get("PolicyRoles", []):
        iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    everything = {**DOCUMENT, "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_policy(PolicyName=namespace, PolicyDocument=json.dumps(everything))


def associated(stage: Stage, namespace: str, name: str = "reader") -> Any:
    """EKS Pod Identity serves the ServiceAccount from now on."""
    principal = {"Service": "pods.eks.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = stage.iam().create_role(RoleName=f"{namespace}-pods", AssumeRolePolicyDocument=trust)["Role"]
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    eks.create_pod_identity_association(
        clusterName=stage.cluster, namespace=namespace, serviceAccount=name, roleArn=role["Arn"]
    )


MOVES: dict[str, Callable[[Stage, str], Any]] = {
    "the role is gone": without_role,
    "the role was made again": made_again,
    "a policy was detached": on_role("detach_role_policy", PolicyArn=READ_ONLY),
    "a policy was attached": on_role("attach_role_policy", PolicyArn=SNS),
    "an inline policy was put": on_role(
        "put_role_policy", PolicyName="x", PolicyDocument=json.dumps(DOCUMENT)
    ),
    "the trust policy was changed": trusting_more,
    "a tag was changed": on_role("tag_role", Tags=[{"Key": "cost", "Value": "z"}]),
    "a tag was added": on_role("tag_role", Tags=[{"Key": "theirs", "Value": "z"}]),
    "a tag was removed": on_role("untag_role", TagKeys=["cost"]),
    "a boundary was put": on_role("put_role_permissions_boundary", PermissionsBoundary=READ_ONLY),
    "the description was changed": on_role("update_role", Description="theirs", MaxSessionDuration=3600),
    "sessions are longer": on_role("update_role", Description="", MaxSessionDuration=7200),
    "the ServiceAccount is gone": without_account,
    "the ServiceAccount was made again": account_made_again,
    "the ServiceAccount has another label": labelled,
    "the ServiceAccount has another annotation": lambda stage, namespace: stage.annotate(
        namespace, "reader", theirs="x"
    ),
    "the ServiceAccount has another role": lambda stage, namespace: stage.annotate(
        namespace, "reader", **{ROLE_ARN: f"arn:aws:iam::{stage.account_id}:role/other"}
    ),
    "the provider accepts another audience": lambda stage, _: (
        stage.iam().add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=provider_of(stage), ClientID="theirs"
        )
    ),
    "the provider does not accept the audience": lambda stage, _: (
        stage.iam().remove_client_id_from_open_id_connect_provider(
            OpenIDConnectProviderArn=provider_of(stage), ClientID="sts.amazonaws.com"
        )
    ),
    "a policy has another version": new_version,
    "a policy was made again": policy_made_again,
    "EKS Pod Identity serves the ServiceAccount": associated,
    "EKS Pod Identity serves the new ServiceAccount": lambda stage, namespace: associated(
        stage, namespace, "fresh"
    ),
    "a policy is gone": lambda stage, namespace: stage.iam().delete_policy(
        PolicyArn=own_policy(stage, namespace)
    ),
    "the new role's name is taken": taken_name,
    "the new ServiceAccount is there": lambda stage, namespace: stage.make_account(namespace, "fresh"),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_stale_plan_is_refused_whole(small: Stage, unique: str, move: str) -> None:
    check_stale(small, unique, move)


KUBERNETES = [name for name in MOVES if "ServiceAccount" in name and "EKS" not in name]


@pytest.mark.parametrize("move", KUBERNETES)
def test_what_moves_in_the_cluster_is_seen_on_both_apis(stage: Stage, unique: str, move: str) -> None:
    check_stale(stage, unique, move)


def check_stale(stage: Stage, unique: str, move: str) -> None:
    stage.iam().create_policy(PolicyName=unique, PolicyDocument=json.dumps(DOCUMENT))
    first = config(stage, reader(unique, tags={"cost": "a"}))
    assert apply(stage, first).code == 0
    changed = entry("reader", unique, tags={"cost": "a"})
    changed["attachPolicyARNs"] = [READ_ONLY, SQS, own_policy(stage, unique)]
    text = config(stage, changed, entry("fresh", unique, attachPolicy=DOCUMENT))
    saved(stage, "diff", "-f", "-", stdin=text)
    MOVES[move](stage, unique)
    before = stage.world()
    stage.sandbox.calls.clear()
    ran = apply_plan(stage, "-o", "json")
    assert ran.code == 4, (ran.out, ran.err)
    assert stage.world() == before
    assert writes(stage) == []
    assert "the saved plan is stale" in ran.err
    assert apply_plan(stage, "--dry-run").code == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_is_looked_keeps_all_from_being_begun(
    small: Stage, unique: str, number: int, code: int
) -> None:
    saved(small, "diff", "-f", "-", stdin=config(small, reader(unique), worker(unique)))
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "GetRole", "callback", run=lambda: small.signal(number)))
    small.sandbox.calls.clear()
    ran = apply_plan(small, "-o", "json")
    assert ran.code == code, ran.err
    assert "interrupted before anything was changed" in ran.err
    assert writes(small) == []
    assert small.world() == before
    assert apply_plan(small).code == 0


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_where_a_run_of_it_was_killed_what_is_proposed_lets_it_be_applied(
    stage: Stage, unique: str, elsewhere: bool
) -> None:
    saved(stage, "diff", "-f", "-", stdin=config(stage, reader(unique)))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert apply_plan(stage).code == -9
    stage.sandbox.settle()
    again = {"IRSA_STATE_DIR": "other"} if elsewhere else {}
    refused = apply_plan(stage, "-o", "json", **again)
    assert refused.code == 4, refused.err
    (error,) = refused.json["errors"]
    step, anew = error["next"]
    assert anew.startswith("create the plan again")
    command = step.partition("  #")[0].split()[1:]
    if elsewhere:
        # Whether a run of another machine lives, only its age tells.
        young = stage.irsa(*command, **again)
        assert young.code == 4, young.err
        assert "--min-age" in young.err
        command += ["--min-age", "0s"]
    assert stage.irsa(*command, **again).code == 0
    assert apply_plan(stage, **again).code == 0


def test_where_an_update_was_cut_off_in_the_middle_its_recovery_is_named(small: Stage, unique: str) -> None:
    """What it changed bears no mark: its journal alone tells of it."""
    prepared(small, unique, "update-sa")
    label = ("--label", "team=b")
    saved(small, "update-sa", "app", "-n", unique, "-c", small.cluster, "--attach-policy-arn", SQS, *label)
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=small.kill))
    assert apply_plan(small).code == -9
    small.sandbox.settle()
    refused = apply_plan(small, "-o", "json")
    assert refused.code == 4, refused.err
    step, anew = refused.error["next"]
    assert step.startswith("irsa recover ")
    assert anew.startswith("create the plan again")
    assert small.irsa(*step.partition("  #")[0].split()[1:]).code == 0
    assert apply_plan(small).code == 0


def test_what_was_as_desired_and_is_not_any_more_is_named(small: Stage, unique: str) -> None:
    text = config(small, reader(unique))
    assert apply(small, text).code == 0
    saved(small, "diff", "-f", "-", stdin=text)
    small.iam().attach_role_policy(RoleName=role_name(small, unique), PolicyArn=SNS)
    before = small.world()
    ran = apply_plan(small, "-o", "json")
    assert (ran.code, small.world() == before) == (4, True)
    (told,) = ran.error["details"]
    assert told == f"not planned: delete PolicyAttachment {role_name(small, unique)}/{SNS}"


def test_what_has_moved_is_named(stage: Stage, unique: str) -> None:
    prepared(stage, unique, "update-sa")
    saved(stage, "update-sa", "app", "-n", unique, "-c", stage.cluster, "--attach-policy-arn", SQS)
    role = stage.role_of(unique, "app")["arn"].rsplit("/", 1)[-1]
    stage.iam().tag_role(RoleName=role, Tags=[{"Key": "cost", "Value": "z"}])
    ran = apply_plan(stage, "-o", "json")
    assert ran.code == 4
    error = ran.error
    assert error["code"] == "StalePlan"
    assert error["details"] == ["role tag cost: now exists"]


def test_a_boundary_that_was_made_again_is_seen(small: Stage, unique: str) -> None:
    prepared(small, unique, "update-sa")
    small.iam().create_policy(PolicyName=unique, PolicyDocument=json.dumps(DOCUMENT))
    line = ("update-sa", "app", "-n", unique, "-c", small.cluster)
    saved(small, *line, "--permissions-boundary", own_policy(small, unique))
    policy_made_again(small, unique)
    before, ran = small.world(), apply_plan(small, "-o", "json")
    assert (ran.code, small.world()) == (4, before), ran.err
    assert ran.error["details"] == [f"version {own_policy(small, unique)}: was changed"]


def test_what_stays_on_the_role_is_looked_at_too(small: Stage, unique: str) -> None:
    prepared(small, unique, "update-sa")
    small.iam().create_policy(PolicyName=unique, PolicyDocument=json.dumps(DOCUMENT))
    line = ("update-sa", "app", "-n", unique, "-c", small.cluster)
    boundary = ("--permissions-boundary", own_policy(small, unique))
    assert small.irsa(*line, *boundary, "--attach-policy-arn", own_policy(small, unique)).code == 0
    saved(small, *line, "--attach-policy-arn", SQS)
    small.iam().create_policy_version(
        PolicyArn=own_policy(small, unique), PolicyDocument=json.dumps(DOCUMENT), SetAsDefault=True
    )
    before, ran = small.world(), apply_plan(small, "-o", "json")
    assert (ran.code, small.world()) == (4, before), ran.err


def test_a_role_that_is_only_used_and_trusts_others_by_now_is_seen(small: Stage, unique: str) -> None:
    made = small.create_sa("first", unique, "--attach-policy-arn", READ_ONLY, "--associate-oidc")
    assert made.code == 0, made.err
    arn = small.role_of(unique, "first")["arn"]
    trust = small.iam().get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    wider = json.loads(json.dumps(trust).replace(f"{unique}:first", f"{unique}:*"))
    wider = json.loads(json.dumps(wider).replace("StringEquals", "StringLike"))
    small.iam().create_role(RoleName=unique, AssumeRolePolicyDocument=json.dumps(wider))
    line = ("create-sa", "app", "-n", unique, "-c", small.cluster, "--allow-wide-trust")
    saved(small, *line, "--attach-role-arn", f"arn:aws:iam::{small.account_id}:role/{unique}")
    theirs = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({**wider, "Statement": [*wider["Statement"], theirs]})
    small.iam().update_assume_role_policy(RoleName=unique, PolicyDocument=document)
    before, ran = small.world(), apply_plan(small, "-o", "json")
    assert (ran.code, small.world()) == (4, before), ran.err
    assert ran.error["details"] == ["role trust policy: was changed"]


def test_a_plan_of_an_older_irsa_is_to_be_made_again(small: Stage, unique: str) -> None:
    plan = saved(
        small, "create-sa", "app", "-n", unique, "-c", small.cluster, "--associate-oidc", "--no-policy"
    )
    del plan["metadata"]["format"]
    plan["digest"] = digest_of(plan)
    plan_file(small).write_text(json.dumps(plan))
    small.sandbox.calls.clear()
    ran = apply_plan(small)
    assert (ran.code, small.sandbox.calls) == (2, [])
    assert "create the plan again" in ran.err


@pytest.mark.parametrize(
    "alter",
    [
        lambda plan: plan["items"][0]["stages"].pop(),
        lambda plan: plan["request"]["spec"].update(namespace="kube-system"),
        lambda plan: plan.pop("digest"),
        lambda plan: plan.update(kind="Other"),
    ],
)
def test_an_altered_plan_is_wrong_usage(small: Stage, unique: str, alter: Callable[[Json], Any]) -> None:
    plan = saved(
        small, "create-sa", "app", "-n", unique, "-c", small.cluster, "--associate-oidc", "--no-policy"
    )
    alter(plan)
    plan_file(small).write_text(json.dumps(plan))
    small.sandbox.calls.clear()
    assert apply_plan(small).code == 2
    assert small.irsa("show", str(plan_file(small))).code == 2
    assert small.sandbox.calls == []


def test_the_same_plan_has_the_same_digest(small: Stage, unique: str) -> None:
    text = config(small, reader(unique))
    first = saved(small, "diff", "-f", "-", stdin=text)
    again = saved(small, "diff", "-f", "-", stdin=text)
    assert first["digest"] == again["digest"]
    assert small.create_sa("app", unique, "--associate-oidc").code == 0
    moved = saved(small, "diff", "-f", "-", stdin=text)
    assert moved["digest"] != first["digest"]


def test_a_plan_has_no_word_of_who_made_it(small: Stage, unique: str) -> None:
    credentials = small.env()
    saved(small, "create-sa", "app", "-n", unique, "-c", small.cluster, "--associate-oidc", "--no-policy")
    text = plan_file(small).read_text()
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert credentials[key] not in text
    about = {"cluster", "region", "issuer_url", "account", "role_account", "target_account"}
    assert set(json.loads(text)["request"]["target"]) == about


def test_a_plan_that_is_not_whole_is_not_saved(small: Stage, unique: str) -> None:
    text = config(small, reader(unique), entry("none", unique, attachPolicyARNs=[f"{READ_ONLY}x"]))
    ran = small.irsa("diff", "-f", "-", "--out", str(plan_file(small)), stdin=text)
    assert ran.code not in (0, 6)
    assert "no plan was saved" in ran.err
    assert not plan_file(small).exists()


def test_a_plan_that_can_not_be_saved_is_a_failure(small: Stage, unique: str) -> None:
    line = (
        "create-sa",
        "app",
        "-n",
        unique,
        "-c",
        small.cluster,
        "--associate-oidc",
        "--no-policy",
        "--dry-run",
    )
    pipe, link, full = small.folder / "pipe", small.folder / "link", small.folder / "full"
    os.mkfifo(pipe)
    full.symlink_to("/dev/full")
    for path in (small.folder / "none" / "plan.json", pipe, full):
        ran = small.irsa(*line, "--out", str(path))
        assert ran.code == 1
        assert "the plan cannot be saved" in ran.err
    link.symlink_to(small.folder / "linked.json")
    assert small.irsa(*line, "--out", str(link)).code == 0
    assert (pipe.is_fifo(), full.is_symlink(), link.is_symlink()) == (True, True, True)
    assert small.irsa("show", str(link)).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "other"),
        ("--prune",),
        ("-f", "-"),
        ("--region", "eu-west-1"),
        ("--include", "*"),
        ("--verify",),
    ],
)
def test_what_the_plan_says_is_not_said_again(small: Stage, unique: str, arguments: tuple[str, ...]) -> None:
    saved(small, "create-sa", "app", "-n", unique, "-c", small.cluster, "--associate-oidc", "--no-policy")
    ran = apply_plan(small, *arguments)
    assert (ran.code, "and PLANFILE contradict each other" in ran.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expect-account", "999999999999"),
        ("--expect-cluster-arn", "arn:aws:eks:eu-west-1:111122223333:cluster/other"),
    ],
)
def test_another_account_or_cluster_than_is_expected_is_refused(
    small: Stage, unique: str, arguments: tuple[str, ...]
) -> None:
    before = small.world()
    ran = small.create_sa("app", unique, "--associate-oidc", *arguments)
    assert ran.code == 4, ran.err
    assert arguments[0] in ran.err
    text = config(small, reader(unique))
    assert apply(small, text, *arguments).code == 4
    saved(small, "diff", "-f", "-", stdin=text)
    assert apply_plan(small, *arguments).code == 4
    assert small.world() == before
    assert small.irsa("get-sa", "-c", small.cluster, *arguments).code == 4


def test_what_is_expected_is_there(small: Stage, unique: str) -> None:
    arn = f"arn:aws:eks:{small.region}:{small.account_id}:cluster/{small.cluster}"
    guards = ("--expect-account", small.account_id, "--expect-cluster-arn", arn)
    assert small.create_sa("app", unique, "--associate-oidc", *guards).code == 0


def test_the_order_of_a_plan_is_the_same_in_every_run(small: Stage, unique: str) -> None:
    """In the order of the files, whatever Python's hashes are, and whichever is read first."""
    policies = [READ_ONLY, SQS, SNS]
    names = [f"app-{number}" for number in (7, 3, 11, 1, 5)]
    entries = [
        entry(name, unique, attachPolicyARNs=policies, tags=dict.fromkeys("bca", "x")) for name in names
    ]
    file = small.folder / "apps.yaml"
    file.write_text(config(small, *entries), encoding="utf-8")
    assert small.irsa("apply", "-f", str(file), "--include", f"{unique}/app-3").code == 0
    role = small.role_of(unique, "app-3")["arn"].rsplit("/", 1)[-1]
    for arn in policies:
        small.iam().detach_role_policy(RoleName=role, PolicyArn=arn)
    told = set()
    for seed in ("0", "1", "2"):
        line = [sys.executable, "-m", "irsa_cli", "diff", "-f", str(file), "-o", "json", "-v"]
        env = {**small.env(), "PYTHONHASHSEED": seed}
        ran = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
        assert ran.returncode == 6, ran.stderr
        found = json.loads(ran.stdout)["items"]
        told.add(json.dumps([[item["where"], item["changes"]] for item in found]))
    assert len(told) == 1
    (only,) = told
    shown = [where for where, _ in json.loads(only) if where]
    assert shown == sorted(shown, key=lambda where: int(where.rsplit(":", 1)[1]))


def test_what_is_forbidden_where_it_is_applied_holds_for_a_plan(small: Stage, unique: str) -> None:
    """Who plans may have other rules, or none."""
    saved(small, "diff", "-f", "-", "--allow-wide-trust", "--changed-by", stdin=config(small, reader(unique)))
    before = small.world()
    small.sandbox.calls.clear()
    ran = apply_plan(small, IRSA_REQUIRE_PERMISSIONS_BOUNDARY="1")
    assert (ran.code, "stale" in ran.err) == (4, False), ran.err
    project = small.folder / ".irsa.yaml"
    for text, code in (
        ("requirePermissionsBoundary: true", 4),
        ("allowWideTrust: never", 2),
        ('expectAccount: "999999999999"', 4),
    ):
        project.write_text(text, encoding="utf-8")
        ran = apply_plan(small)
        assert (ran.code, "stale" in ran.err) == (code, False), ran.err
        assert ".irsa.yaml" in ran.err
    assert small.world() == before
    project.unlink()
    assert apply_plan(small).code == 0
    assert "LookupEvents" not in {call.operation for call in small.sandbox.calls}


def test_a_plan_knows_its_region(small: Stage, unique: str) -> None:
    """A job that applies need not have the environment of the one that planned."""
    text = config(small, reader(unique)).replace(f"  region: {small.region}\n", "")
    assert small.region not in text
    saved(small, "diff", "-f", "-", stdin=text)
    ran = apply_plan(small, AWS_REGION="us-east-1")
    assert ran.code == 0, ran.err
    saved(small, "delete-sa", "reader", "-n", unique, "-c", small.cluster)
    assert apply_plan(small, AWS_REGION="us-east-1").code == 0
    assert small.account(unique, "reader") is None


def test_a_cluster_that_the_project_does_not_expect_keeps_all_from_being_begun(
    small: Stage, unique: str
) -> None:
    small.sandbox.add_cluster(ClusterSpec("other"))
    both = [config(small, reader(unique)), config(small, reader(unique)).replace("name: demo", "name: other")]
    project = small.folder / ".irsa.yaml"
    project.write_text(
        f"expectClusterARN: arn:aws:eks:{small.region}:{small.account_id}:cluster/other\n", encoding="utf-8"
    )
    before = small.world()
    for text in ("---\n".join(both), "---\n".join(reversed(both))):
        ran = apply(small, text, "-o", "json")
        assert (ran.code, ran.error["code"]) == (4, "UnexpectedCluster"), ran.err
    assert small.world() == before
