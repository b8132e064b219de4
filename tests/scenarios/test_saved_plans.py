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
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import writes
from tests.support.associated import associate, make_role
from tests.support.documents import policy
from tests.support.short_files import file_of
from tests.support.stage import READ_ONLY, Json, Ran, Stage

DOCUMENT = json.dumps(policy("Allow s3:* on *"))
READER = "reader: attachPolicyARNs: [$S3]"
WORKER = f"worker: attachPolicy: {DOCUMENT}"
MADE = "app -n $ns --attach-policy-arn $S3 --associate-oidc"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "apps"
    return stage


@pytest.fixture
def named(stage: Stage, unique: str) -> Stage:
    """Either stage, with a name for a namespace that is not there yet."""
    stage.words["ns"] = unique
    return stage


def plan_file(stage: Stage) -> Path:
    return stage.folder / "plan.json"


def plan_of(stage: Stage) -> Json:
    plan: Json = json.loads(plan_file(stage).read_text())
    return plan


def saved(stage: Stage, line: str, *accounts: str) -> Json:
    """The plan of a dry run, or of a diff of ServiceAccounts; nothing is changed by it."""
    dry, code = ("", 6) if line.startswith("diff") else ("--dry-run", 0)
    text = file_of(stage, *accounts)
    stage.run(f"{line} {dry} --out plan.json", code=code, says="Plan saved, ", stdin=text, changes="")
    return plan_of(stage)


def diffed(stage: Stage, *accounts: str) -> Json:
    return saved(stage, "diff -f -", *accounts)


def apply(stage: Stage, *accounts: str) -> None:
    """Apply a file of ServiceAccounts."""
    stage.run("apply -f -", stdin=file_of(stage, *accounts))


def done(stage: Stage, **expected: Any) -> Ran:
    """Apply the plan."""
    return stage.run("apply plan.json -o json", **expected)


def role_name(stage: Stage, name: str = "reader") -> str:
    arn: str = stage.role_of(stage.words["ns"], name)["arn"]
    return arn.rsplit("/", 1)[-1]


def unmarked(stage: Stage, name: str) -> str:
    """Take irsa's marks from a role; returns its name."""
    role = role_name(stage, name)
    tags = [tag["Key"] for tag in stage.iam().get_role(RoleName=role)["Role"]["Tags"]]
    stage.iam().untag_role(RoleName=role, TagKeys=tags)
    return role


def test_a_plan_is_carried_out_as_its_dry_run_has_shown_it(named: Stage) -> None:
    for line in (
        f"create-sa {MADE}",
        "update-sa app -n $ns --attach-policy-arn $SQS",
        "adopt app -n $ns",
        "delete-sa app -n $ns",
    ):
        if line.startswith("adopt"):
            unmarked(named, "app")
        assert saved(named, line)["metadata"]["command"] == line.split()[0]
        assert os.stat(plan_file(named)).st_mode & 0o777 == 0o600
        shown = named.run("show plan.json -o json")
        named.run("show plan.json --detailed-exitcode", code=6)
        ran = done(named)
        assert (shown.metadata["outcome"], ran.metadata["outcome"]) == ("planned", "committed")
        changes = [
            [(item["kind"], item["action"], item["target"]) for item in result.item["changes"]]
            for result in (shown, ran)
        ]
        assert changes[0] == changes[1]
        assert done(named, changes="").metadata["outcome"] == "unchanged"
    assert named.account(named.words["ns"], "app") is None


def test_the_plan_of_adopting_all_is_carried_out_whole(small: Stage) -> None:
    apply(small, "app: attachPolicyARNs: [$S3]", "web: attachPolicyARNs: [$S3]")
    _, web = [unmarked(small, name) for name in ("app", "web")]
    saved(small, "adopt --all -n $ns")
    small.iam().tag_role(RoleName=web, Tags=[{"Key": "theirs", "Value": "z"}])
    assert {item["outcome"] for item in done(small, code=4, changes="").items} == {"planned", "refused"}
    plan = saved(small, "adopt --all -n $ns")
    assert done(small).metadata["summary"] == {"committed": 2}
    assert "irsa/service-account" in small.role_of("apps", "web")["tags"]
    assert done(small, changes="").metadata["outcome"] == "unchanged"
    assert saved(small, "adopt --all -n $ns")["digest"] != plan["digest"]
    without_account(small, "web")
    done(small)


def test_the_plan_of_files_is_carried_out_whole(named: Stage) -> None:
    both = (READER, f"$ns-2/{WORKER}")
    diffed(named, *both)
    assert done(named).metadata["summary"] == {"committed": 3}
    named.run("apply -f -", stdin=file_of(named, *both), changes="")
    assert done(named, changes="").metadata["outcome"] == "unchanged"


def test_the_plan_of_a_transaction_over_all_is_carried_out(named: Stage) -> None:
    saved(named, "apply -f - --atomic --verify", READER, WORKER)
    ran = done(named)
    assert (ran.metadata["summary"], len(ran.item["verifications"])) == ({"committed": 1}, 2)


def test_pruning_and_deleting_are_planned_too(named: Stage) -> None:
    namespace = named.words["ns"]
    apply(named, READER, WORKER)
    saved(named, "diff -f - --prune --include $ns/*", READER)
    done(named)
    assert [bool(named.account(namespace, name)) for name in ("worker", "reader")] == [False, True]
    saved(named, "delete -f -", READER, WORKER)
    done(named)
    assert named.account(namespace, "reader") is None
    done(named, changes="")


def own_policy(stage: Stage) -> str:
    return f"arn:aws:iam::{stage.account_id}:policy/own"


def made_again(stage: Stage) -> None:
    iam, name = stage.iam(), role_name(stage)
    role = iam.get_role(RoleName=name)["Role"]
    iam.detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    iam.delete_role(RoleName=name)
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Path=role["Path"], Tags=role["Tags"])
    iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)


def without_account(stage: Stage, name: str = "reader") -> None:
    path = f"/api/v1/namespaces/{stage.words['ns']}/serviceaccounts/{name}"
    assert stage.kube.delete(path).status == 200


def account_made_again(stage: Stage) -> None:
    found = stage.account("apps", "reader") or {}
    without_account(stage)
    stage.make_account("apps", "reader", annotations=found["annotations"], labels=found["labels"])


def new_version(stage: Stage) -> None:
    stage.iam().create_policy_version(PolicyArn=own_policy(stage), PolicyDocument=DOCUMENT, SetAsDefault=True)


def policy_made_again(stage: Stage) -> None:
    """The same name, and v1 again: everything else may be another."""
    stage.iam().delete_policy(PolicyArn=own_policy(stage))
    stage.iam().create_policy(PolicyName="own", PolicyDocument=json.dumps(policy("Allow * on *")))


def taken_name(stage: Stage) -> None:
    """The name that the new role is to have."""
    changes = [change for item in plan_of(stage)["items"] for stage_ in item["stages"] for change in stage_]
    [role] = [item for item in changes if item["kind"] == "Role" and item["before"] is None]
    make_role(stage, role["target"][0])


MOVES: dict[str, Callable[[Stage], Any]] = {
    "the role was made again": made_again,
    "the ServiceAccount was made again": account_made_again,
    "EKS Pod Identity serves it": lambda stage: associate(stage, "apps", "reader", make_role(stage, "pods")),
    "EKS Pod Identity serves the new one": lambda stage: associate(
        stage, "apps", "fresh", make_role(stage, "pods")
    ),
    "the new role's name is taken": taken_name,
}
"""What is another by then; that each part of a plan counts, the unit tests say."""


@pytest.mark.parametrize("move", MOVES)
def test_a_stale_plan_is_refused_whole(small: Stage, move: str) -> None:
    apply(small, f"{READER}, tags: {{cost: a}}")
    diffed(
        small, "reader: attachPolicyARNs: [$S3, $SQS], tags: {cost: a}", f"fresh: attachPolicy: {DOCUMENT}"
    )
    MOVES[move](small)
    small.sandbox.calls.clear()
    done(small, code=4, says="the saved plan is stale", changes="")
    assert writes(small) == []
    small.run("apply plan.json --dry-run", code=4)


def test_a_signal_while_it_is_looked_keeps_all_from_being_begun(small: Stage) -> None:
    diffed(small, READER, WORKER)
    small.sandbox.faults.add(Fault("iam", "GetRole", "callback", run=lambda: small.signal(signal.SIGTERM)))
    small.sandbox.calls.clear()
    done(small, code=143, says="interrupted before anything was changed", changes="")
    assert writes(small) == []
    done(small)


def killed(stage: Stage) -> None:
    """Apply the plan, and kill that in the middle."""
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    stage.run("apply plan.json", code=-9)
    stage.sandbox.settle()


def recovery(ran: Ran) -> list[str]:
    """The command that a refusal proposes, before the plan is made again."""
    step, anew = ran.json["errors"][0]["next"]
    assert anew.startswith("create the plan again")
    return str(step).partition("  #")[0].split()[1:]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_where_a_run_of_it_was_killed_what_is_proposed_lets_it_be_applied(
    named: Stage, elsewhere: bool
) -> None:
    diffed(named, READER)
    killed(named)
    again = {"IRSA_STATE_DIR": "other"} if elsewhere else {}
    command = recovery(done(named, code=4, **again))
    if elsewhere:
        # Whether a run of another machine lives, only its age tells.
        young = named.irsa(*command, **again)
        assert (young.code, "--min-age" in young.err) == (4, True), young.err
        command += ["--min-age", "0s"]
    assert named.irsa(*command, **again).code == 0
    done(named, **again)


def test_where_an_update_was_cut_off_in_the_middle_its_recovery_is_named(small: Stage) -> None:
    """What it changed bears no mark: its journal alone tells of it."""
    small.run(f"create-sa {MADE}")
    saved(small, "update-sa app -n $ns --attach-policy-arn $SQS --label team=b")
    killed(small)
    command = recovery(done(small, code=4))
    assert command[0] == "recover"
    assert small.irsa(*command).code == 0
    done(small)


@pytest.mark.parametrize("stays", [False, True], ids=["is to be the boundary", "is attached and stays"])
def test_a_policy_that_was_changed_is_seen(small: Stage, stays: bool) -> None:
    small.run(f"create-sa {MADE}")
    small.iam().create_policy(PolicyName="own", PolicyDocument=DOCUMENT)
    small.words["own"] = own_policy(small)
    if stays:
        small.run("update-sa app -n $ns --permissions-boundary $own --attach-policy-arn $own")
        saved(small, "update-sa app -n $ns --attach-policy-arn $SQS")
        new_version(small)
        done(small, code=4, changes="")
    else:
        saved(small, "update-sa app -n $ns --permissions-boundary $own")
        policy_made_again(small)
        error = done(small, code=4, changes="").error
        assert error["details"] == [f"version {own_policy(small)}: was changed"]


def test_a_role_that_is_only_used_and_trusts_others_by_now_is_seen(small: Stage) -> None:
    small.run(f"create-sa {MADE}")
    trust = json.dumps(small.role_of("apps", "app")["trust"]).replace("apps:app", "apps:*")
    wider = trust.replace("StringEquals", "StringLike")
    small.iam().create_role(RoleName="wide", AssumeRolePolicyDocument=wider)
    line = "create-sa two -n $ns --allow-wide-trust --attach-role-arn"
    saved(small, f"{line} arn:aws:iam::$account:role/wide")
    moved = wider.replace("apps:*", "apps:t*")
    small.iam().update_assume_role_policy(RoleName="wide", PolicyDocument=moved)
    assert done(small, code=4, changes="").error["details"] == ["role trust policy: was changed"]


def test_the_same_plan_has_the_same_digest_and_no_word_of_who_made_it(small: Stage) -> None:
    first = diffed(small, READER)
    assert first["digest"] == diffed(small, READER)["digest"]
    small.run(f"create-sa {MADE}")
    assert diffed(small, READER)["digest"] != first["digest"]
    target = saved(small, "create-sa two -n $ns --no-policy")["request"]["target"]
    assert set(target) == {"cluster", "region", "issuer_url", "account", "role_account", "target_account"}


def test_a_plan_that_is_not_whole_is_not_saved(small: Stage) -> None:
    text = file_of(small, READER, "none: attachPolicyARNs: [$S3-x]")
    small.run("diff -f - --out plan.json", code=1, says="no plan was saved", stdin=text)
    assert not plan_file(small).exists()


def test_a_plan_that_can_not_be_saved_is_a_failure(small: Stage) -> None:
    line = f"create-sa {MADE} --dry-run --out"
    pipe, link, full = (small.folder / name for name in ("pipe", "link", "full"))
    os.mkfifo(pipe)
    full.symlink_to("/dev/full")
    for path in ("none/plan.json", "pipe", "full"):
        small.run(f"{line} {path}", code=1, says="the plan cannot be saved", changes="")
    link.symlink_to(small.folder / "linked.json")
    small.run(f"{line} link")
    assert (pipe.is_fifo(), full.is_symlink(), link.is_symlink()) == (True, True, True)
    assert small.irsa("show", "link").code == 0


def test_what_the_plan_says_is_not_said_again(small: Stage) -> None:
    saved(small, f"create-sa {MADE}")
    for more in ("-c other", "--prune", "-f -", "--region eu-west-1", "--include *", "--verify"):
        said = "and PLANFILE contradict each other"
        small.run(f"apply plan.json {more}", code=2, says=said, changes="")


def test_another_account_or_cluster_than_is_expected_is_refused(small: Stage) -> None:
    diffed(small, READER)
    text, arn = file_of(small, READER), "arn:aws:eks:$region:$account:cluster"
    for guard in ("--expect-account 999999999999", f"--expect-cluster-arn {arn}/other"):
        for line in (f"create-sa {MADE}", "apply -f -", "apply plan.json", "get-sa"):
            small.run(f"{line} {guard}", code=4, says=guard.split()[0], changes="", stdin=text)
    small.run(f"create-sa {MADE} --expect-account $account --expect-cluster-arn {arn}/$cluster")


def test_the_order_of_a_plan_is_the_same_in_every_run(small: Stage) -> None:
    """In the order of the files, whatever Python's hashes are, and whichever is read first."""
    fields = "attachPolicyARNs: [$S3, $SQS, $SNS], tags: {b: x, c: x, a: x}"
    text = file_of(small, *(f"app-{number}: {fields}" for number in (7, 3, 11, 1, 5)))
    (small.folder / "apps.yaml").write_text(text, encoding="utf-8")
    small.run("apply -f apps.yaml --include $ns/app-3")
    for arn in small.role_of("apps", "app-3")["attached"]:
        small.iam().detach_role_policy(RoleName=role_name(small, "app-3"), PolicyArn=arn)
    told = []
    command = [sys.executable, "-m", "irsa_cli", "diff", "-f", "apps.yaml", "-o", "json", "-v"]
    for seed in "012":
        env = {**small.env(), "PYTHONHASHSEED": seed}
        ran = subprocess.run(command, env=env, capture_output=True, check=False, cwd=small.folder)
        assert ran.returncode == 6, ran.stderr
        told.append([(item["where"], item["changes"]) for item in json.loads(ran.stdout)["items"]])
    assert told[0] == told[1] == told[2]
    lines = [int(where.rsplit(":", 1)[1]) for where, _ in told[0] if where]
    assert lines == sorted(lines)


def test_what_is_forbidden_where_it_is_applied_holds_for_a_plan(small: Stage) -> None:
    """Who plans may have other rules, or none."""
    saved(small, "diff -f - --allow-wide-trust --changed-by", READER)
    small.sandbox.calls.clear()
    wanted = {"IRSA_REQUIRE_PERMISSIONS_BOUNDARY": "1"}
    done(small, code=4, silent="stale", changes="", **wanted)
    project = small.folder / ".irsa.yaml"
    for text, code in {
        "requirePermissionsBoundary: true": 4,
        "allowWideTrust: never": 2,
        'expectAccount: "999999999999"': 4,
    }.items():
        project.write_text(text, encoding="utf-8")
        done(small, code=code, says=".irsa.yaml", silent="stale", changes="")
    project.unlink()
    done(small)
    assert "LookupEvents" not in {call.operation for call in small.sandbox.calls}


def test_a_plan_knows_its_region(small: Stage) -> None:
    """A job that applies need not have the environment of the one that planned."""
    text = file_of(small, READER).replace(f", region: {small.region}", "")
    assert small.region not in text
    small.run("diff -f - --out plan.json", code=6, stdin=text)
    done(small, AWS_REGION="us-east-1")
    saved(small, "delete-sa reader -n $ns")
    done(small, AWS_REGION="us-east-1")
    assert small.account("apps", "reader") is None


def test_a_cluster_that_the_project_does_not_expect_keeps_all_from_being_begun(small: Stage) -> None:
    small.sandbox.add_cluster(ClusterSpec("other"))
    text = file_of(small, READER)
    both = [text, text.replace("name: demo", "name: other")]
    arn = f"arn:aws:eks:{small.region}:{small.account_id}:cluster/other"
    (small.folder / ".irsa.yaml").write_text(f"expectClusterARN: {arn}\n", encoding="utf-8")
    for files in (both, both[::-1]):
        ran = small.run("apply -f - -o json", code=4, changes="", stdin="---\n".join(files))
        assert ran.error["code"] == "UnexpectedCluster"
