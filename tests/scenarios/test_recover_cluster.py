"""Recovery on another machine: no journal, only what runs have left in IAM and Kubernetes.

Runs are killed at each of their writes and the journals thrown away; then the world has to be as it was, with
everything of others in it.
"""

import json
import shutil
from copy import copy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import recovered, sandbox_stage
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

POLICIES = f"{READ_ONLY},arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
EVERYTHING = (
    "--verify",
    "--associate-oidc",
    "--attach-policy-arn",
    POLICIES,
    "--inline-policy",
    "inline.json",
)
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
CUTS = [
    ("iam", "CreateOpenIDConnectProvider", 0, "callback"),
    ("iam", "CreateRole", 0, "reset-before"),
    ("iam", "CreateRole", 0, "callback"),
    ("iam", "AttachRolePolicy", 0, "reset-before"),
    ("iam", "AttachRolePolicy", 1, "callback"),
    ("iam", "PutRolePolicy", 0, "callback"),
    ("sts", "AssumeRoleWithWebIdentity", 0, "reset-before"),
]
"""Where runs are killed: at a call of which so many are skipped; `callback` executes it all the same."""
KUBERNETES_CUTS = [
    # Behind their rehearsals.
    ("kubernetes", "POST namespaces", 1, "reset-before"),
    ("kubernetes", "POST namespaces", 1, "callback"),
    ("kubernetes", "POST serviceaccounts", 1, "callback"),
    ("kubernetes", "PATCH serviceaccounts", 0, "reset-before"),
]
Cut = tuple[str, str, int, str]
ATTACHING, BEFORE_THE_GATE = CUTS[3], CUTS[6]


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> None:
    """On the real control plane, without what other tests have left there."""
    if "stage" in request.fixturenames:
        stage: Stage = request.getfixturevalue("stage")
        (stage.folder / "inline.json").write_text(json.dumps(DOCUMENT))
        if stage.cluster == "real":
            recovered(stage)
            forget(stage)


def cut_off(stage: Stage, name: str, namespace: str, *arguments: str, at: Cut) -> None:
    """Run create-sa, kill it at a call, and forget its journal."""
    service, operation, skip, kind = at
    fault = Fault(service, operation, kind, skip=skip, run=stage.kill)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    ran = stage.create_sa(name, namespace, *arguments)
    assert ran.code == -9, ran.err
    stage.sandbox.settle()
    forget(stage)


def forget(stage: Stage) -> None:
    """This is another machine now."""
    shutil.rmtree(stage.folder / "state", ignore_errors=True)


def recover(stage: Stage, *arguments: str) -> Ran:
    return stage.irsa("recover", "-c", stage.cluster, *arguments)


def found(stage: Stage, namespace: str = "") -> list[Json]:
    """What is found in a namespace; in the same cluster there may be things of other tests."""
    items: list[Json] = recover(stage, "-o", "json").items
    return [item for item in items if namespace in json.dumps(item)]


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, for what has nothing to do with Kubernetes."""
    (tmp_path / "inline.json").write_text(json.dumps(DOCUMENT))
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.mark.parametrize("at", CUTS, ids=lambda at: f"{at[1]}-{at[3]}")
def test_a_run_killed_at_any_call_is_taken_back(stage: Stage, unique: str, at: Cut) -> None:
    before = stage.world()
    cut_off(stage, "app", unique, *EVERYTHING, at=at)
    recovered(stage)
    assert stage.world() == before
    assert found(stage, unique) == []


@pytest.mark.parametrize("at", KUBERNETES_CUTS, ids=lambda at: f"{at[1]}-{at[3]}")
def test_a_run_killed_at_any_call_to_kubernetes_is_taken_back(small: Stage, at: Cut) -> None:
    before = small.world()
    cut_off(small, "app", "apps", *EVERYTHING, at=at)
    recovered(small)
    assert small.world() == before


def test_a_run_whose_last_step_is_done_is_complete(small: Stage) -> None:
    cut_off(small, "app", "apps", *EVERYTHING, at=("kubernetes", "PATCH serviceaccounts", 0, "callback"))
    after = small.world()
    assert found(small) == []
    recovered(small)
    assert small.world() == after
    again = small.create_sa("app", "apps", *EVERYTHING, "-o", "json")
    assert (again.code, again.metadata["outcome"]) == (0, "unchanged")


@pytest.fixture
def others(stage: Stage, namespace: str) -> str:
    """What must not be touched: a binding, a role-only role, a provider, what irsa did not make."""
    assert stage.associate().code == 0
    assert stage.create_sa("done", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    assert stage.create_sa("later", namespace, "--role-only", "--attach-policy-arn", READ_ONLY).code == 0
    stage.make_account(namespace, "helm", labels={"app.kubernetes.io/managed-by": "Helm"})
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    for path in ("/", f"/irsa/{stage.cluster}/"):
        name = f"theirs{len(path)}"
        stage.iam().create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))
    forget(stage)
    return namespace


def test_nothing_of_others_is_touched(stage: Stage, others: str) -> None:
    before = stage.world()
    assert found(stage, others) == []
    recovered(stage)
    assert stage.world() == before
    arguments = ("--attach-policy-arn", READ_ONLY, "--verify")
    cut_off(stage, "app", others, *arguments, at=BEFORE_THE_GATE)
    (item,) = found(stage, others)
    assert item["serviceAccounts"] == [{"namespace": others, "name": "app"}]
    recovered(stage)
    assert stage.world() == before


def test_a_service_account_that_was_there_stays_as_it_is(stage: Stage, others: str) -> None:
    before = stage.world()
    cut_off(stage, "helm", others, "--attach-policy-arn", READ_ONLY, at=ATTACHING)
    recovered(stage)
    assert stage.world() == before


def test_a_role_that_its_service_account_names_is_left_alone(stage: Stage, namespace: str) -> None:
    """A chart carried its ARN: STS admits its pods since the role is there, whoever was killed then."""
    assert stage.associate().code == 0
    planned = stage.create_sa("helm", namespace, "--dry-run", "-o", "json").item
    stage.make_account(namespace, "helm", annotations={ROLE_ARN: planned["role"]["arn"]})
    before = stage.world()
    cut_off(stage, "helm", namespace, "--attach-policy-arn", READ_ONLY, at=ATTACHING)
    after = stage.world()
    recovered(stage)
    assert stage.world() == after
    (item,) = found(stage, namespace)
    assert item["objects"] == []
    assert f"ServiceAccount {namespace}/helm uses it" in item["leftAlone"][0]["why"]
    # Whoever wants it gone says so.
    stage.annotate(namespace, "helm", **{ROLE_ARN: "arn:aws:iam::111122223333:role/theirs"})
    recovered(stage)
    stage.annotate(namespace, "helm", **{ROLE_ARN: planned["role"]["arn"]})
    assert stage.world() == before


@pytest.mark.parametrize(
    "arguments", [("--role-only",), ("--role-path", "/teams/a/")], ids=lambda item: item[0]
)
def test_roles_of_all_kinds_are_found(stage: Stage, others: str, arguments: tuple[str, ...]) -> None:
    before = stage.world()
    policies = ("--attach-policy-arn", READ_ONLY)
    cut_off(stage, "app", others, *arguments, *policies, at=ATTACHING)
    recovered(stage)
    assert stage.world() == before


def test_what_two_runs_left_for_one_service_account_is_taken_back(stage: Stage, unique: str) -> None:
    before = stage.world()
    cut_off(stage, "app", unique, *EVERYTHING, at=CUTS[5])
    cut_off(stage, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    recovered(stage)
    assert stage.world() == before


def test_a_young_run_is_left_alone_unless_told_otherwise(small: Stage, unique: str) -> None:
    before = small.world()
    cut_off(small, "app", unique, *EVERYTHING, at=ATTACHING)
    after = small.world()
    (item,) = found(small)
    assert "min-age" in item["skipped"]
    ran = recover(small, "--all", "-o", "json")
    # What waits does not read as recovered.
    assert (ran.code, ran.metadata["exitCode"], ran.items) == (4, 4, [])
    assert [entry["transaction"] for entry in ran.metadata["skipped"]] == [item["transaction"]]
    assert recover(small, item["transaction"]).code == 4
    assert small.world() == after
    assert recover(small, item["transaction"], "--min-age", "0s").code == 0
    assert small.world() == before


def test_a_dry_run_and_a_list_write_nothing(small: Stage, unique: str) -> None:
    cut_off(small, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    after = small.world()
    (item,) = found(small)
    kinds = sorted(entry["kind"] for entry in item["objects"])
    assert kinds == [
        "InlinePolicy",
        "Namespace",
        "OIDCProvider",
        "PolicyAttachment",
        "PolicyAttachment",
        "Role",
        "ServiceAccount",
    ]
    ran = recover(small, "--all", "--min-age", "0s", "--dry-run", "-o", "json")
    (result,) = ran.items
    assert (ran.code, result["outcome"]) == (0, "planned")
    assert {change["action"] for change in result["changes"]} == {"delete"}
    assert sorted(change["kind"] for change in result["changes"]) == kinds
    assert item["transaction"] in recover(small, "--all", "--min-age", "0s", "--dry-run").out
    assert small.world() == after
    assert not (small.folder / "state").exists() or not list((small.folder / "state").iterdir())


def test_a_role_that_was_used_is_left_alone(small: Stage, unique: str) -> None:
    cut_off(small, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    made = f"{small.cluster}-{unique}-app"
    (role,) = [role for role in iam_of(small).roles.values() if role.name.startswith(made)]
    role.last_used = datetime.now(timezone.utc) + timedelta(hours=1)
    after = small.world()
    recovered(small)
    assert small.world() == after
    (item,) = found(small)
    assert item["objects"] == []
    assert [entry["target"] for entry in item["leftAlone"] if entry["kind"] == "Role"] == [role.name]


def iam_of(stage: Stage) -> Any:
    """moto's own IAM of the stage's account."""
    return stage.sandbox._front.cloud.iam(stage.account_id, "aws")


def test_a_namespace_that_somebody_uses_is_left_alone_and_named(stage: Stage, unique: str) -> None:
    before = stage.world()
    cut_off(stage, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    stage.make_account(unique, "theirs")
    ran = recover(stage, "--all", "--min-age", "0s", "-o", "json")
    (result,) = ran.items
    assert (ran.code, result["outcome"]) == (3, "incomplete")
    (entry,) = result["left"]
    assert entry["what"] == f"Namespace {unique}"
    after = stage.world()
    assert {key: after[key] for key in ("roles", "oidc_providers")} == {
        key: before[key] for key in ("roles", "oidc_providers")
    }
    accounts = [name for name in after["kubernetes"]["serviceaccounts"] if name.startswith(f"{unique}/")]
    assert f"{unique}/theirs" in accounts
    assert f"{unique}/app" not in accounts
    # What is proposed leaves the namespace to who uses it.
    assert entry["repair"].startswith(f"kubectl annotate namespace {unique} irsa/transaction-  #")
    unmarked = {"metadata": {"annotations": {"irsa/transaction": None}}}
    assert stage.kube.patch(f"/api/v1/namespaces/{unique}", unmarked).status == 200
    assert found(stage, unique) == []


def test_a_recovery_that_was_killed_is_finished(small: Stage, unique: str) -> None:
    before = small.world()
    cut_off(small, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    small.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", skip=1, run=small.kill))
    assert recover(small, "--all", "--min-age", "0s").code == -9
    small.sandbox.settle()
    (item,) = small.irsa("recover", "-o", "json").items
    assert item["command"] == "recover"
    finished = small.irsa("recover", item["transaction"])
    assert finished.code == 0, finished.err
    assert small.world() == before
    assert "No unfinished" in small.irsa("recover").out


def test_a_recovery_that_was_killed_is_finished_from_anywhere(small: Stage, unique: str) -> None:
    before = small.world()
    cut_off(small, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
    assert recover(small, "--all", "--min-age", "0s").code == -9
    small.sandbox.settle()
    recovered(small)
    assert small.world() == before
    assert "No unfinished" in small.irsa("recover").out, "the first recovery is settled by the second"


def test_a_recovery_that_fails_is_finished_by_its_journal(small: Stage, unique: str) -> None:
    before = small.world()
    cut_off(small, "app", unique, *EVERYTHING, at=BEFORE_THE_GATE)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=1))
    ran = recover(small, "--all", "--min-age", "0s", "-o", "json")
    assert ran.code == 3
    (result,) = ran.items
    (entry,) = result["left"]
    assert entry["what"].startswith("Role ")
    finished = small.irsa(*entry["repair"].split()[1:])
    assert finished.code == 0, finished.err
    assert small.world() == before


def test_a_run_that_lives_on_this_machine_is_left_alone(small: Stage, unique: str) -> None:
    second = copy(small)
    seen: list[Ran] = []

    def meanwhile() -> None:
        seen.append(recover(second, "--all", "--min-age", "0s", "-o", "json"))

    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=meanwhile))
    assert small.create_sa("app", unique, "--associate-oidc", "--attach-policy-arn", READ_ONLY).code == 0
    (ran,) = seen
    assert (ran.code, ran.metadata["exitCode"], ran.items) == (0, 0, [])
    assert "running" in ran.metadata["skipped"][0]["why"]
    assert small.role_of(unique, "app")["attached"] == [READ_ONLY]


def test_a_run_that_lives_elsewhere_and_ends_meanwhile_keeps_its_role(stage: Stage, unique: str) -> None:
    """It is young enough to live, and its last step comes between our look and our hand."""
    stage.make_namespace(unique)
    assert stage.associate().code == 0
    cut_off(stage, "app", unique, "--attach-policy-arn", READ_ONLY, at=ATTACHING)
    (name,) = [name for name, role in stage.aws_world()["roles"].items() if "/irsa/" in role["arn"]]
    arn = stage.aws_world()["roles"][name]["arn"]
    before = stage.world()["roles"]

    def end() -> None:
        stage.make_account(unique, "app", annotations={ROLE_ARN: arn})

    stage.sandbox.faults.add(Fault("iam", "ListAttachedRolePolicies", "callback", run=end))
    assert recover(stage, "--all", "--min-age", "0s").code == 3
    assert stage.world()["roles"] == before


def test_a_service_account_that_nothing_else_is_left_of_has_to_be_named(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0
    assert stage.create_sa("first", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    shared = stage.role_of(namespace, "first")["arn"]
    name = shared.rsplit("/", 1)[-1]
    stage.iam().untag_role(RoleName=name, TagKeys=["irsa/cluster", "irsa/transaction"])
    before = stage.world()
    arguments = ("--attach-role-arn", shared, "--update-trust", "--verify")
    cut_off(stage, "app", namespace, *arguments, at=BEFORE_THE_GATE)
    after = stage.world()
    recovered(stage)
    assert stage.world() == after
    (item,) = found(stage, namespace)
    assert recover(stage, item["transaction"], "--min-age", "0s").code == 0
    # A statement of a trust policy has no owner: without the journal it is not known whose it is.
    assert stage.world()["kubernetes"] == before["kubernetes"]


def test_another_cluster_is_none_of_our_business(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("other"))
    here, there = (sandbox_stage(sandbox, name, tmp_path / name) for name in ("demo", "other"))
    for stage in (here, there):
        stage.folder.mkdir()
        (stage.folder / "inline.json").write_text(json.dumps(DOCUMENT))
    before = here.world()
    cut_off(there, "app", "apps", *EVERYTHING, at=BEFORE_THE_GATE)
    between = here.world()
    assert found(here) == []
    recovered(here)
    assert here.world() == between
    recovered(there)
    assert here.world() == before


def test_a_journal_on_this_machine_is_settled_with_it(small: Stage, unique: str) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=small.kill))
    assert small.create_sa("app", unique, *EVERYTHING).code == -9
    small.sandbox.settle()
    recovered(small)
    assert small.world() == before
    assert [item["outcome"] for item in small.irsa("history", "-o", "json").items] == ["rolled-back"]


def test_a_signal_lets_one_be_finished_and_the_next_alone(small: Stage, unique: str) -> None:
    before = small.world()
    for name in ("one", "two"):
        cut_off(small, name, f"{unique}-{name}", *EVERYTHING, at=ATTACHING)
    small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=lambda: small.signal(15)))
    ran = recover(small, "--all", "--min-age", "0s", "-o", "json")
    assert (ran.code, ran.metadata["exitCode"]) == (143, 143)
    assert [item["outcome"] for item in ran.items] == ["rolled-back"]
    assert len(found(small)) == 1
    recovered(small)
    assert small.world() == before


def test_what_was_never_there_is_nothing_to_do(small: Stage) -> None:
    ran = recover(small, "20260601T120000000Z-0a1b2c3d", "-o", "json")
    assert (ran.code, ran.metadata["outcome"]) == (0, "unchanged")
    assert recover(small, "--all", "-o", "json").items == []


def test_who_may_not_list_roles_is_told_so(small: Stage) -> None:
    user = small.restricted((("get", "list"), ("serviceaccounts", "namespaces")))
    small.sandbox.faults.add(Fault("iam", "ListRoles", "error", times=None))
    ran = small.irsa("recover", "-c", small.cluster, "-o", "json", user=user)
    assert ran.code == 1
    assert "missing permission: iam:ListRoles" in ran.error["details"]
